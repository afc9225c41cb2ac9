import { canonicalize, type RecordValue } from '../canonical.ts';
import { limits } from '../limits.ts';
import { type PermitClaims, parsePermitClaims } from './claims.ts';

/** The header of a request that carries a permit to its effector; from an agent it is always refused. */
export const permitHeader = 'Cordon-Permit';

const type = 'cordon-permit+jws';
/** A JWS thumbprint of SHA-256 (RFC 7638), 43 characters of base64url. */
const keyIdPattern = /^[A-Za-z0-9_-]{43}$/;

export type PermitTokenCode = 'permit-too-large' | 'permit-malformed' | 'permit-header';

/** A permit as it was read; nothing about it is proved before the signature is. */
export interface PermitToken {
  readonly ok: true;
  readonly kid: string;
  readonly claims: PermitClaims;
  /** What the signature is over: the very characters that came (RFC 7515 §5.2). */
  readonly signed: Uint8Array;
  /** 64 bytes, r and s (RFC 7518 §3.4). */
  readonly signature: Uint8Array;
}

export type PermitTokenResult = PermitToken | { readonly ok: false; readonly code: PermitTokenCode };

/** The header and body of a JWS (RFC 7515 §7.1), ready to be signed with ES256 by whoever holds the key. */
export function permitSigningInput(kid: string, claims: PermitClaims): string {
  return `${encode(headerOf(kid))}.${encode(canonicalize(claims as unknown as RecordValue))}`;
}

export function permitToken(signingInput: string, signature: Uint8Array): string {
  return `${signingInput}.${base64url(signature)}`;
}

/**
 * Reads a compact JWS of this one type. Header and body must be the canonical text of what they say, so each permit has
 * one spelling: no second key of a name, no other order, no space. With that the header can hold nothing but `alg`,
 * `kid` and `typ` of ours; a key, an address of keys, a certificate or a `crit` in it is refused (RFC 8725 §3.1, §3.10).
 */
export function parsePermitToken(token: string): PermitTokenResult {
  if (token.length > limits.permitCharsMax) return refused('permit-too-large');
  const parts = token.split('.');
  const [head, body, signature] = parts.map(decode);
  if (parts.length !== 3 || head == null || body == null || signature?.length !== 64)
    return refused('permit-malformed');
  const kid = keyIdOf(head);
  if (kid === null) return refused('permit-header');
  const claims = parsePermitClaims(canonicalValue(body));
  if (claims === null) return refused('permit-malformed');
  const signed = new TextEncoder().encode(token.slice(0, token.lastIndexOf('.')));
  return { ok: true, kid, claims, signed, signature };
}

function headerOf(kid: string): string {
  return canonicalize({ alg: 'ES256', kid, typ: type });
}

/** The algorithm is ours and not the token's to choose: a header that is not exactly ours names no key. */
function keyIdOf(head: Uint8Array): string | null {
  const value = canonicalValue(head);
  if (typeof value !== 'object' || value === null || !('kid' in value)) return null;
  const { kid } = value as { readonly kid: unknown };
  if (typeof kid !== 'string' || !keyIdPattern.test(kid)) return null;
  return canonicalize(value as RecordValue) === headerOf(kid) ? kid : null;
}

/** Null for what is no canonical text of a value that a record may hold. */
function canonicalValue(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return canonicalize(value as RecordValue) === text ? value : null;
  } catch {
    return null;
  }
}

function encode(text: string): string {
  return base64url(new TextEncoder().encode(text));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** Null unless the text is what its bytes encode to: else one signature would have many spellings. */
function decode(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
  const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (each) => each.charCodeAt(0));
  return base64url(bytes) === text ? bytes : null;
}

function refused(code: PermitTokenCode): PermitTokenResult {
  return { ok: false, code };
}
