import { canonicalize, type RecordValue, type Rung } from '@cordon/protocol';
import { type Digest, digestRecord } from '@cordon/protocol/digest';
import { type Refusal, refuse } from '../error.ts';
import { parseJson } from '../json/parse.ts';
import { limits } from '../limits.ts';
import { isPlainPath } from './tar.ts';

/** What a bundle is and holds. Its digest is the bundle's address, and what people sign is its bytes. */
export interface Manifest {
  readonly v: 'bundle/1';
  /** `tenant/NAME`: whose generation it raises. */
  readonly scope: string;
  readonly layer: 'tenant';
  readonly generation: number;
  /** Address of the bundle, or digest of the policy, that it was made to follow; null: none. */
  readonly previous: string | null;
  /** Layers that must stand beside it. */
  readonly requires: readonly string[];
  readonly rungs: readonly Rung[];
  /** The engine that its author tried it with. */
  readonly engine: string;
  /** RFC 3339, UTC with milliseconds. From `expires` on everything is denied; null: never. */
  readonly notBefore: string;
  readonly expires: string | null;
  readonly files: readonly ManifestFile[];
}

export interface ManifestFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export type ManifestResult = { readonly ok: true; readonly manifest: Manifest } | Refusal<'bundle-malformed'>;

export function manifestBytes(manifest: Manifest): Buffer {
  return Buffer.from(canonicalize(manifest as unknown as RecordValue), 'utf8');
}

export function addressOf(manifest: Manifest): Digest {
  return digestRecord('bundle', manifest as unknown as RecordValue);
}

type Shape = (value: unknown) => boolean;
const text =
  (pattern: RegExp): Shape =>
  (value) =>
    typeof value === 'string' && value.length <= 256 && pattern.test(value);
const whole =
  (least: number, most: number): Shape =>
  (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most;
const orNull =
  (shape: Shape): Shape =>
  (value) =>
    value === null || shape(value);
const list =
  (most: number, shape: Shape): Shape =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(shape);
const record =
  (members: Readonly<Record<string, Shape>>): Shape =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const names = Object.keys(members);
    const own = value as Readonly<Record<string, unknown>>;
    return Object.keys(own).length === names.length && names.every((name) => members[name]?.(own[name]) === true);
  };
const digest = text(/^sha256:[0-9a-f]{64}$/);
const time: Shape = (value) =>
  typeof value === 'string' &&
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) &&
  !Number.isNaN(Date.parse(value));
const path: Shape = (value) => typeof value === 'string' && isPlainPath(value);

const shape = record({
  v: (value) => value === 'bundle/1',
  scope: text(/^tenant\/[a-z0-9][a-z0-9-]{0,62}$/),
  layer: (value) => value === 'tenant',
  generation: whole(1, 1_000_000_000),
  previous: orNull(digest),
  requires: list(4, text(/^(ceiling|tenant|person|session)$/)),
  rungs: list(limits.rungsMax, record({ quorum: whole(1, 16), strong: (value) => typeof value === 'boolean' })),
  engine: digest,
  notBefore: time,
  expires: orNull(time),
  files: list(limits.bundleFilesMax, record({ path, bytes: whole(0, limits.bundleBytesMax), sha256: digest })),
});

/** Exactly the members of the format, in exactly their canonical bytes: one manifest has one address. */
export function parseManifest(bytes: Uint8Array): ManifestResult {
  const read = parseJson(bytes, 'arguments');
  if (!read.ok) return refuse('bundle-malformed', `manifest.json: ${read.error.code}`);
  if (!shape(read.value)) return refuse('bundle-malformed', 'manifest.json: not a manifest of this format');
  const manifest = structuredClone(read.value) as unknown as Manifest;
  if (!manifestBytes(manifest).equals(bytes)) {
    return refuse('bundle-malformed', 'manifest.json: not in canonical form (RFC 8785)');
  }
  return { ok: true, manifest };
}
