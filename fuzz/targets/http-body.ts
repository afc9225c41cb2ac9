import { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { send } from '../../packages/egress/src/exchange.ts';
import type { Pin } from '../../packages/egress/src/pin.ts';
import type { Pool } from '../../packages/egress/src/pool.ts';
import { readBody } from '../../packages/gateway/src/http/body.ts';
import { type Head, readHead } from '../../packages/gateway/src/http/head.ts';
import { forwardedHeaders } from '../../packages/gateway/src/http/headers.ts';
import { readPayload } from '../../packages/gateway/src/http/payload.ts';
import { limits } from '../../packages/gateway/src/limits.ts';
import { isRefusal } from '../../packages/gateway/src/refuse/refusal.ts';
import { HeldBytes, Holding } from '../../packages/gateway/src/session/held.ts';
import { type Feedback, must, type Target, text } from '../engine/target.ts';
import { MemoryFront, MemorySocket } from '../readers/front.ts';
import { readStrictly, type StrictMessage } from '../readers/http1.ts';

const rules = { isOwnName: () => false, bodyOnRead: () => true };
const post = 'POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n';
const zipped = gzipSync('{"a":1}').toString('latin1');

let front: MemoryFront;

export const target: Target = {
  name: 'http-body',
  about: 'whole connections: framing, codings, several requests one after the other, and what is written upstream',
  oracle:
    'wherever the bytes are cut, the requests that are served are the first ones that a strict second reader finds, with the same bodies; and upstream goes one message with exactly that body',
  lengthMax: 4096,
  shortRuns: 1200,
  dictionary: [
    ...[
      'Transfer-Encoding: chunked\r\n',
      'Content-Length: 5\r\n',
      '\r\n0\r\n\r\n',
      '1\r\nx\r\n',
      '0\r\n',
      ';a=b',
      ';a="b"',
    ],
    ...[
      'Content-Encoding: gzip\r\n',
      'Content-Type: application/json\r\n',
      'Connection: close\r\n',
      'HTTP/1.0',
      '\n',
      '\r',
    ],
    ...[
      'chunked',
      ', ',
      'identity',
      'x-gzip',
      'Content-Length: 0\r\n',
      '+5',
      '0x',
      'ffffffff',
      'Expect: 100-continue\r\n',
    ],
    ...[post, 'GET http://a.example/b HTTP/1.1\r\nHost: a.example\r\n\r\n', zipped],
  ],
  seeds: () =>
    [
      `${post}Content-Length: 5\r\n\r\nhello${post}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x="y"\r\nde\r\n0\r\nT: v\r\n\r\n`,
      `${post}Content-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: ${zipped.length}\r\n\r\n${zipped}`,
      `${post}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\nGET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n`,
      `${post}Content-Length: 0\r\nConnection: close\r\n\r\n${post}\r\n`,
    ].map(text),

  async open() {
    front = new MemoryFront();
  },
  async close() {
    front[Symbol.dispose]();
  },
  async run(input, feedback) {
    const bytes = Buffer.from(input);
    const { messages, stopped } = readStrictly(bytes);
    // Where the kernel cuts a stream is chance, so one place that the input itself chooses stands for all. Rubbish behind
    // a request may end the connection before that is served, so the number may differ, but never what they are.
    for (const cut of [0, 1 + (crc32(bytes) % Math.max(1, bytes.length))]) {
      const served = await serve(bytes, cut, feedback);
      must(served.length <= messages.length, 'more is served than a strict reader finds', stopped, served, messages);
      for (const [i, one] of served.entries()) checkServed(one, messages[i]);
    }
  },
};

function checkServed(one: Served, strict: StrictMessage | undefined): void {
  must(strict !== undefined && one.head.method === strict.method, 'another request', one.head, strict);
  const body = one.head.framing.kind === 'none' ? null : strict.body;
  must((one.bytes === null) === (body === null), 'a body where there is none', one, strict);
  must((one.bytes ?? nothing).equals(strict.body ?? nothing), 'another body', one, strict);
  const { messages, stopped } = readStrictly(one.upstream);
  const [message] = messages;
  must(message !== undefined && messages.length === 1, 'not one message upstream', one.upstream, stopped);
  must(message.method === one.head.method && !message.chunked, 'another message upstream', one.upstream);
  must((message.body ?? nothing).equals(one.bytes ?? nothing), 'what goes upstream is not what came', one);
}

const nothing = Buffer.alloc(0);

interface Served {
  readonly head: Head;
  readonly bytes: Buffer | null;
  readonly upstream: Buffer;
}

/** What the gateway does with each request, up to the socket of the upstream. */
async function serve(bytes: Buffer, cut: number, feedback: Feedback): Promise<Served[]> {
  const served: Served[] = [];
  await front.serve(
    bytes,
    {
      request: async (request, response) => {
        const head = readHead(request.wire, { kind: 'proxy' }, rules);
        if (isRefusal(head) || head.upgrade) return false;
        if (head.expectContinue) response.writeContinue();
        let busy = 0;
        const begin = (): void => {
          busy = 1;
          front.busy += busy;
        };
        if (head.framing.kind === 'none') begin();
        else request.body.once('end', begin);
        const held = new HeldBytes(limits.bodyBytesHeldPerSessionMax);
        using holding = new Holding(held);
        try {
          const body = await readBody(request.body, head.framing, head.headers, limits, holding);
          const payload = isRefusal(body) ? body : readPayload(body);
          feedback.note(isRefusal(payload) ? payload.code : payload.kind);
          if (isRefusal(body) || isRefusal(payload)) return false;
          checkCoding(head, body.bytes ?? Buffer.alloc(0), body.readable);
          served.push({ head, bytes: body.bytes, upstream: await sent(head, body.bytes) });
        } catch (error: unknown) {
          if ((error as { code?: string }).code === 'client-gone') return false;
          throw error;
        } finally {
          front.busy -= busy;
        }
        response.end();
        return true;
      },
      connect: () => undefined,
      refused: (code) => feedback.note(code),
    },
    cut,
  );
  return served;
}

function checkCoding(head: Head, coded: Buffer, readable: Buffer): void {
  const coding = head.headers
    .find(([name]) => name.toLowerCase() === 'content-encoding')?.[1]
    .toLowerCase()
    .trim();
  if (coding === undefined || coding === 'identity' || coding === '') must(readable.equals(coded), 'read otherwise');
  else if (coding.endsWith('gzip') && coded.length > 0)
    must(readable.equals(gunzipSync(coded)), 'unpacked otherwise', coded);
}

/** The bytes that egress writes to its socket. */
async function sent(head: Head, body: Buffer | null): Promise<Buffer> {
  const socket = new MemorySocket();
  class OneSocket extends Agent {
    override createConnection(): Duplex {
      return socket;
    }
  }
  const pin = { ...head.endpoint, addresses: ['127.0.0.1'], classes: [] } as unknown as Pin;
  const outgoing = { method: head.method, target: '/', headers: forwardedHeaders(head.headers) };
  // The pool dials; what is written to its socket is the same on any socket.
  const pool = new OneSocket() as unknown as Pool;
  const sending = send(outgoing, pin, body, {
    pool,
    keepAlive: false,
    firstByteTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    attempts: 1,
    signals: [],
  });
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  socket.push('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
  const answer = await sending;
  answer.body.resume();
  socket.destroy();
  return Buffer.concat(socket.written);
}
