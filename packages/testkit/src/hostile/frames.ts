/**
 * HTTP/2 frames written byte by byte (RFC 9113 §4, RFC 7541), right ones and wrong ones: no library would send the
 * second kind. Nothing is Huffman-coded and nothing is indexed unless a row asks for it.
 */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  /** Of no meaning (RFC 9113 §5.5: ignored). */
  unknown: 0x7f,
} as const;

export const flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;

/** RFC 9113 §7. */
export const errorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
  http11Required: 13,
} as const;

export type Fields = ReadonlyArray<readonly [name: string, value: string]>;

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function settings(pairs: ReadonlyArray<readonly [id: number, value: number]> = []): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}

export const settingsAck: Buffer = frame(frameType.settings, flag.ack, 0);

/** What every conversation begins with (RFC 9113 §3.4). */
export const hello: Buffer = Buffer.concat([preface, settings()]);

export function headers(stream: number, fields: Fields, options: { readonly end?: boolean } = {}): Buffer {
  const flags = flag.endHeaders | (options.end === false ? 0 : flag.endStream);
  return frame(frameType.headers, flags, stream, block(fields));
}

export function data(stream: number, text: string | Uint8Array, options: { readonly end?: boolean } = {}): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  return frame(frameType.data, options.end === false ? 0 : flag.endStream, stream, bytes);
}

export function ping(ack = false): Buffer {
  return frame(frameType.ping, ack ? flag.ack : 0, 0, Buffer.alloc(8));
}

export function reset(stream: number, error: number = errorCode.cancel): Buffer {
  return frame(frameType.rstStream, 0, stream, number(error));
}

export function windowUpdate(stream: number, increment: number): Buffer {
  return frame(frameType.windowUpdate, 0, stream, number(increment));
}

export function priority(stream: number, dependsOn = 0): Buffer {
  return frame(frameType.priority, 0, stream, Buffer.concat([number(dependsOn), Buffer.from([16])]));
}

export function goaway(lastStream: number, error: number): Buffer {
  return frame(frameType.goaway, 0, 0, Buffer.concat([number(lastStream), number(error)]));
}

export function repeat(times: number, of: (index: number) => Uint8Array): Buffer {
  return Buffer.concat(Array.from({ length: times }, (_, index) => of(index)));
}

/** A header block of literals that enter no table (RFC 7541 §6.2.2). */
export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** A literal that enters the dynamic table (RFC 7541 §6.2.1); the newest entry has index 62. */
export function indexedLiteral(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), text(name), text(value)]);
}

/** A reference to a table entry (RFC 7541 §6.1): one or two bytes that stand for a whole field. */
export function indexed(index: number): Buffer {
  return integer(index, 7, 0x80);
}

/** Sets the table's size (RFC 7541 §6.3). */
export function tableSize(bytes: number): Buffer {
  return integer(bytes, 5, 0x20);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7, 0), bytes]);
}

/** RFC 7541 §5.1. */
function integer(value: number, prefixBits: number, pattern: number): Buffer {
  const max = 2 ** prefixBits - 1;
  if (value < max) return Buffer.from([pattern | value]);
  const bytes = [pattern | max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The whole frames at the start of what came, and how many bytes they are. */
export function readFrames(bytes: Buffer): { readonly frames: readonly Frame[]; readonly length: number } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const length = bytes.readUIntBE(at, 3);
    if (bytes.length - at < 9 + length) break;
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({ type: bytes[at + 3] ?? 0, flags: bytes[at + 4] ?? 0, stream: bytes.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  return { frames, length: at };
}
