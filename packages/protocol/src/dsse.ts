// An entry of its own, like `digest.ts`: it needs node:crypto, and `@cordon/protocol` must load in a browser.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { CordonError } from './error.ts';
import { limits } from './limits.ts';

/**
 * DSSE v1 (Dead Simple Signing Envelope): a signature covers the type and the very bytes that travel, so nobody
 * writes a record anew before a signature is checked. Each pinned key has one algorithm; an envelope names keys, never
 * algorithms. https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
 */
export interface Envelope {
  readonly payloadType: string;
  /** Standard base64, padded. */
  readonly payload: string;
  readonly signatures: readonly EnvelopeSignature[];
}

export interface EnvelopeSignature {
  readonly keyid: string;
  /** Standard base64, padded. */
  readonly sig: string;
}

/** A public key that somebody pinned: its id follows from its bytes, so no other key can take its name. */
export interface PinnedKey {
  readonly id: string;
  readonly algorithm: 'ed25519';
  /** The 32 bytes of RFC 8032, standard base64. */
  readonly publicKey: string;
}

/** Whoever holds a private key: a file here, a hardware token elsewhere. */
export interface Signer {
  readonly keyid: string;
  sign(bytes: Uint8Array): Uint8Array;
}

export type DsseErrorCode = 'signing-key';

export type EnvelopeCode = 'envelope-malformed' | 'envelope-type' | 'signature-unknown-key' | 'signature-wrong';

export type OpenedEnvelope =
  | {
      readonly ok: true;
      readonly payload: Buffer;
      /** Ids of the pinned keys that signed, each once, sorted; never empty. */
      readonly signers: readonly string[];
    }
  | { readonly ok: false; readonly code: EnvelopeCode };

/** PAE: `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body`, lengths in bytes as decimal digits. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  const head = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `)]);
  return Buffer.concat([head, payload]);
}

export function signEnvelope(payloadType: string, payload: Uint8Array | string, signers: readonly Signer[]): Envelope {
  const body = Buffer.from(payload);
  const bytes = preAuthEncoding(payloadType, body);
  return {
    payloadType,
    payload: body.toString('base64'),
    signatures: signers.map((signer) => ({
      keyid: signer.keyid,
      sig: Buffer.from(signer.sign(bytes)).toString('base64'),
    })),
  };
}

/**
 * The bytes that pinned keys have signed. Signatures of keys that are not pinned are not looked at (DSSE §protocol: a
 * verifier skips what it does not know); one of a pinned key that does not hold refuses the whole envelope.
 */
export function openEnvelope(envelope: unknown, payloadType: string, keys: readonly PinnedKey[]): OpenedEnvelope {
  if (!isEnvelope(envelope)) return { ok: false, code: 'envelope-malformed' };
  if (envelope.payloadType !== payloadType) return { ok: false, code: 'envelope-type' };
  const payload = fromBase64(envelope.payload);
  if (payload === null) return { ok: false, code: 'envelope-malformed' };
  const bytes = preAuthEncoding(payloadType, payload);
  const signers = new Set<string>();
  for (const { keyid, sig } of envelope.signatures) {
    const key = keys.find((known) => known.id === keyid);
    if (key === undefined) continue;
    const signature = fromBase64(sig);
    const publicKey = openPublicKey(key);
    if (signature?.length !== 64 || publicKey === null || !verify(null, bytes, publicKey, signature)) {
      return { ok: false, code: 'signature-wrong' };
    }
    signers.add(keyid);
  }
  if (signers.size === 0) return { ok: false, code: 'signature-unknown-key' };
  return { ok: true, payload, signers: [...signers].sort() };
}

/** A new Ed25519 key: the private half as PKCS #8 PEM, to be kept 0600, and the public half to be pinned. */
export function createSigningKey(): { readonly privatePem: string; readonly pinned: PinnedKey } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privatePem, pinned: openSigningKey(privatePem).pinned };
}

/** @throws CordonError `signing-key` for what is no private key of Ed25519 */
export function openSigningKey(privatePem: string | Uint8Array): Signer & { readonly pinned: PinnedKey } {
  const privateKey = readPrivateKey(privatePem);
  const pinned = pinKey(rawPublicKey(createPublicKey(privateKey)));
  return { keyid: pinned.id, pinned, sign: (bytes) => sign(null, bytes, privateKey) };
}

/** Null for what is no 32 bytes in base64. */
export function parsePublicKey(text: string): PinnedKey | null {
  const raw = fromBase64(text.trim());
  return raw?.length === 32 ? pinKey(raw) : null;
}

function pinKey(raw: Buffer): PinnedKey {
  return { id: `ed25519:${hash('sha256', raw, 'hex')}`, algorithm: 'ed25519', publicKey: raw.toString('base64') };
}

/** Null when the bytes are no key, or are another key than the id says. */
function openPublicKey(key: PinnedKey): KeyObject | null {
  const raw = fromBase64(key.publicKey);
  if (key.algorithm !== 'ed25519' || raw?.length !== 32 || pinKey(raw).id !== key.id) return null;
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' });
  } catch {
    return null;
  }
}

function readPrivateKey(pem: string | Uint8Array): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(typeof pem === 'string' ? pem : Buffer.from(pem));
  } catch (cause) {
    throw new CordonError<DsseErrorCode>('signing-key', 'this is no private key in PEM', { cause, expose: true });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new CordonError<DsseErrorCode>('signing-key', 'a signing key is an Ed25519 key', { expose: true });
  }
  return key;
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
}

/** Null unless the text is what the bytes encode to: two texts for one signature would be two envelopes. */
function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

/** Exactly the members of the format, bounded before anything of it is decoded. Nothing is said of its signatures. */
export function isEnvelope(value: unknown): value is Envelope {
  if (!hasOnly(value, ['payload', 'payloadType', 'signatures'])) return false;
  const { payload, payloadType, signatures } = value;
  if (typeof payload !== 'string' || payload.length > limits.envelopeCharsMax) return false;
  if (typeof payloadType !== 'string' || payloadType.length > 256) return false;
  if (!Array.isArray(signatures) || signatures.length === 0 || signatures.length > limits.envelopeSignaturesMax) {
    return false;
  }
  return signatures.every(
    (each: unknown) =>
      hasOnly(each, ['keyid', 'sig']) &&
      typeof each['keyid'] === 'string' &&
      each['keyid'].length <= 128 &&
      typeof each['sig'] === 'string' &&
      each['sig'].length <= 128,
  );
}

function hasOnly(value: unknown, names: readonly string[]): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length === names.length && names.every((name) => Object.hasOwn(value, name));
}
