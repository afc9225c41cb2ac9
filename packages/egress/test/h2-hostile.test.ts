import { systemClock } from '@cordon/protocol';
import { h2, h2AnswerRows, h2BrokenBodies } from '@cordon/testkit/hostile';
import { afterEach, describe, expect, test } from 'vitest';
import { Upstreams } from '../src/index.ts';
import { ca, FrameServer, get, pinTo } from './h2-rig.ts';

const live = new AbortController().signal;
const open: Array<() => void> = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

function upstreams(): Upstreams {
  const made = new Upstreams({ clock: systemClock, extraCa: [ca.certificate] });
  open.push(() => made[Symbol.dispose]());
  return made;
}

async function serving(
  ...args: ConstructorParameters<typeof FrameServer>
): Promise<{ server: FrameServer; port: number }> {
  const server = new FrameServer(...args);
  open.push(() => server.close());
  return { server, port: await server.listen() };
}

const answerOf = (stream: number, text = 'ok'): Buffer =>
  Buffer.concat([h2.headers(stream, [[':status', '200']], { end: false }), h2.data(stream, text)]);

async function read(body: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const part of body) text += String(part);
  return text;
}

describe('answers of a hostile HTTP/2 server', () => {
  test.each(h2AnswerRows)('$name', async ({ bytes, code }) => {
    const { port } = await serving((stream) => bytes(stream));
    const out = upstreams();
    await expect(out.exchange(get(pinTo(port), { method: 'POST' }), live)).rejects.toMatchObject({ code });
  });

  test.each(h2BrokenBodies)('a body that ends in an error: $name', async ({ bytes }) => {
    const { port } = await serving((stream, socket) => {
      socket.write(bytes(stream));
      socket.end();
      return null;
    });
    const out = upstreams();
    const whole = async (): Promise<string> => read((await out.exchange(get(pinTo(port)), live)).body);
    await expect(whole()).rejects.toThrow();
  });

  test('a connection that is closed in the middle of a body', async () => {
    const { port } = await serving((stream, socket) => {
      const part = Buffer.concat([
        h2.headers(stream, [[':status', '200']], { end: false }),
        h2.data(stream, 'abc', { end: false }),
      ]);
      socket.write(part, () => socket.destroy());
      return null;
    });
    const out = upstreams();
    const whole = async (): Promise<string> => read((await out.exchange(get(pinTo(port)), live)).body);
    await expect(whole()).rejects.toThrow();
  });

  test('silence: the first byte, and the rest of a body, are waited for so long', async () => {
    const { port } = await serving((stream, _socket, nth) =>
      nth === 1 ? null : h2.headers(stream, [[':status', '200']], { end: false }),
    );
    const out = upstreams();
    const silent = out.exchange(get(pinTo(port), { firstByteTimeoutMs: 50 }), live);
    await expect(silent).rejects.toMatchObject({ code: 'upstream-first-byte' });
    const answer = await out.exchange(get(pinTo(port), { idleTimeoutMs: 50 }), live);
    await expect(read(answer.body)).rejects.toMatchObject({ code: 'upstream-idle' });
  });

  test('8 interim answers are none of the answer', async () => {
    const { port } = await serving((stream) =>
      Buffer.concat([h2.repeat(8, () => h2.headers(stream, [[':status', '103']], { end: false })), answerOf(stream)]),
    );
    const answer = await upstreams().exchange(get(pinTo(port)), live);
    expect(answer.status).toBe(200);
    expect(await read(answer.body)).toBe('ok');
  });

  test('RST_STREAM behind the end of an answer takes nothing away from it', async () => {
    const { port } = await serving((stream) => Buffer.concat([answerOf(stream), h2.reset(stream, h2.errorCode.none)]));
    const body = Buffer.from('x');
    const answer = await upstreams().exchange(get(pinTo(port), { method: 'POST', body }), live);
    expect(await read(answer.body)).toBe('ok');
  });

  test('a connection that ends behind whole answers takes nothing away from them, however late they are read', async () => {
    const { server, port } = await serving((_stream, socket, nth) => {
      if (nth === 2) socket.end(Buffer.concat([answerOf(1, 'x'.repeat(16_000)), answerOf(3)]));
      return null;
    });
    const out = upstreams();
    const [one, two] = await Promise.all([out.exchange(get(pinTo(port)), live), out.exchange(get(pinTo(port)), live)]);
    await expect.poll(() => server.closed).toBe(1);
    expect(await read(two.body)).toBe('ok');
    expect(await read(one.body)).toBe('x'.repeat(16_000));
    expect(server.connections).toBe(1);
  });

  test('trailers go nowhere', async () => {
    const { port } = await serving((stream) =>
      Buffer.concat([
        h2.headers(stream, [[':status', '200']], { end: false }),
        h2.data(stream, 'ok', { end: false }),
        h2.headers(stream, [['set-cookie', 'late=1']]),
      ]),
    );
    const answer = await upstreams().exchange(get(pinTo(port)), live);
    expect(await read(answer.body)).toBe('ok');
    expect(answer.headers).toEqual([]);
  });
});

describe('what a server did not process', () => {
  const refusals: ReadonlyArray<readonly [string, (stream: number) => Buffer]> = [
    ['REFUSED_STREAM', (stream) => h2.reset(stream, h2.errorCode.refusedStream)],
    ['GOAWAY before the stream', () => h2.goaway(0, h2.errorCode.none)],
  ];

  test.each(refusals)('%s: an idempotent request is sent once more', async (_name, bytes) => {
    const { server, port } = await serving((stream, _socket, nth) => (nth === 1 ? bytes(stream) : answerOf(stream)));
    const answer = await upstreams().exchange(get(pinTo(port), { retry: true }), live);
    expect(await read(answer.body)).toBe('ok');
    expect(answer.attempts).toBe(2);
    expect(server.streams).toHaveLength(2);
  });

  test.each(refusals)('%s: another one is not', async (_name, bytes) => {
    const { server, port } = await serving(bytes);
    const request = get(pinTo(port), { method: 'POST', retry: false });
    await expect(upstreams().exchange(request, live)).rejects.toMatchObject({ code: 'upstream-reset' });
    expect(server.streams).toHaveLength(1);
  });

  test.each(refusals)('%s: twice is enough', async (_name, bytes) => {
    const { server, port } = await serving(bytes);
    const request = get(pinTo(port), { retry: true });
    await expect(upstreams().exchange(request, live)).rejects.toMatchObject({ code: 'upstream-reset' });
    expect(server.streams).toHaveLength(2);
  });

  test('a reset for another reason is not sent again: it may have been acted upon', async () => {
    const { server, port } = await serving((stream) => h2.reset(stream, h2.errorCode.internal));
    const request = get(pinTo(port), { retry: true });
    await expect(upstreams().exchange(request, live)).rejects.toMatchObject({ code: 'upstream-reset' });
    expect(server.streams).toHaveLength(1);
  });

  test('GOAWAY after an answer: the next request opens a connection', async () => {
    const { server, port } = await serving((stream) => Buffer.concat([answerOf(stream), h2.goaway(stream, 0)]));
    const out = upstreams();
    for (let i = 0; i < 3; i++) expect(await read((await out.exchange(get(pinTo(port)), live)).body)).toBe('ok');
    expect(server.connections).toBe(3);
  });
});
