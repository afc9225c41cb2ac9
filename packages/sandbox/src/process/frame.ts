import { CordonError } from '@cordon/protocol';
import type { SandboxErrorCode } from '../error.ts';

/** Control frames of the native program (native/launch/frame.h): four little-endian u32, type first. */
export const frameTypes = {
  guardKill: 0x101,
  open: 1,
  signal: 2,
  resize: 3,
  exec: 4,
  ready: 16,
  started: 17,
  failed: 18,
  exit: 19,
} as const;

export interface Frame {
  readonly type: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const frameBytes = 16;
const fromLauncher: ReadonlySet<number> = new Set([
  frameTypes.ready,
  frameTypes.started,
  frameTypes.failed,
  frameTypes.exit,
]);

export function encodeFrame(type: number, a = 0, b = 0, c = 0): Uint8Array {
  const bytes = new Uint8Array(frameBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of [type, a, b, c].entries()) view.setUint32(index * 4, value, true);
  return bytes;
}

/** Cuts the launcher's stream into frames. */
export class FrameDecoder {
  #rest: Uint8Array = new Uint8Array(0);

  /** @throws CordonError `launch-protocol` on a type that the launcher never sends */
  push(chunk: Uint8Array): Frame[] {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    const view = new DataView(bytes.buffer);
    const frames: Frame[] = [];
    let at = 0;
    for (; bytes.length - at >= frameBytes; at += frameBytes) {
      const word = (index: number): number => view.getUint32(at + index * 4, true);
      const frame = { type: word(0), a: word(1), b: word(2), c: word(3) };
      if (!fromLauncher.has(frame.type)) {
        throw new CordonError<SandboxErrorCode>('launch-protocol', `launcher: frame of unknown type ${frame.type}`);
      }
      frames.push(frame);
    }
    this.#rest = bytes.slice(at);
    return frames;
  }
}
