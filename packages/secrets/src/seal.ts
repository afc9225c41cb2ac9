import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '@cordon/protocol';
import { secretError } from './error.ts';
import { Secret } from './secret.ts';

/** AES-256-GCM (NIST SP 800-38D): 96-bit random nonce, 128-bit tag, the context as associated data. */
export interface Sealed {
  readonly nonce: string;
  readonly box: string;
}

const nonceBytes = 12;
const tagBytes = 16;
export const keyBytes = 32;

/** `context` names what is sealed; a box that is moved to another place does not open. */
export function seal(value: Secret, key: Secret, context: string, random: Random): Sealed {
  const nonce = random.bytes(nonceBytes);
  const cipher = key.reveal((bytes) => createCipheriv('aes-256-gcm', bytes, nonce));
  cipher.setAAD(Buffer.from(context, 'utf8'));
  const coded = value.reveal((bytes) => Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]));
  return { nonce: Buffer.from(nonce).toString('base64'), box: coded.toString('base64') };
}

/** @throws CordonError `store-unsealable`: another key, another place, or changed bytes */
export function unseal(sealed: Sealed, key: Secret, context: string): Secret {
  const box = Buffer.from(sealed.box, 'base64');
  const nonce = Buffer.from(sealed.nonce, 'base64');
  if (nonce.length !== nonceBytes || box.length < tagBytes) throw unsealable();
  const cipher = key.reveal((bytes) => createDecipheriv('aes-256-gcm', bytes, nonce, { authTagLength: tagBytes }));
  cipher.setAAD(Buffer.from(context, 'utf8'));
  cipher.setAuthTag(box.subarray(box.length - tagBytes));
  const open = cipher.update(box.subarray(0, box.length - tagBytes));
  try {
    cipher.final();
    return Secret.from(open);
  } catch (error: unknown) {
    throw unsealable(error);
  } finally {
    open.fill(0);
  }
}

function unsealable(cause?: unknown): Error {
  return secretError('store-unsealable', 'the secret store does not open with this key', cause);
}
