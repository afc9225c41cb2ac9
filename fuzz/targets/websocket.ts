import { crc32 } from 'node:zlib';
import { limits } from '../../packages/gateway/src/limits.ts';
import { HeldBytes } from '../../packages/gateway/src/session/held.ts';
import { type Message, Peer, PeerEnd } from '../../packages/gateway/src/websocket/peer.ts';
import { closeFrame, frame, opcodes } from '../../packages/testkit/src/hostile/websocket.ts';
import { must, type Target } from '../engine/target.ts';
import { MemorySocket } from '../readers/front.ts';
import { readFramesStrictly, type StrictFrame } from '../readers/websocket.ts';

const heldMax = 64 * 1024;
const bounds = {
  ...limits,
  // Within reach of an input; how many come in a second has nothing to do with what they are.
  websocketMessageBytesMax: 1_000,
  websocketFragmentsMax: 8,
  websocketMessagesPerSecondMax: 1_000_000,
};
const strictLimits = { bytesMax: bounds.websocketMessageBytesMax, fragmentsMax: bounds.websocketFragmentsMax };

export const target: Target = {
  name: 'websocket',
  about: 'frames of either side of a WebSocket, taken message by message, and written anew to the other side',
  oracle:
    'wherever the bytes are cut, the messages that are handed out, the pongs that go back and the way it ends are those of a second reader of RFC 6455; what is passed on reads as the same message; no memory is kept',
  lengthMax: 2_048,
  shortRuns: 1_500,
  dictionary: [0x81, 0x82, 0x80, 0x00, 0x01, 0x88, 0x89, 0x8a, 0x7e, 0x7f, 0xfe, 0xff, 0xf1, 0x83]
    .map((byte) => String.fromCharCode(byte))
    .concat(['\x88\x02\x03\xe8', '\x88\x82\0\0\0\0\x03\xe8', '\x03\xe8\xe2\x82', '\xe2\x82\xac', '\xed\xa0\x80']),
  seeds: () => [server, client].flatMap((side) => seedsOf(side)),

  async run(input, feedback) {
    const [first = 0] = input;
    const masked = (first & 1) === client;
    const bytes = Buffer.from(input.subarray(1));
    const strict = readFramesStrictly(bytes, masked, strictLimits);
    const kinds = strict.frames.slice(0, 3).map(({ kind }) => kind);
    feedback.note(`${strict.stopped} ${kinds.join()}`);
    for (const cut of [0, crc32(bytes) % (bytes.length + 1)]) {
      const { messages, end, written, left } = await serve(Buffer.from(bytes), masked, cut);
      feedback.note(`${end.code} ${end.closeCode}`);
      must(left, 'memory is kept behind the end');
      const expected = strict.frames.filter(({ kind }) => kind !== 'ping' && kind !== 'pong');
      must(same(messages, expected), 'other messages', messages, expected, strict.stopped);
      const closes = messages.at(-1)?.opcode === 'close';
      const { code, closeCode } = closes ? { code: 'websocket-closed', closeCode: null } : ends[strict.stopped ?? 'no'];
      must(end.code === code && end.closeCode === closeCode, 'another end', end.code, end.closeCode, strict.stopped);
      checkPongs(written, masked, strict.frames);
      for (const message of messages) await checkPassedOn(message, masked);
    }
  },
};

const server = 0;
const client = 1;

function seedsOf(side: number): Uint8Array[] {
  const m = side === client;
  const rows = [
    [frame(opcodes.text, 'hello', m), frame(opcodes.ping, 'p', m), closeFrame(1000, 'bye', m)],
    [frame(opcodes.text, 'caf', m, { fin: false }), frame(opcodes.pong, '', m), frame(0, '\u00e9', m)],
    [frame(opcodes.binary, Buffer.alloc(200, 7), m), frame(opcodes.close, '', m)],
    [frame(opcodes.binary, 'x', m, { wide: true }), closeFrame(4000, '', m), frame(opcodes.text, 'late', m)],
  ];
  return rows.map((frames) => Buffer.concat([Buffer.from([side]), ...frames]));
}

