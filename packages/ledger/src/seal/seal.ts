import { createCipheriv, type KeyObject } from 'node:crypto';
import type { Entry, Random } from '@cordon/protocol';

/** A stored body that is sealed: nonce, AES-256-GCM ciphertext, tag (NIST SP 800-38D, 96-bit random nonce). */
export const nonceBytes = 12;
export const tagBytes = 16;

/** A session's key, by which its bodies are sealed. */
export interface BodyKey {
  /** `k_…`, as entries name it. */
  readonly id: string;
  readonly key: KeyObject;
}

/** Gives the journal the key for a session's bodies; null: they stay in clear. */
export type KeyFor = (session: string | null) => BodyKey | null;

export interface Sealing {
  readonly keyFor: KeyFor;
  readonly random: Pick<Random, 'bytes'>;
}

/** Bound to whose it is and to its key: a body that is put beside another session's entry does not open. */
export function contextOf({ tenant, session }: Pick<Entry, 'tenant' | 'session'>, key: string): Buffer {
  return Buffer.from(`cordon/body/1\n${tenant}\n${session ?? ''}\n${key}`);
}

export function sealBody(
  body: Uint8Array,
  { id, key }: BodyKey,
  of: Pick<Entry, 'tenant' | 'session'>,
  random: Pick<Random, 'bytes'>,
): Buffer {
  const nonce = random.bytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(contextOf(of, id));
  return Buffer.concat([nonce, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
}
