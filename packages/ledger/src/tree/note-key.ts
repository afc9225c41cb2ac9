import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto';
import { ledgerError } from '../error.ts';

/** C2SP signed-note keys: `NAME+HASH+BASE64`, where the key's first byte is its algorithm. */
export interface NoteKey {
  readonly name: string;
  readonly keyHash: Buffer;
  readonly publicKey: KeyObject;
}

/** The parts of a key text of this algorithm; null for what is none. */
export function splitKeyText(
  text: string,
  algorithm: number,
  rawBytes: number,
): { readonly name: string; readonly keyHash: Buffer; readonly raw: Buffer } | null {
  const [, name = '', hashed = '', encoded = ''] =
    /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text.trim()) ?? [];
  const key = parseBase64(encoded);
  const raw = key.subarray(1);
  const keyHash = hashKey(name, algorithm, raw);
  if (key[0] !== algorithm || raw.length !== rawBytes || keyHash.toString('hex') !== hashed) return null;
  return { name, keyHash, raw };
}

/** Null for what is no such Ed25519 key of this algorithm. */
export function parseKeyText(text: string, algorithm: number): NoteKey | null {
  const parts = splitKeyText(text, algorithm, 32);
  if (parts === null) return null;
  const { name, keyHash, raw } = parts;
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
    format: 'jwk',
  });
  return { name, keyHash, publicKey };
}

/** Strict: Node skips what is not base64, and the last character may carry bits that nobody looks at. */
export function parseBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : Buffer.alloc(0);
}

/** @throws CordonError `ledger-key` */
export function readPrivateKey(pem: string | Uint8Array): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(typeof pem === 'string' ? pem : Buffer.from(pem));
  } catch (error) {
    throw ledgerError('ledger-key', 'the ledger key cannot be read', error);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw ledgerError('ledger-key', 'the ledger key is no Ed25519 key');
  return key;
}

export function rawPublicKey(key: KeyObject): Buffer {
  const { x } = key.export({ format: 'jwk' });
  return Buffer.from(x ?? '', 'base64url');
}

export function hashKey(name: string, algorithm: number, raw: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([algorithm]), raw]);
  return hash('sha256', named, 'buffer').subarray(0, 4);
}

/** @throws CordonError `ledger-key` */
export function checkKeyName(name: string): void {
  if (!/^[^+\s]+$/.test(name)) throw ledgerError('ledger-key', 'a log is named without spaces and plus signs');
}
