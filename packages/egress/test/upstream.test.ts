import { createServer as createHttp, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTcp, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { createServer as createTls } from 'node:tls';
import { inspect } from 'node:util';
import { systemClock, systemRandom } from '@cordon/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { createAuthority, Interception, type Pin, type UpstreamRequest, Upstreams } from '../src/index.ts';
import { limits } from '../src/limits.ts';

const live = new AbortController().signal;
const open: Array<() => void> = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

function pinTo(port: number, change: Partial<Pin> = {}): Pin {
  const scheme = change.scheme ?? 'http';
  return {
    scheme,
    host: 'a.example',
    port,
    origin: `${scheme}://a.example:${port}`,
    literal: false,
    addresses: ['127.0.0.1'],
    classes: ['loopback'],
    connectPort: port,
    expiresAt: Number.POSITIVE_INFINITY,
    override: false,
    ...change,
  } as Pin;
}

const upstreams = (extraCa: string[] = []): Upstreams => {
  const made = new Upstreams({ clock: systemClock, extraCa });
  open.push(() => made[Symbol.dispose]());
  return made;
};
const get = (pin: Pin, change: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  session: 'ses',
  pin,
  credential: null,
  method: 'GET',
  target: '/',
  headers: [],
  body: null,
  retry: false,
  ...change,
});

async function read(body: Readable): Promise<string> {
  let text = '';
  for await (const part of body) text += String(part);
  return text;
}

function listening(server: {
  listen(port: number, address: string, done: () => void): unknown;
  address(): unknown;
  close(): unknown;
}): Promise<number> {
  open.push(() => server.close());
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
}

const http = (handler: RequestListener): Promise<number> => listening(createHttp(handler));

/** A server that answers each request on a connection with the next of `answers`, byte for byte. */
async function raw(
  answers: Array<string | ((socket: Socket) => void)>,
): Promise<{ port: number; seen: string[]; connections: number[] }> {
  const seen: string[] = [];
  const connections: number[] = [];
  const server = createTcp((socket) => {
    connections.push(connections.length);
    socket.on('error', () => undefined);
    socket.on('data', (part) => {
      seen.push(part.toString('latin1'));
      const answer = answers[seen.length - 1];
      if (typeof answer === 'string') socket.write(answer, 'latin1');
      else answer?.(socket);
    });
  });
  return { port: await listening(server), seen, connections };
}

