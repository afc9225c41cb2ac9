import { CordonError } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { limits } from '../limits.ts';

export type PermitKeyErrorCode = 'permit-keys';

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** The public keys that an effector believes, each for ES256 and nothing else. */
export class PermitKeys {
  readonly #keys: ReadonlyMap<string, Key>;

  private constructor(keys: ReadonlyMap<string, Key>) {
    this.#keys = keys;
  }

  /**
   * Of a JWK set, as `cordon keys export` writes it.
   * @throws CordonError `permit-keys` for anything else: another algorithm or use, a private key, a wrong name
   */
  static async import(set: unknown): Promise<PermitKeys> {
    const read = api.permitKeys.safeParse(set);
    if (!read.success || read.data.keys.length === 0 || read.data.keys.length > limits.permitKeysMax) {
      throw wrong('this is no JWK set of public ES256 keys as `cordon keys export` writes it');
    }
    const keys = new Map<string, Key>();
    for (const { kid, ...key } of read.data.keys) {
      // RFC 7638 §3: the members in this order. A key that goes by another's name is not the one that was meant.
      const { crv, kty, x, y } = key;
      if ((await sha256(JSON.stringify({ crv, kty, x, y }), 'base64url')) !== kid) {
        throw wrong('a key is not named by its thumbprint');
      }
      keys.set(kid, await importKey(key));
    }
    return new PermitKeys(keys);
  }

  has(kid: string): boolean {
    return this.#keys.has(kid);
  }

  /** False for a key that is not one of these. */
  async verify(kid: string, signature: Uint8Array, signed: Uint8Array): Promise<boolean> {
    const key = this.#keys.get(kid);
    if (key === undefined) return false;
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
    return await crypto.subtle.verify(algorithm, key, Uint8Array.from(signature), Uint8Array.from(signed));
  }
}

async function importKey(jwk: Omit<api.PermitKey, 'kid'>): Promise<Key> {
  try {
    return await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']);
  } catch (cause) {
    throw wrong('a key is no point of the curve', cause);
  }
}

/** Of bytes, or of a text's UTF-8. */
export async function sha256(of: Uint8Array | string, as: 'hex' | 'base64url'): Promise<string> {
  const bytes = typeof of === 'string' ? new TextEncoder().encode(of) : Uint8Array.from(of);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  if (as === 'hex') return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return btoa(String.fromCharCode(...digest))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

function wrong(message: string, cause?: unknown): CordonError<PermitKeyErrorCode> {
  return new CordonError<PermitKeyErrorCode>('permit-keys', message, { cause, expose: true });
}
