import { hash } from 'node:crypto';
import { limits } from './limits.ts';
import { nonceBytes, tagBytes } from './seal/seal.ts';

/**
 * One frame of a body file: u32 length, 32 bytes SHA-256, the bytes. The digest is the check.
 * A body stands before the entry whose seal names it, in the segment of that entry.
 */
export const bodyHeaderBytes = 36;
/** Of a body as it is stored, sealed or not. */
export const storedBytesMax: number = limits.bodyBytesMax + nonceBytes + tagBytes;

export type BodyReading =
  | { readonly kind: 'body'; readonly digest: string; readonly bytes: Buffer; readonly next: number }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'bad'; readonly why: string };

export function encodeBodyHeader(digest: Buffer, length: number): Buffer {
  const header = Buffer.allocUnsafe(bodyHeaderBytes);
  header.writeUInt32BE(length, 0);
  header.set(digest, 4);
  return header;
}

export function hashBody(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

/** Reads and checks the body at `offset`. */
export function readBody(bytes: Buffer, offset: number): BodyReading {
  if (bytes.length - offset < bodyHeaderBytes) return { kind: 'incomplete' };
  const length = bytes.readUInt32BE(offset);
  if (length > storedBytesMax) return { kind: 'bad', why: `a body of ${length} bytes` };
  const start = offset + bodyHeaderBytes;
  if (start + length > bytes.length) return { kind: 'incomplete' };
  const body = bytes.subarray(start, start + length);
  const digest = bytes.subarray(offset + 4, start);
  if (!hashBody(body).equals(digest)) return { kind: 'bad', why: 'digest' };
  return { kind: 'body', digest: `sha256:${digest.toString('hex')}`, bytes: body, next: start + length };
}