describe('what goes out', () => {
  test('the request line and headers exactly as written, own Host and framing', async () => {
    const server = await raw(['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok']);
    const answer = await upstreams().exchange(
      get(pinTo(server.port), {
        method: 'POST',
        target: '/a%20b?x=1&x=2',
        headers: [
          ['X-Case', '1'],
          ['x-case', '2'],
          ['ACCEPT', '*/*'],
          ['X-Latin', 'caf\xe9'],
        ],
        body: Buffer.from('{"a":1}'),
      }),
      live,
    );
    expect(await read(answer.body)).toBe('ok');
    expect(server.seen.join('')).toBe(
      `POST /a%20b?x=1&x=2 HTTP/1.1\r\nHost: a.example:${server.port}\r\nX-Case: 1\r\nx-case: 2\r\nACCEPT: */*\r\nX-Latin: caf\xe9\r\n` +
        'Content-Length: 7\r\nConnection: keep-alive\r\n\r\n{"a":1}',
    );
  });

  test('no body: none is framed for GET, a length of 0 for POST', async () => {
    const server = await raw(Array(2).fill('HTTP/1.1 204 No Content\r\n\r\n'));
    const out = upstreams();
    for (const method of ['GET', 'POST'])
      await read((await out.exchange(get(pinTo(server.port), { method }), live)).body);
    expect(server.seen[0]).not.toMatch(/content-length|transfer-encoding/i);
    expect(server.seen[1]).toMatch(/\r\nContent-Length: 0\r\n/);
  });

  test('the default port is not written, and literals stand in brackets', async () => {
    const server = await raw(Array(3).fill('HTTP/1.1 204 No Content\r\n\r\n'));
    const out = upstreams();
    const pins = [
      pinTo(server.port, { port: 80, origin: 'http://a.example:80' }),
      pinTo(server.port, { host: '2001:db8::1', literal: true, port: 80, origin: 'http://[2001:db8::1]:80' }),
      pinTo(server.port, { port: 443, origin: 'http://a.example:443' }),
    ];
    for (const pin of pins) await read((await out.exchange(get(pin), live)).body);
    expect(server.seen.map((text) => /Host: (.*)\r/.exec(text)?.[1])).toEqual([
      'a.example',
      '[2001:db8::1]',
      'a.example:443',
    ]);
  });

  test.each<[string, Partial<UpstreamRequest>]>([
    ['Host', { headers: [['Host', 'b.example']] }],
    ['hOST', { headers: [['hOST', 'b.example']] }],
    ['Content-Length', { headers: [['Content-Length', '3']] }],
    ['Transfer-Encoding', { headers: [['Transfer-Encoding', 'chunked']] }],
    ['Connection', { headers: [['Connection', 'close']] }],
    ['Upgrade', { headers: [['Upgrade', 'h2c']] }],
    ['Expect', { headers: [['Expect', '100-continue']] }],
    ['Proxy-Authorization', { headers: [['Proxy-Authorization', 'x']] }],
    ['line end in a value', { headers: [['X', 'a\r\nY: b']] }],
    ['NUL in a value', { headers: [['X', 'a\0']] }],
    ['wide character', { headers: [['X', '\u{100}']] }],
    ['space in a name', { headers: [['X ', 'a']] }],
    ['line end in a name', { headers: [['X\r\nY', 'a']] }],
    ['empty name', { headers: [['', 'a']] }],
    ['space in the target', { target: '/a b' }],
    ['line end in the target', { target: '/a\r\nX: y' }],
    ['absolute target', { target: 'http://b.example/' }],
    ['no target', { target: '' }],
    ['CONNECT', { method: 'CONNECT' }],
    ['TRACE', { method: 'TRACE' }],
    ['lower-case method', { method: 'get' }],
    ['method with a line end', { method: 'GET / HTTP/1.1\r\nX:' }],
    ['*', { target: '*' }],
  ])('%s is refused before anything is dialled', async (_, change) => {
    await expect(upstreams().exchange(get(pinTo(1), change), live)).rejects.toMatchObject({ code: 'request-framing' });
  });
});

