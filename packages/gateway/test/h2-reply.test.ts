import { type ClientHttp2Stream, connect, constants, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { h2 } from '@cordon/testkit/hostile';
import { describe, expect, it } from 'vitest';
import { H2Reply } from '../src/listen/h2-reply.ts';

/** One stream without TLS, from both of its ends. */
async function withStream(
  work: (stream: ServerHttp2Stream, client: ClientHttp2Stream) => Promise<void>,
): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    const client = session.request({ ':path': '/' });
    client.on('error', () => undefined);
    const stream = await new Promise<ServerHttp2Stream>((resolve) => server.once('stream', resolve));
    stream.on('error', () => undefined);
    await work(stream, client);
  } finally {
    session.destroy();
    server.close();
  }
}

/** One stream, with the frames that its client gets. */
async function withFrames(work: (reply: H2Reply, frames: () => readonly h2.Frame[]) => Promise<void>): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
    const opened = new Promise<ServerHttp2Stream>((resolve) => server.once('stream', resolve));
    const fields: h2.Fields = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'a.example'],
      [':path', '/'],
    ];
    socket.write(Buffer.concat([h2.hello, h2.settingsAck, h2.headers(1, fields)]));
    const stream = await opened;
    stream.on('error', () => undefined);
    await work(new H2Reply(stream, watch), () => h2.readFrames(bytes).frames);
  } finally {
    socket.destroy();
    server.close();
  }
}

const watch = { wrote: () => undefined, broken: () => false };

it.each([
  ['CANCEL', constants.NGHTTP2_CANCEL],
  ['NO_ERROR', constants.NGHTTP2_NO_ERROR],
])('an answer that ends behind a reset with %s has not been sent', async (_name, code) => {
  await withStream(async (stream, client) => {
    const reply = new H2Reply(stream, watch);
    let sent = false;
    // Node ends the writable side by itself when a reset comes; our own end comes right behind it.
    stream.once('aborted', () =>
      reply.end(undefined, () => {
        sent = true;
      }),
    );
    reply.writeHead(200, undefined, []);
    client.once('response', () => client.close(code));
    await new Promise((resolve) => stream.once('close', resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect([reply.writableFinished, sent]).toEqual([false, false]);
  });
});

describe('parts of an answer', () => {
  const bodyOf = (frames: readonly h2.Frame[]) =>
    frames
      .filter(({ type }) => type === h2.frameType.data)
      .map(({ payload, flags }) => [payload.toString(), (flags & h2.flag.endStream) !== 0]);

  it('the last one carries the end, where that comes right behind it', async () => {
    await withFrames(async (reply, frames) => {
      reply.writeHead(200, undefined, []);
      reply.write(Buffer.from('first '));
      expect(reply.writableLength).toBeGreaterThan(0);
      reply.write(Buffer.from('last'));
      reply.end();
      await expect.poll(() => bodyOf(frames()).at(-1)?.[1]).toBe(true);
      expect(bodyOf(frames())).toEqual([
        ['first ', false],
        ['last', true],
      ]);
    });
  });

  it('one that is followed by nothing is not held back', async () => {
    await withFrames(async (reply, frames) => {
      reply.writeHead(200, undefined, []);
      reply.write(Buffer.from('event'));
      await expect.poll(() => bodyOf(frames())).toEqual([['event', false]]);
      reply.end(Buffer.from('end'));
      await expect
        .poll(() => bodyOf(frames()))
        .toEqual([
          ['event', false],
          ['end', true],
        ]);
    });
  });

  it('one that was cut off goes nowhere', async () => {
    await withFrames(async (reply, frames) => {
      reply.writeHead(200, undefined, []);
      reply.write(Buffer.from('half'));
      reply.destroy();
      await expect.poll(() => frames().some(({ type }) => type === h2.frameType.rstStream)).toBe(true);
      expect(bodyOf(frames())).toEqual([]);
    });
  });
});

it('an answer that was taken has been sent, and says so once', async () => {
  await withStream(async (stream, client) => {
    const reply = new H2Reply(stream, watch);
    let sent = 0;
    reply.writeHead(200, undefined, ['x', 'y']);
    reply.end(Buffer.from('whole'), () => {
      sent += 1;
    });
    client.resume();
    await new Promise((resolve) => client.once('close', resolve));
    await expect.poll(() => [reply.writableFinished, sent]).toEqual([true, 1]);
  });
});
