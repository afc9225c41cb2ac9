import { CordonError } from './error.ts';
import { limits } from './limits.ts';

/**
 * The byte stream that `GET /v1/sessions/{id}/attach` upgrades to (`Upgrade: cordon-attach/1`), unchanged from the
 * supervisor to the client. Each frame: 1 byte type, 4 bytes big-endian length, payload.
 * Client to session: `stdin` (empty payload = end of input), `signal` (name), `resize` (JSON {cols, rows}).
 * Session to client: `stdout`, `stderr`, `notice` (JSON, Cordon's own words), `exit` (JSON {status, reason}), always last.
 */
export const attachFrameTypes = { stdin: 0, stdout: 1, stderr: 2, signal: 3, resize: 4, notice: 5, exit: 6 } as const;
export type AttachFrameType = keyof typeof attachFrameTypes;

export interface AttachFrame {
  readonly type: AttachFrameType;
  readonly payload: Uint8Array;
}

/** Why a command ended, as far as Cordon knows: by itself, or stopped (`killed` carries the person's reason). */
export interface ExitReport {
  /** The command's own status, 128 + signal number when a signal ended it, 137 when it was killed. */
  readonly status: number;
  readonly reason: 'exited' | 'signaled' | 'killed' | 'lost';
  readonly signal: string | null;
  readonly detail: string | null;
}

const typesByNumber = Object.keys(attachFrameTypes) as readonly AttachFrameType[];
const headBytes = 5;

/** One frame, or several where the payload is larger than one frame may be. */
export function encodeAttachFrames(type: AttachFrameType, payload: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let at = 0;
  do {
    const part = payload.subarray(at, at + limits.attachFrameBytesMax);
    const frame = new Uint8Array(headBytes + part.length);
    frame[0] = attachFrameTypes[type];
    new DataView(frame.buffer).setUint32(1, part.length);
    frame.set(part, headBytes);
    frames.push(frame);
    at += part.length;
  } while (at < payload.length);
  return frames;
}

/** Cuts a byte stream into frames. A wrong type or length is a broken or hostile peer: the stream must be closed. */
export class AttachDecoder {
  #buffer: Uint8Array = new Uint8Array(0);

  /** @throws CordonError `attach-malformed` */
  push(chunk: Uint8Array): AttachFrame[] {
    const bytes = this.#buffer.length === 0 ? chunk : concat(this.#buffer, chunk);
    const frames: AttachFrame[] = [];
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const type = typesByNumber[bytes[at] ?? 255];
      const length = new DataView(bytes.buffer, bytes.byteOffset + at + 1, 4).getUint32(0);
      if (type === undefined || length > limits.attachFrameBytesMax) {
        throw new CordonError('attach-malformed', 'attach stream: frame of unknown type or over the size limit');
      }
      if (bytes.length - at - headBytes < length) break;
      frames.push({ type, payload: bytes.slice(at + headBytes, at + headBytes + length) });
      at += headBytes + length;
    }
    this.#buffer = bytes.slice(at);
    return frames;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