describe('sockets', () => {
  const counting = async (): Promise<{ port: number; sockets: Set<Socket> }> => {
    const sockets = new Set<Socket>();
    const port = await http((request, response) => {
      sockets.add(request.socket);
      response.end('ok');
    });
    return { port, sockets };
  };

  test('one is used again by the same session, origin, credential and addresses', async () => {
    const { port, sockets } = await counting();
    const out = upstreams();
    const reused: boolean[] = [];
    for (let i = 0; i < 3; i++) {
      const answer = await out.exchange(get(pinTo(port)), live);
      reused.push(answer.reused);
      expect(answer.address).toBe('127.0.0.1');
      await read(answer.body);
    }
    expect(reused).toEqual([false, true, true]);
    expect(sockets.size).toBe(1);
  });

  test.each<[string, (port: number) => Partial<UpstreamRequest>]>([
    ['session', () => ({ session: 'other' })],
    ['credential', () => ({ credential: 'github' })],
    ['addresses', (port) => ({ pin: pinTo(port, { addresses: ['127.0.0.2'] }) })],
    ['origin', (port) => ({ pin: pinTo(port, { host: 'b.example', origin: `http://b.example:${port}` }) })],
    ['override', (port) => ({ pin: pinTo(port, { override: true }) })],
  ])('none is shared with another %s', async (_, change) => {
    const { port, sockets } = await counting();
    const server = out(port);
    open.push(() => server.close());
    const made = upstreams();
    await read((await made.exchange(get(pinTo(port)), live)).body);
    await read((await made.exchange(get(pinTo(port), change(port)), live)).body);
    expect(sockets.size).toBeGreaterThanOrEqual(1);
    expect(server.connections + sockets.size).toBe(2);
  });

  /** The same port at 127.0.0.2, for pins that moved. */
  function out(port: number): { connections: number; close(): void } {
    const state = { connections: 0, close: (): void => undefined };
    const server = createHttp((_, response) => {
      state.connections += 1;
      response.end('ok');
    });
    server.listen(port, '127.0.0.2');
    state.close = () => server.close();
    return state;
  }

  test('a stop destroys every socket of the session, also under an answer, and of no other', async () => {
    let closed = 0;
    const port = await http((request, response) => {
      request.socket.once('close', () => {
        closed += 1;
      });
      response.write('first');
    });
    const made = upstreams();
    const mine = await made.exchange(get(pinTo(port)), live);
    const other = await made.exchange(get(pinTo(port), { session: 'other' }), live);
    const ended = read(mine.body);
    made.closeSession('ses');
    await expect(ended).rejects.toMatchObject({ code: 'upstream-aborted' });
    expect(other.body.destroyed).toBe(false);
    await expect.poll(() => closed).toBe(1);
    other.body.destroy();
  });

  test('a stop while the connection is being made refuses the request', async () => {
    const server = createTls({}, () => undefined);
    const silent = createTcp(() => undefined);
    const port = await listening(silent);
    server.close();
    const made = upstreams();
    const answer = made.exchange(get(pinTo(port, { scheme: 'https' })), live);
    setTimeout(() => made.closeSession('ses'), 20);
    await expect(answer).rejects.toMatchObject({ code: 'upstream-closed' });
  });

  test('the caller can give up, before and under the answer', async () => {
    const port = await http((request, response) => {
      if (request.url === '/wait') return;
      response.write('first');
    });
    const made = upstreams();
    for (const target of ['/wait', '/flow']) {
      const stop = new AbortController();
      const answer = made.exchange(get(pinTo(port), { target }), stop.signal);
      if (target === '/wait') {
        setTimeout(() => stop.abort(new Error('gone')), 20);
        await expect(answer).rejects.toThrow('gone');
      } else {
        const { body } = await answer;
        stop.abort(new Error('gone'));
        await expect(read(body)).rejects.toThrow();
      }
    }
  });

  test('many requests at once each get their own answer', async () => {
    const port = await http((request, response) => response.end(request.url));
    const made = upstreams();
    const targets = Array.from({ length: 200 }, (_, i) => `/${i}`);
    const answers = await Promise.all(
      targets.map(async (target) => read((await made.exchange(get(pinTo(port), { target }), live)).body)),
    );
    expect(answers).toEqual(targets);
  });
});

describe('a reused socket that died', () => {
  /** Answers the first request on each connection and resets it when a second one comes. */
  const resetting = async (): Promise<{ port: number; requests: () => number }> => {
    let requests = 0;
    const seen = new WeakSet<Socket>();
    const port = await http((request: IncomingMessage, response: ServerResponse) => {
      requests += 1;
      if (seen.has(request.socket)) request.socket.resetAndDestroy();
      else {
        seen.add(request.socket);
        response.end('ok');
      }
    });
    return { port, requests: () => requests };
  };

  test('is tried once more on a fresh one where the caller and the method allow it', async () => {
    const { port } = await resetting();
    const made = upstreams();
    await read((await made.exchange(get(pinTo(port)), live)).body);
    const again = await made.exchange(get(pinTo(port), { retry: true }), live);
    expect(again).toMatchObject({ attempts: 2, reused: false });
    expect(await read(again.body)).toBe('ok');
  });

  test.each<[string, Partial<UpstreamRequest>]>([
    ['the caller forbids it', { retry: false }],
    ['POST', { retry: true, method: 'POST', body: Buffer.from('x') }],
  ])('is not tried again: %s', async (_, change) => {
    const { port, requests } = await resetting();
    const made = upstreams();
    await read((await made.exchange(get(pinTo(port)), live)).body);
    await expect(made.exchange(get(pinTo(port), change), live)).rejects.toMatchObject({ code: 'upstream-reset' });
    expect(requests()).toBe(2);
  });

  test('is not tried again once a byte of an answer came, nor on a fresh socket', async () => {
    const partial = await raw([
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      (socket) => socket.write('HTTP/1.1 2', () => socket.resetAndDestroy()),
    ]);
    const made = upstreams();
    await read((await made.exchange(get(pinTo(partial.port)), live)).body);
    await expect(made.exchange(get(pinTo(partial.port), { retry: true }), live)).rejects.toMatchObject({
      code: /upstream-(reset|protocol)/,
    });
    expect(partial.seen.length).toBe(2);

    const fresh = await raw([(socket) => socket.resetAndDestroy()]);
    await expect(made.exchange(get(pinTo(fresh.port), { retry: true }), live)).rejects.toMatchObject({
      code: 'upstream-reset',
    });
    expect(fresh.seen.length).toBe(1);
  });
});

