/** Writers of WebSocket frames (RFC 6455 §5.2), each free to write what no peer may. */
export interface FrameChange {
  readonly fin?: boolean;
  /** RSV1 to RSV3 as three bits. */
  readonly rsv?: number;
  /** Declared instead of the real length. */
  readonly length?: bigint;
  /** Length written in more bytes than it needs. */
  readonly wide?: boolean;
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export function frame(opcode: number, data: Buffer | string, masked: boolean, change: FrameChange = {}): Buffer {
  const payload = Buffer.from(data);
  const length = change.length ?? BigInt(payload.length);
  const first = (change.fin === false ? 0 : 0x80) | ((change.rsv ?? 0) << 4) | opcode;
  const flag = masked ? 0x80 : 0;
  const head = lengthOf(length, change.wide === true);
  head[0] = (head[0] ?? 0) | flag;
  if (!masked) return Buffer.concat([Buffer.from([first]), head, payload]);
  const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  const hidden = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([first]), head, mask, hidden]);
}

function lengthOf(length: bigint, wide: boolean): Buffer {
  if (length < 126n && !wide) return Buffer.from([Number(length)]);
  if (length < 65_536n && !wide) {
    const bytes = Buffer.from([126, 0, 0]);
    bytes.writeUInt16BE(Number(length), 1);
    return bytes;
  }
  const bytes = Buffer.alloc(9);
  bytes[0] = 127;
  bytes.writeBigUInt64BE(length, 1);
  return bytes;
}

export function closeFrame(code: number, reason: Buffer | string, masked: boolean): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return frame(opcodes.close, Buffer.concat([head, Buffer.from(reason)]), masked);
}

export interface HostileMessage {
  readonly name: string;
  /** What follows the handshake; `masked` as that side must write it. */
  readonly bytes: (masked: boolean) => Buffer;
  /** RFC 6455 §7.4.1. */
  readonly closeCode: number;
}

const cut = Buffer.from([0xe2, 0x82]);

/** Frames that no side may send; the connection ends with this code and nothing of them is passed on. */
export const hostileMessages: readonly HostileMessage[] = [
  { name: 'masked where it must not be, or not where it must', bytes: (m) => frame(1, 'x', !m), closeCode: 1002 },
  { name: 'RSV1 without an extension', bytes: (m) => frame(1, 'x', m, { rsv: 4 }), closeCode: 1002 },
  { name: 'RSV2', bytes: (m) => frame(1, 'x', m, { rsv: 2 }), closeCode: 1002 },
  { name: 'RSV3', bytes: (m) => frame(2, 'x', m, { rsv: 1 }), closeCode: 1002 },
  { name: 'an unknown data opcode', bytes: (m) => frame(3, 'x', m), closeCode: 1002 },
  { name: 'an unknown control opcode', bytes: (m) => frame(11, 'x', m), closeCode: 1002 },
  { name: 'a continuation of nothing', bytes: (m) => frame(0, 'x', m), closeCode: 1002 },
  {
    name: 'a new message inside a fragmented one',
    bytes: (m) => Buffer.concat([frame(1, 'a', m, { fin: false }), frame(1, 'b', m)]),
    closeCode: 1002,
  },
  { name: 'a fragmented ping', bytes: (m) => frame(9, 'x', m, { fin: false }), closeCode: 1002 },
  { name: 'a fragmented close', bytes: (m) => frame(8, '', m, { fin: false }), closeCode: 1002 },
  { name: 'a ping of 126 bytes', bytes: (m) => frame(9, Buffer.alloc(126), m), closeCode: 1002 },
  { name: 'a close frame of one byte', bytes: (m) => frame(8, 'x', m), closeCode: 1002 },
  ...[0, 999, 1004, 1005, 1006, 1016, 2999, 5000, 65_535].map((code) => ({
    name: `a close frame with code ${code}`,
    bytes: (m: boolean) => closeFrame(code, '', m),
    closeCode: 1002,
  })),
  { name: 'a close reason that is no UTF-8', bytes: (m) => closeFrame(1000, cut, m), closeCode: 1007 },
  { name: 'text that is no UTF-8', bytes: (m) => frame(1, Buffer.from([0xff]), m), closeCode: 1007 },
  { name: 'text that ends within a character', bytes: (m) => frame(1, cut, m), closeCode: 1007 },
  {
    name: 'text whose fragments together are no UTF-8',
    bytes: (m) => Buffer.concat([frame(1, cut, m, { fin: false }), frame(0, 'x', m)]),
    closeCode: 1007,
  },
  { name: 'a surrogate in text', bytes: (m) => frame(1, Buffer.from([0xed, 0xa0, 0x80]), m), closeCode: 1007 },
  { name: 'a length of 2^63', bytes: (m) => frame(2, '', m, { length: 1n << 63n }), closeCode: 1009 },
  { name: 'a length of 2^53', bytes: (m) => frame(2, '', m, { length: 1n << 53n }), closeCode: 1009 },
  { name: 'a message of one byte over 1 MiB', bytes: (m) => frame(2, '', m, { length: 1_048_577n }), closeCode: 1009 },
  {
    name: 'fragments that together are over 1 MiB',
    bytes: (m) =>
      Buffer.concat([frame(2, Buffer.alloc(1_048_576), m, { fin: false }), frame(0, 'x', m, { fin: false })]),
    closeCode: 1009,
  },
  {
    name: 'a message of 5,000 fragments',
    bytes: (m) =>
      Buffer.concat([
        frame(2, 'x', m, { fin: false }),
        ...Array.from({ length: 5_000 }, () => frame(0, '', m, { fin: false })),
      ]),
    closeCode: 1008,
  },
  {
    name: '400 messages at once',
    bytes: (m) => Buffer.concat(Array.from({ length: 400 }, () => frame(1, '', m))),
    closeCode: 1008,
  },
  {
    name: '400 pings at once',
    bytes: (m) => Buffer.concat(Array.from({ length: 400 }, () => frame(9, '', m))),
    closeCode: 1008,
  },
];

/** Answers to a handshake that agree to something else than was asked; `accept` is the right one. */
export const hostileSwitches: readonly { readonly name: string; readonly head: (accept: string) => string }[] = [
  { name: 'no Sec-WebSocket-Accept', head: () => switching([]) },
  { name: 'the accept of another key', head: () => switching(['Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']) },
  {
    name: 'Sec-WebSocket-Accept twice',
    head: (accept) => switching([`Sec-WebSocket-Accept: ${accept}`, `Sec-WebSocket-Accept: ${accept}`]),
  },
  {
    name: 'an extension that was not offered',
    head: (accept) => switching([`Sec-WebSocket-Accept: ${accept}`, 'Sec-WebSocket-Extensions: permessage-deflate']),
  },
  {
    name: 'a subprotocol that was not offered',
    head: (accept) => switching([`Sec-WebSocket-Accept: ${accept}`, 'Sec-WebSocket-Protocol: other']),
  },
  {
    name: 'two subprotocols',
    head: (accept) =>
      switching([`Sec-WebSocket-Accept: ${accept}`, 'Sec-WebSocket-Protocol: chat', 'Sec-WebSocket-Protocol: chat']),
  },
  { name: 'another protocol', head: (accept) => switching([`Sec-WebSocket-Accept: ${accept}`], 'h2c') },
  {
    name: 'no Connection: Upgrade',
    head: (accept) =>
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nConnection: keep-alive\r\n\r\n`,
  },
];

function switching(more: readonly string[], upgrade = 'websocket'): string {
  const lines = ['HTTP/1.1 101 Switching Protocols', `Upgrade: ${upgrade}`, 'Connection: Upgrade', ...more];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
