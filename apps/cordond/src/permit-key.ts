import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import path from 'node:path';
import { CordonError, type PermitPublicKey } from '@cordon/protocol';
import type { PermitKey } from '@cordon/sandbox';
import { createKeyFile } from '@cordon/store';
import type { CordondErrorCode } from './configuration.ts';
import { readKeyBytes } from './keys.ts';

const fileName = 'permit.pem';

/** The host's key for permits, made at the first start; only its public half leaves this function. */
export async function openPermitKey(keys: string): Promise<PermitPublicKey> {
  const file = path.join(keys, fileName);
  const known = await readKeyBytes(file);
  if (known !== null) return publicKeyOf(privateKeyOf(known));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await createKeyFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return publicKeyOf(privateKey);
}

/** What the signer signs with; null when no control plane has made one yet. */
export async function readPermitKey(keys: string): Promise<PermitKey | null> {
  const known = await readKeyBytes(path.join(keys, fileName));
  if (known === null) return null;
  const key = privateKeyOf(known);
  return {
    kid: publicKeyOf(key).kid,
    // RFC 7518 §3.4 wants r and s side by side, not DER.
    sign: (bytes) => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }),
  };
}

/** @throws CordonError `configuration` for what is no private key of ES256 */
function privateKeyOf(pem: Uint8Array): KeyObject {
  const key = createPrivateKey(Buffer.from(pem));
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new CordonError<CordondErrorCode>('configuration', `${fileName} is no key of the curve P-256`);
  }
  return key;
}

/** Named by its thumbprint (RFC 7638 §3), so that no other key can take its name. */
function publicKeyOf(key: KeyObject): PermitPublicKey {
  const { x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' });
  const kid = hash('sha256', JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }), 'base64url');
  return { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' };
}
