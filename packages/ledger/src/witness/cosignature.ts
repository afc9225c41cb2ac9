import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { ledgerError } from '../error.ts';
import { checkKeyName, hashKey, parseBase64, parseKeyText, rawPublicKey, readPrivateKey } from '../tree/note-key.ts';

/** C2SP tlog-cosignature with Ed25519 (`cosignature/v1`): a witness says that it saw this head grow out of the last one. */
const algorithm = 4;
const timestampBytes = 8;
const signatureBytes = 64;

export interface Cosigner {
  readonly name: string;
  readonly verifierKey: string;
  /** One signature line over the text of a checkpoint, at this time in seconds since 1970. */
  cosign(text: string, seconds: number): string;
}

export interface CosignatureVerifier {
  readonly name: string;
  readonly keyHash: Buffer;
  readonly publicKey: KeyObject;
}

export function createWitnessKey(name: string): { readonly privatePem: string; readonly verifierKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privatePem, verifierKey: openCosigner(name, privatePem).verifierKey };
}

/** @throws CordonError `ledger-key` */
export function openCosigner(name: string, privatePem: string): Cosigner {
  checkKeyName(name);
  const privateKey = readPrivateKey(privatePem);
  const raw = rawPublicKey(createPublicKey(privateKey));
  const keyHash = hashKey(name, algorithm, raw);
  const key = Buffer.concat([Buffer.from([algorithm]), raw]).toString('base64');
  return {
    name,
    verifierKey: `${name}+${keyHash.toString('hex')}+${key}`,
    cosign: (text, seconds) => {
      const time = Buffer.alloc(timestampBytes);
      time.writeBigUInt64BE(BigInt(seconds));
      const signed = sign(null, messageOf(text, seconds), privateKey);
      return `— ${name} ${Buffer.concat([keyHash, time, signed]).toString('base64')}\n`;
    },
  };
}

/** @throws CordonError `ledger-key` */
export function parseCosignatureKey(text: string): CosignatureVerifier {
  const parsed = parseKeyText(text, algorithm);
  if (parsed === null)
    throw ledgerError('ledger-key', 'this is no verifier key (NAME+HASH+BASE64) of an Ed25519 witness');
  return parsed;
}

/** When this witness cosigned the text, in seconds since 1970; null when none of the lines is its signature. */
export function checkCosignature(text: string, lines: readonly string[], witness: CosignatureVerifier): number | null {
  for (const line of lines) {
    const [, name, encoded = ''] = /^— (\S+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? [];
    const bytes = parseBase64(encoded);
    if (name !== witness.name || !bytes.subarray(0, 4).equals(witness.keyHash)) continue;
    if (bytes.length !== 4 + timestampBytes + signatureBytes) continue;
    const seconds = Number(bytes.readBigUInt64BE(4));
    const signature = bytes.subarray(4 + timestampBytes);
    if (Number.isSafeInteger(seconds) && verify(null, messageOf(text, seconds), witness.publicKey, signature)) {
      return seconds;
    }
  }
  return null;
}

function messageOf(text: string, seconds: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
}