const ends = {
  no: { code: 'stream-cut', closeCode: null },
  rules: { code: 'websocket-protocol', closeCode: 1002 },
  utf8: { code: 'websocket-protocol', closeCode: 1007 },
  large: { code: 'websocket-too-large', closeCode: 1009 },
  fragments: { code: 'websocket-flood', closeCode: 1008 },
} as const;

interface Served {
  readonly messages: readonly Message[];
  readonly end: PeerEnd;
  readonly written: Buffer;
  /** All that was held was given back. */
  readonly left: boolean;
}

/** One side as the bridge drives it: a message at a time, and the same close frame back. The bytes are unmasked where they stand. */
async function serve(bytes: Buffer, masked: boolean, cut: number): Promise<Served> {
  const socket = new MemorySocket();
  const held = new HeldBytes(heldMax);
  const peer = peerOn(socket, masked ? 'server' : 'client', held, bytes.subarray(0, cut));
  const messages: Message[] = [];
  const pushing = new Promise<void>((resolve) => {
    setImmediate(() => {
      if (cut < bytes.length && !socket.destroyed) socket.push(bytes.subarray(cut));
      setImmediate(() => {
        if (!socket.destroyed) socket.push(null);
        resolve();
      });
    });
  });
  try {
    for (;;) {
      const message = await peer.next();
      messages.push(message);
      if (message.opcode === 'close') peer.close(message.code === null || message.code === 1005 ? 1000 : message.code);
    }
  } catch (error: unknown) {
    if (!(error instanceof PeerEnd)) throw error;
    await pushing;
    peer.drop();
    socket.destroy();
    await socket.ended;
    return { messages, end: error, written: Buffer.concat(socket.written), left: held.take(heldMax) };
  }
}

function peerOn(socket: MemorySocket, role: 'client' | 'server', held: HeldBytes, head: Buffer): Peer {
  return new Peer({ socket, head, role, limits: bounds, held, now: () => 0 });
}

function same(messages: readonly Message[], frames: readonly StrictFrame[]): boolean {
  return (
    messages.length === frames.length &&
    messages.every(({ opcode, code, data }, i) => {
      const other = frames[i];
      return other !== undefined && opcode === other.kind && code === other.code && data.equals(other.data);
    })
  );
}

/** Of our own we send nothing but pongs and, at the end, a close frame. */
function checkPongs(written: Buffer, masked: boolean, frames: readonly StrictFrame[]): void {
  const ours = readFramesStrictly(written, !masked, strictLimits);
  must(ours.stopped === null, 'we wrote what is no frame', written, ours.stopped);
  const pongs = ours.frames.filter(({ kind }) => kind !== 'close');
  const pings = frames.filter(({ kind }) => kind === 'ping');
  must(
    pongs.length === pings.length &&
      pongs.every(({ kind, data }, i) => kind === 'pong' && data.equals(pings[i]?.data ?? data)),
    'other pongs than pings',
    pongs,
    pings,
  );
}

/** What the other side reads is the same message, masked where it must be. */
async function checkPassedOn(message: Message, masked: boolean): Promise<void> {
  const socket = new MemorySocket();
  const peer = peerOn(socket, masked ? 'client' : 'server', new HeldBytes(heldMax), Buffer.alloc(0));
  // A close frame that says nothing is passed on as one that says that all is well.
  const sent = message.code === 1005 ? { ...message, code: 1000 } : message;
  if (sent.opcode === 'close') peer.close(sent.code ?? 1000, sent.data);
  else await peer.send(sent);
  const read = readFramesStrictly(Buffer.concat(socket.written), masked, strictLimits);
  socket.destroy();
  await socket.ended;
  must(read.stopped === null && same([sent], read.frames), 'passed on as another', read, sent);
}
