import type { Rung } from '@cordon/protocol';
import { type Digest, digestBytes } from '@cordon/protocol/digest';
import { type Refusal, refuse } from '../error.ts';
import { schemaText } from '../fact/schema.ts';
import { addressOf, type Manifest, manifestBytes, parseManifest } from './manifest.ts';
import { type BundleFile, readTar, writeTar } from './tar.ts';

/** A bundle as it was read: every byte of it is named by its address. */
export interface Bundle {
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly address: Digest;
  /** Without the manifest and the schema, sorted by path. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

export type BundleResult =
  | { readonly ok: true; readonly bundle: Bundle }
  | Refusal<'bundle-malformed' | 'bundle-unsupported'>;

export interface BundleContent {
  readonly scope: string;
  readonly generation: number;
  readonly previous: string | null;
  readonly rungs: readonly Rung[];
  readonly engine: string;
  readonly notBefore: string;
  readonly expires: string | null;
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

const manifestPath = 'manifest.json';
const schemaPath = 'schema.cedarschema';
/** What a bundle may hold: everything in it is read by somebody. */
const known = /^(policies\/.+\.cedar|grants\/.+\.yaml|tests\/.+\.yaml)$/;

/** The archive of these files, not yet signed. It reads back as the bundle that is returned, or is refused. */
export function buildBundle(
  content: BundleContent,
): (BundleResult & { ok: false }) | { ok: true; bundle: Bundle; bytes: Buffer } {
  const { files, rungs, ...head } = content;
  const all: BundleFile[] = [...files, { path: schemaPath, text: schemaText }]
    .map(({ path, text }) => ({ path, bytes: Buffer.from(text, 'utf8') }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const manifest: Manifest = {
    v: 'bundle/1',
    layer: 'tenant',
    requires: ['ceiling', 'session', 'tenant'],
    ...head,
    rungs: rungs.map(({ quorum, strong }) => ({ quorum, strong })),
    files: all.map(({ path, bytes }) => ({ path, bytes: bytes.length, sha256: digestBytes(bytes) })),
  };
  const bytes = writeTar([...all, { path: manifestPath, bytes: manifestBytes(manifest) }]);
  const read = openBundle(bytes);
  return read.ok ? { ...read, bytes } : read;
}

/** Reads an archive of somebody else's: complete, nothing beside, each file as the manifest names it. */
export function openBundle(bytes: Uint8Array): BundleResult {
  const archive = readTar(bytes);
  if (!archive.ok) return archive;
  const head = archive.files.find((file) => file.path === manifestPath);
  if (head === undefined) return refuse('bundle-malformed', `there is no ${manifestPath}`);
  const parsed = parseManifest(head.bytes);
  if (!parsed.ok) return parsed;
  const { manifest } = parsed;
  const found = archive.files.filter((file) => file !== head);
  if (found.length !== manifest.files.length) return refuse('bundle-malformed', 'the manifest names other files');
  const files: { path: string; text: string }[] = [];
  for (const [index, file] of found.entries()) {
    const named = manifest.files[index];
    if (named?.path !== file.path || named.bytes !== file.bytes.length || named.sha256 !== digestBytes(file.bytes)) {
      return refuse('bundle-malformed', `${file.path}: not the file that the manifest names`);
    }
    const text = toText(file.bytes);
    if (text === null) return refuse('bundle-malformed', `${file.path}: not UTF-8`);
    if (file.path === schemaPath) {
      if (text !== schemaText) return refuse('bundle-unsupported', 'made for another schema: pack it anew');
      continue;
    }
    if (!known.test(file.path)) return refuse('bundle-unsupported', `${file.path}: nothing reads such a file`);
    files.push({ path: file.path, text });
  }
  if (files.length === found.length) return refuse('bundle-malformed', `there is no ${schemaPath}`);
  const address = addressOf(manifest);
  return { ok: true, bundle: { manifest, manifestBytes: head.bytes, address, files } };
}

function toText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
