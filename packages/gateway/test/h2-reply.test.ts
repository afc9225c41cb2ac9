import { type ClientHttp2Stream, connect, constants, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
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
