// The one entry beside `index.ts`: it needs node:crypto, and the SDK must load `@cordon/protocol` in a browser.
import { hash } from 'node:crypto';
import type { Brand } from './brand.ts';
import { canonicalize, type RecordValue, sealOf } from './canonical.ts';

/** `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = Brand<string, 'Digest'>;

/** The kinds of record that are hashed; each has its own domain, so no record can pass for one of another kind. */
export type DigestKind =
  | 'intent'
  | 'attempt'
  | 'facts'
  | 'entities'
  | 'decision'
  | 'hold'
  | 'view'
  | 'approval'
  | 'endorsement'
  | 'layer'
  | 'bundle'
  | 'entry'
  | 'chain'
  | 'label'
  | 'request';

/** `SHA-256("cordon/<kind>/1\n" ‖ JCS(record))`. A sealed record cannot change, so its digest is computed once. */
export function digestRecord(kind: DigestKind, record: RecordValue): Digest {
  const seal = typeof record === 'object' && record !== null ? sealOf(record) : undefined;
  if (seal?.digest?.kind === kind) return seal.digest.value as Digest;
  const value = `sha256:${hash('sha256', `cordon/${kind}/1\n${canonicalize(record)}`, 'hex')}` as Digest;
  if (seal !== undefined) seal.digest = { kind, value };
  return value;
}

/** Plain SHA-256 of bytes, for bodies and files. */
export function digestBytes(bytes: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}` as Digest;
}
