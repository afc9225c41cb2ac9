import { isUtf8 } from 'node:buffer';

/** A second reader of WebSocket frames, written from RFC 6455 §5 and §7.4 alone: no extension, no repair. */
export interface StrictFrame {
  readonly kind: 'text' | 'binary' | 'close' | 'ping' | 'pong';
  readonly data: Buffer;
  /** Of a close frame; 1005: it said nothing (§7.1.5). */
  readonly code: number | null;
}

export interface StrictFrames {
  /** Whole messages and control frames, in the order in which they were over. */
  readonly frames: readonly StrictFrame[];
  /** `rules` (§5), `utf8` (§8.1), `large`, `fragments`; null: the bytes end, or a close frame does. */
  readonly stopped: 'rules' | 'utf8' | 'large' | 'fragments' | null;
}

export interface StrictLimits {
  readonly bytesMax: number;
  readonly fragmentsMax: number;
}

class Stop extends Error {
  readonly why: NonNullable<StrictFrames['stopped']>;

  constructor(why: NonNullable<StrictFrames['stopped']>) {
    super(why);
    this.why = why;
  }
}

interface Fragments {
  readonly kind: 'text' | 'binary';
  readonly parts: Buffer[];
}

/** `masked`: as a client must write (§5.1), else as a server must. */
export function readFramesStrictly(bytes: Buffer, masked: boolean, limits: StrictLimits): StrictFrames {
  const frames: StrictFrame[] = [];
  let message: Fragments | null = null;
  let at = 0;
  try {
    for (;;) {
      const frame = readFrame(bytes, at, masked, message, limits);
      if (frame === null) return { frames, stopped: null };
      at = frame.next;
      const { data, opcode, fin } = frame;
      if (opcode >= 8) {
        frames.push(control(opcode, data));
        if (opcode === 8) return { frames, stopped: null };
        continue;
      }
      message ??= { kind: opcode === 1 ? 'text' : 'binary', parts: [] };
      message.parts.push(data);
      if (message.parts.length > limits.fragmentsMax) throw new Stop('fragments');
      if (!fin) continue;
      const whole = Buffer.concat(message.parts);
      if (message.kind === 'text' && !isUtf8(whole)) throw new Stop('utf8');
      frames.push({ kind: message.kind, data: whole, code: null });
      message = null;
    }
  } catch (error: unknown) {
    if (error instanceof Stop) return { frames, stopped: error.why };
    throw error;
  }
}

interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly data: Buffer;
  readonly next: number;
}

/** null: more bytes are needed. Each rule is broken by the first byte that shows it. */
function readFrame(bytes: Buffer, at: number, masked: boolean, open: Fragments | null, limits: StrictLimits) {
  const [first, second] = [bytes[at], bytes[at + 1]];
  if (first === undefined || second === undefined) return null;
  const opcode = first & 0x0f;
  const fin = (first & 0x80) !== 0;
  const short = second & 0x7f;
  const isControl = opcode >= 8;
  if ((first & 0x70) !== 0 || (opcode > 2 && opcode < 8) || opcode > 10) throw new Stop('rules');
  if (isControl && (!fin || short > 125 || (opcode === 8 && short === 1))) throw new Stop('rules');
  if (!isControl && (opcode === 0) !== (open !== null)) throw new Stop('rules');
  if (((second & 0x80) !== 0) !== masked) throw new Stop('rules');
  const head = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  if (bytes.length < head) return null;
  const length =
    short < 126 ? BigInt(short) : short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readBigUInt64BE(at + 2);
  const before = open?.parts.reduce((sum, part) => sum + part.length, 0) ?? 0;
  if (!isControl && BigInt(length) + BigInt(before) > BigInt(limits.bytesMax)) throw new Stop('large');
  const start = head + (masked ? 4 : 0);
  const next = start + Number(length);
  if (bytes.length < next) return null;
  const data = Buffer.from(bytes.subarray(start, next));
  if (masked) for (const [i, byte] of data.entries()) data[i] = byte ^ (bytes[head + (i % 4)] ?? 0);
  return { opcode, fin, data, next } satisfies Frame;
}

function control(opcode: number, data: Buffer): StrictFrame {
  if (opcode !== 8) return { kind: opcode === 9 ? 'ping' : 'pong', data, code: null };
  if (data.length === 0) return { kind: 'close', data, code: 1005 };
  const code = data.readUInt16BE(0);
  const reason = data.subarray(2);
  // §7.4.1 and its registry: 1004 to 1006 and 1015 never stand in a frame.
  const defined = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
  if (!defined) throw new Stop('rules');
  if (!isUtf8(reason)) throw new Stop('utf8');
  return { kind: 'close', data: reason, code };
}