describe('hostile answers', () => {
  const head = (lines: string, body = ''): string => `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n${body}`;
  test.each<[string, string]>([
    ['two lengths', head('Content-Length: 1\r\nContent-Length: 2', 'ab')],
    ['two equal lengths', head('Content-Length: 1\r\nContent-Length: 1', 'a')],
    ['length and chunked', head('Content-Length: 1\r\nTransfer-Encoding: chunked', '0\r\n\r\n')],
    ['gzip, chunked', head('Transfer-Encoding: gzip, chunked', '0\r\n\r\n')],
    ['chunked twice', head('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n')],
    ['chunked, not last', head('Transfer-Encoding: chunked, identity', '0\r\n\r\n')],
    ['signed length', head('Content-Length: +1', 'a')],
    ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['folded header', head('X: a\r\n b')],
    ['space before the colon', head('Content-Length : 0')],
    ['NUL in a value', head('X: a\0b\r\nContent-Length: 0')],
    ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['HTTP/0.9', '<html>'],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['101 unasked', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    [
      'nine interim answers',
      `${'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(9)}${head('Content-Length: 0')}`,
    ],
    ['too many headers', head(Array.from({ length: 129 }, (_, i) => `X-${i}: 1`).join('\r\n'))],
    ['a head over the limit', head(`X: ${'a'.repeat(limits.answerHeaderBytesMax)}`)],
  ])('%s', async (_, answer) => {
    const server = await raw([answer]);
    await expect(upstreams().exchange(get(pinTo(server.port)), live)).rejects.toMatchObject({
      code: 'upstream-protocol',
    });
  });

  test('eight interim answers are dropped in silence', async () => {
    const server = await raw([
      `${'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(8)}${head('Content-Length: 2', 'ok')}`,
    ]);
    const answer = await upstreams().exchange(get(pinTo(server.port)), live);
    expect(answer.status).toBe(200);
    expect(answer.headers).toEqual([['Content-Length', '2']]);
    expect(await read(answer.body)).toBe('ok');
  });

  test.each<[string, string]>([
    ['a body that is cut', head('Content-Length: 10', 'abc')],
    ['chunks that are cut', head('Transfer-Encoding: chunked', '5\r\nab')],
    ['a broken chunk size', head('Transfer-Encoding: chunked', 'zz\r\nab\r\n')],
  ])('%s ends in an error, never as a whole answer', async (_, answer) => {
    const server = await raw([(socket) => socket.end(answer)]);
    const { body } = await upstreams().exchange(get(pinTo(server.port)), live);
    await expect(read(body)).rejects.toMatchObject({ code: 'upstream-aborted' });
  });

  test('bytes after an answer are not the next answer', async () => {
    const server = await raw([
      `${head('Content-Length: 2', 'ok')}${head('Content-Length: 8', 'poisoned')}`,
      head('Content-Length: 4', 'good'),
    ]);
    const made = upstreams();
    expect(await read((await made.exchange(get(pinTo(server.port)), live)).body)).toBe('ok');
    await new Promise((resolve) => setImmediate(resolve));
    const second = await made.exchange(get(pinTo(server.port)), live).then(
      async ({ body }) => read(body),
      (error: { code: string }) => error.code,
    );
    expect(['good', 'upstream-protocol']).toContain(second);
    expect(second).not.toBe('poisoned');
  });

  test('bytes that come while a socket is idle are not the next answer', async () => {
    const server = await raw([
      (socket) => {
        socket.write(head('Content-Length: 2', 'ok'));
        setTimeout(() => socket.write(head('Content-Length: 8', 'poisoned')), 20);
      },
      head('Content-Length: 4', 'good'),
    ]);
    const made = upstreams();
    expect(await read((await made.exchange(get(pinTo(server.port)), live)).body)).toBe('ok');
    await new Promise((resolve) => setTimeout(resolve, 60));
    const second = await made.exchange(get(pinTo(server.port)), live);
    expect(await read(second.body)).toBe('good');
    expect(second.reused).toBe(false);
  });

  test('a body that stalls is cut', async () => {
    const server = await raw([head('Content-Length: 10', 'abc')]);
    const { body } = await upstreams().exchange(get(pinTo(server.port), { idleTimeoutMs: 50 }), live);
    await expect(read(body)).rejects.toMatchObject({ code: 'upstream-idle' });
  });

  test('a broken answer leaves none of its bytes in the error', async () => {
    const server = await raw(['HTTP/1.1 200 OK\r\nX: reflected-secret\0\r\n\r\n']);
    const error = await upstreams()
      .exchange(get(pinTo(server.port)), live)
      .catch((thrown: unknown) => thrown);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('reflected-secret');
  });

  test('a server that never answers ends in 504', async () => {
    const server = await raw([() => undefined]);
    const request = get(pinTo(server.port), { firstByteTimeoutMs: 50 });
    await expect(upstreams().exchange(request, live)).rejects.toMatchObject({ code: 'upstream-first-byte' });
  });
});

describe('TLS', () => {
  /** An HTTPS server under an authority of the test, for `name`. */
  async function secure(
    name: string,
    options: { maxVersion?: 'TLSv1.1'; minVersion?: 'TLSv1' } = {},
  ): Promise<{ port: number; ca: string; names: unknown[] }> {
    const ca = await createAuthority({ clock: systemClock, random: systemRandom, tenant: 'test' });
    const interception = new Interception({ ...ca, clock: systemClock, random: systemRandom });
    const names: unknown[] = [];
    const server = createTls({
      SNICallback: (servername, done) => {
        names.push(servername);
        interception.context(name, 'ses').then((context) => done(null, context), done);
      },
      ALPNProtocols: ['h2', 'http/1.1'],
      ...options,
    });
    const httpServer = createHttp((_, response) => response.end('secret'));
    server.on('secureConnection', (socket) => {
      names.push(socket.alpnProtocol);
      httpServer.emit('connection', socket);
    });
    server.on('tlsClientError', () => undefined);
    return { port: await listening(server), ca: ca.certificate, names };
  }
  const at = (port: number, host = 'a.example'): Pin =>
    pinTo(port, { scheme: 'https', host, origin: `https://${host}:${port}` });

  test('a trusted certificate of the very name, http/1.1', async () => {
    const { port, ca, names } = await secure('a.example');
    const made = upstreams([ca]);
    expect(await read((await made.exchange(get(at(port)), live)).body)).toBe('secret');
    expect(names).toEqual(['a.example', 'http/1.1']);
    const again = await made.exchange(get(at(port)), live);
    expect(again.reused).toBe(true);
    await read(again.body);
  });

  test('an unknown authority, and another name, are refused', async () => {
    const { port, ca } = await secure('a.example');
    await expect(upstreams().exchange(get(at(port)), live)).rejects.toMatchObject({ code: 'upstream-tls' });
    await expect(upstreams([ca]).exchange(get(at(port, 'b.example')), live)).rejects.toMatchObject({
      code: 'upstream-tls',
    });
  });

  test('verification stays on when the environment asks to switch it off', async () => {
    const { port } = await secure('a.example');
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      await expect(upstreams().exchange(get(at(port)), live)).rejects.toMatchObject({ code: 'upstream-tls' });
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
  });

  test('TLS 1.1 and plain text are refused', async () => {
    const { port, ca } = await secure('a.example', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
    await expect(upstreams([ca]).exchange(get(at(port)), live)).rejects.toMatchObject({ code: 'upstream-tls' });
    const plain = await raw(['HTTP/1.1 200 OK\r\n\r\n']);
    await expect(upstreams().exchange(get(at(plain.port)), live)).rejects.toMatchObject({ code: 'upstream-tls' });
  });

  test('a refused connection says so', async () => {
    const port = await listening(createTcp());
    for (const close of open.splice(0)) close();
    await expect(upstreams().exchange(get(pinTo(port)), live)).rejects.toMatchObject({ code: 'upstream-connect' });
  });
});
