import { crc32 } from 'node:zlib';
import { limits } from './limits.ts';

/**
 * One frame of a journal, big-endian:
 *
 *     0  u32  length of the entry, 1 … 32 KiB
 *     4  u32  CRC-32 of everything else in the frame
 *     8  u64  highest wseq of this writer known to be on disk when the frame was written; 0 = none
 *    16  …    the entry, RFC 8785 JSON
 *
 * INVARIANT: the first two bytes are zero and no byte of an entry is (JSON escapes control characters), so no text that
 * an agent chose can look like the start of a frame when damage makes recovery search for the next one.
 */
export const frameHeaderBytes = 16;

export type FrameReading =
  | { readonly kind: 'frame'; readonly entry: Buffer; readonly synced: number; readonly next: number }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'bad'; readonly why: string };

export function encodeFrame(entry: Uint8Array | string, synced: number): Buffer {
  const length = Buffer.byteLength(entry);
  const frame = Buffer.allocUnsafe(frameHeaderBytes + length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(Math.floor(synced / 2 ** 32), 8);
  frame.writeUInt32BE(synced % 2 ** 32, 12);
  if (typeof entry === 'string') frame.write(entry, frameHeaderBytes);
  else frame.set(entry, frameHeaderBytes);
  frame.writeUInt32BE(checksum(frame, 0, frame.length), 4);
  return frame;
}

/** Reads the frame at `offset`; `incomplete` when the bytes end before the frame does. */
export function readFrame(bytes: Buffer, offset: number): FrameReading {
  if (bytes.length - offset < 4) return { kind: 'incomplete' };
  const length = bytes.readUInt32BE(offset);
  if (length === 0 || length > limits.entryBytesMax) return { kind: 'bad', why: `a frame of ${length} bytes` };
  const end = offset + frameHeaderBytes + length;
  if (end > bytes.length) return { kind: 'incomplete' };
  if (checksum(bytes, offset, end) !== bytes.readUInt32BE(offset + 4)) return { kind: 'bad', why: 'checksum' };
  const synced = bytes.readUInt32BE(offset + 8) * 2 ** 32 + bytes.readUInt32BE(offset + 12);
  if (!Number.isSafeInteger(synced)) return { kind: 'bad', why: 'synced mark out of range' };
  return { kind: 'frame', entry: bytes.subarray(offset + frameHeaderBytes, end), synced, next: end };
}

function checksum(bytes: Buffer, start: number, end: number): number {
  return crc32(bytes.subarray(start + 8, end), crc32(bytes.subarray(start, start + 4)));
}
