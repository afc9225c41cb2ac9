import { bundleType, canonicalize, type Person, type RecordValue, trustType } from '@cordon/protocol';
import { type Envelope, openEnvelope, type PinnedKey } from '@cordon/protocol/dsse';
import { type Refusal, refuse } from '../error.ts';
import { parseJson } from '../json/parse.ts';
import { limits } from '../limits.ts';

/** Whose signatures put policy in force, and how many of them it takes. Each root is signed by the one before it. */
export interface TrustRoot {
  readonly v: 'trust/1';
  readonly tenant: string;
  /** Rises by one with each root; an older one is never accepted again. */
  readonly number: number;
  /** `solo`: one person. `organisation`: at least two, and one more for what widens. */
  readonly kind: 'solo' | 'organisation';
  readonly signers: readonly { readonly person: Person; readonly key: PinnedKey }[];
  /** Different people, not keys. */
  readonly thresholds: { readonly bundle: number; readonly root: number };
}

export type TrustResult = { readonly ok: true; readonly root: TrustRoot } | Refusal<'trust-invalid'>;
export type Signed = { readonly ok: true; readonly people: readonly Person[] } | Refusal<'bundle-unsigned'>;

/** Before anybody has written a root: whoever owns this daemon, alone. */
export function firstRoot(tenant: string, person: Person, keys: readonly PinnedKey[]): TrustRoot {
  const signers = keys.map((key) => ({ person, key }));
  return { v: 'trust/1', tenant, number: 0, kind: 'solo', signers, thresholds: { bundle: 1, root: 1 } };
}

export function trustBytes(root: TrustRoot): Buffer {
  return Buffer.from(canonicalize(root as unknown as RecordValue), 'utf8');
}

/** The next root: its number follows, and both the old and the new signers have signed it. */
export function openRoot(envelope: unknown, current: TrustRoot): TrustResult {
  const no = (message: string): Refusal<'trust-invalid'> => refuse('trust-invalid', message);
  const unread = payloadOf(envelope);
  const root = unread === null ? null : parseRoot(unread);
  if (root === null) return no('not a trust root of this format');
  if (root.tenant !== current.tenant) return no(`a trust root of tenant ${root.tenant}`);
  if (root.number !== current.number + 1) return no(`number ${root.number}, where ${current.number + 1} comes next`);
  const wrong = checkThresholds(root);
  if (wrong !== null) return no(wrong);
  for (const [name, signers] of [
    ['old', current],
    ['new', root],
  ] as const) {
    const people = signedBy(envelope, trustType, signers.signers);
    if (people === null) return no(`a signature of the ${name} signers is wrong, or there is none`);
    const wanted = signers.thresholds.root;
    if (people.length < wanted) return no(`${people.length} of the ${wanted} ${name} signers have signed`);
  }
  return { ok: true, root };
}

/** How many different people must sign a bundle. */
export function signaturesFor({ kind, thresholds }: TrustRoot, widening: boolean): number {
  return thresholds.bundle + (kind === 'organisation' && widening ? 1 : 0);
}

/** Who has signed this manifest, where that is enough. A signature covers the bytes that travel. */
export function checkSignatures(envelope: unknown, manifest: Uint8Array, root: TrustRoot, widening: boolean): Signed {
  const no = (message: string): Refusal<'bundle-unsigned'> => refuse('bundle-unsigned', message);
  const payload = payloadOf(envelope);
  if (payload === null) return no('the signatures are not an envelope of this format');
  if (!payload.equals(manifest)) return no('the signatures are of another bundle');
  const people = signedBy(envelope, bundleType, root.signers);
  if (people === null) return no('no signature of anybody whom the trust root names, or a wrong one');
  const wanted = signaturesFor(root, widening);
  if (people.length < wanted) {
    const why = wanted > root.thresholds.bundle ? ', one more than usual because it widens what is allowed' : '';
    return no(`${people.length} of ${wanted} people have signed${why}`);
  }
  return { ok: true, people };
}

function signedBy(envelope: unknown, type: string, signers: TrustRoot['signers']): readonly Person[] | null {
  const opened = openEnvelope(
    envelope,
    type,
    signers.map((signer) => signer.key),
  );
  if (!opened.ok) return null;
  const people = new Map<string, Person>();
  for (const { person, key } of signers) {
    if (opened.signers.includes(key.id)) people.set(JSON.stringify([person.iss, person.sub]), person);
  }
  return [...people.values()];
}

/** Read before it is known who signed it; whoever uses it verifies then. */
function payloadOf(envelope: unknown): Buffer | null {
  const payload = (envelope as Partial<Envelope> | null | undefined)?.payload;
  if (typeof payload !== 'string' || payload.length > limits.bundleBytesMax) return null;
  return Buffer.from(payload, 'base64');
}

function checkThresholds({ kind, signers, thresholds }: TrustRoot): string | null {
  const people = new Set(signers.map(({ person }) => JSON.stringify([person.iss, person.sub]))).size;
  const least = kind === 'organisation' ? 2 : 1;
  if (thresholds.bundle < least || thresholds.root < least) return `an ${kind} needs at least ${least} signatures`;
  const most = Math.max(thresholds.root, thresholds.bundle + (kind === 'organisation' ? 1 : 0));
  if (people < most) return `${people} people cannot give ${most} signatures`;
  const ids = signers.map(({ key }) => key.id);
  return new Set(ids).size === ids.length ? null : 'a key stands there twice';
}

function parseRoot(bytes: Buffer): TrustRoot | null {
  const read = parseJson(bytes, 'arguments');
  if (!read.ok) return null;
  const root = structuredClone(read.value) as unknown as TrustRoot;
  if (!isRoot(root)) return null;
  return trustBytes(root).equals(bytes) ? root : null;
}

function isRoot(value: unknown): value is TrustRoot {
  if (!hasOnly(value, ['v', 'tenant', 'number', 'kind', 'signers', 'thresholds'])) return false;
  const { v, tenant, number, kind, signers, thresholds } = value;
  if (
    v !== 'trust/1' ||
    typeof tenant !== 'string' ||
    !isCount(number) ||
    (kind !== 'solo' && kind !== 'organisation')
  ) {
    return false;
  }
  if (!hasOnly(thresholds, ['bundle', 'root']) || !isCount(thresholds['bundle']) || !isCount(thresholds['root']))
    return false;
  if (!Array.isArray(signers) || signers.length > limits.trustSignersMax) return false;
  return signers.every(
    (signer: unknown) =>
      hasOnly(signer, ['person', 'key']) &&
      hasOnly(signer['person'], ['iss', 'sub']) &&
      Object.values(signer['person']).every((part) => typeof part === 'string' && part.length <= 256) &&
      hasOnly(signer['key'], ['id', 'algorithm', 'publicKey']) &&
      signer['key']['algorithm'] === 'ed25519' &&
      Object.values(signer['key']).every((part) => typeof part === 'string' && part.length <= 128),
  );
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= 1_000_000;
}

function hasOnly(value: unknown, names: readonly string[]): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));
}
