import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { ledgerError } from '../error.ts';
import { hashKey, type NoteKey, parseBase64, splitKeyText } from './note-key.ts';
import { hashBytes } from './tile.ts';

/**
 * The second signature of a log under its heads: C2SP tlog-cosignature with ML-DSA-44 (FIPS 204), under the log's own
 * name, as tlog-checkpoint recommends it. Who can forge Ed25519 one day cannot forge this line; so a reader who pins its
 * key believes no head without it.
 */
const algorithm = 6;
const publicKeyBytes = 1312;
const signatureBytes = 2420;
const timestampBytes = 8;
const label = Buffer.from('subtree/v1\n\0');
/** No statement that this was the log's largest head at some time: it is the log itself that signs. */
const noTime = 0n;

/** What the line covers; extension lines of a checkpoint it does not. */
export interface SignedHead {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** A new key as PKCS #8 PEM; null where this Node.js has no ML-DSA-44. */
export function createSecondKey(): string | null {
  let pair: { readonly privateKey: KeyObject };
  try {
    pair = generateKeyPairSync('ml-dsa-44');
  } catch {
    return null;
  }
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** `NAME+HASH+BASE64` with the 1,312 bytes of an ML-DSA-44 key. */
export function secondKeyText(name: string, privateKey: KeyObject): string {
  const raw = rawKey(privateKey);
  const encoded = Buffer.concat([Buffer.from([algorithm]), raw]).toString('base64');
  return `${name}+${hashKey(name, algorithm, raw).toString('hex')}+${encoded}`;
}

/**
 * Null for what is no such key. `importKey` is Node's own, and fails where Node was built without ML-DSA.
 *
 * @throws CordonError `ledger-key` where this Node.js cannot check such signatures
 */
export function parseSecondKey(text: string, importKey: typeof createPublicKey = createPublicKey): NoteKey | null {
  const parts = splitKeyText(text, algorithm, publicKeyBytes);
  if (parts === null) return null;
  const { name, keyHash, raw } = parts;
  try {
    const jwk = { kty: 'AKP', alg: 'ML-DSA-44', pub: raw.toString('base64url') };
    return { name, keyHash, publicKey: importKey({ key: jwk, format: 'jwk' }) };
  } catch (cause) {
    throw noMlDsa(cause);
  }
}

export function noMlDsa(cause: unknown): Error {
  return ledgerError(
    'ledger-key',
    `this Node.js (${process.version}, OpenSSL ${process.versions.openssl}) has no ML-DSA-44; use one with OpenSSL 3.5, or only the first line of the key file, and the second signature is not checked`,
    cause,
  );
}

/** One signature line. */
export function signSecond(head: SignedHead, privateKey: KeyObject): string {
  const time = Buffer.alloc(timestampBytes);
  time.writeBigUInt64BE(noTime);
  const signature = sign(null, messageOf(head, head.origin, noTime), privateKey);
  const keyHash = hashKey(head.origin, algorithm, rawKey(privateKey));
  return `— ${head.origin} ${Buffer.concat([keyHash, time, signature]).toString('base64')}\n`;
}

/** `absent`: none of the lines is of this key. One that names the key and does not fit is worse than none. */
export function checkSecond(head: SignedHead, lines: readonly string[], key: NoteKey): 'good' | 'wrong' | 'absent' {
  let found: 'good' | 'absent' = 'absent';
  for (const line of lines) {
    const [, name, encoded = ''] = /^— (\S+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? [];
    const bytes = parseBase64(encoded);
    if (name !== key.name) continue;
    // A line that is no base64 could be any key's, so it is none that was taken away.
    if (bytes.length === 0) return 'wrong';
    if (!bytes.subarray(0, 4).equals(key.keyHash)) continue;
    if (bytes.length !== 4 + timestampBytes + signatureBytes) return 'wrong';
    const message = messageOf(head, key.name, bytes.readBigUInt64BE(4));
    if (!verify(null, message, key.publicKey, bytes.subarray(4 + timestampBytes))) return 'wrong';
    found = 'good';
  }
  return found;
}

/** `cosigned_message` of tlog-cosignature, in the presentation of RFC 8446 §3. */
function messageOf({ origin, size, root }: SignedHead, signer: string, time: bigint): Buffer {
  const [names, ends] = [[signer, origin].map((text) => Buffer.from(text)), Buffer.alloc(16)];
  if (names.some((name) => name.length === 0 || name.length > 255) || root.length !== hashBytes) {
    throw ledgerError('ledger-note', 'a head that ML-DSA-44 signs has an origin of 1 to 255 bytes');
  }
  const [cosigner = Buffer.alloc(0), log = Buffer.alloc(0)] = names;
  const at = Buffer.alloc(timestampBytes);
  at.writeBigUInt64BE(time);
  ends.writeBigUInt64BE(BigInt(size), 8);
  return Buffer.concat([
    label,
    Buffer.from([cosigner.length]),
    cosigner,
    at,
    Buffer.from([log.length]),
    log,
    ends,
    root,
  ]);
}

function rawKey(privateKey: KeyObject): Buffer {
  const { pub } = createPublicKey(privateKey).export({ format: 'jwk' }) as { readonly pub?: string };
  return Buffer.from(pub ?? '', 'base64url');
}
