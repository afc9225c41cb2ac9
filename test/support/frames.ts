import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** One frame of a journal, as whoever tampers with files sees it. */
export interface RawFrame {
  readonly synced: bigint;
  readonly entry: string;
}

export function readFrames(path: string): RawFrame[] {
  const bytes = readFileSync(path);
  const frames: RawFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 16 + bytes.readUInt32BE(at);
    frames.push({ synced: bytes.readBigUInt64BE(at + 8), entry: bytes.subarray(at + 16, end).toString() });
    at = end;
  }
  return frames;
}

/** Lengths and checksums fit whatever is written. */
export function writeFrames(path: string, frames: readonly RawFrame[]): void {
  writeFileSync(path, Buffer.concat(frames.map(toBytes)));
}

function toBytes({ synced, entry }: RawFrame): Buffer {
  const text = Buffer.from(entry);
  const frame = Buffer.alloc(16 + text.length);
  frame.writeUInt32BE(text.length, 0);
  frame.writeBigUInt64BE(synced, 8);
  frame.set(text, 16);
  frame.writeUInt32BE(crc32(frame.subarray(8), crc32(frame.subarray(0, 4))), 4);
  return frame;
}

/** Changes one frame in place. */
export function changeFrame(path: string, index: number, change: (frame: RawFrame) => RawFrame): void {
  const frames = readFrames(path);
  writeFrames(
    path,
    frames.map((frame, i) => (i === index ? change(frame) : frame)),
  );
}

/** Turns one bit. */
export function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}
