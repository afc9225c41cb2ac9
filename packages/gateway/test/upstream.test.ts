import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, RawClient } from './client.ts';
import { Rig } from './rig.ts';

/** A server that answers with the very bytes of the row that the path names. */
const rows: Readonly<Record<string, string>> = {
  '/both-lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  '/two-lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
  '/split': 'HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n',
  '/099': 'HTTP/1.1 099 None\r\nContent-Length: 0\r\n\r\n',
  '/garbage': 'SSH-2.0-OpenSSH_9.2\r\n',
  '/switch': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw',
  '/interim': `${'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(9)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`,
  '/hints': 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  '/short': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc',
  '/redirect': 'HTTP/1.1 302 Found\r\nLocation: http://evil.example.com/\r\nContent-Length: 0\r\n\r\n',
  '/hop':
    'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":443"\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nProxy-Authenticate: Basic\r\nCordon-Code: allowed\r\n' +
    'Set-Cookie: a=1\r\nset-cookie: b=2\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
  '/none': 'HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n',
  '/big': `HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n${'a'.repeat(300_000)}`,
  '/close': '',
};
/** Ends the connection behind the bytes. */
const ending: ReadonlySet<string> = new Set(['/short', '/close', '/garbage']);

let server: Server;
let rig: Rig;
const requests: string[] = [];
const open = new Set<Socket>();

beforeAll(async () => {
  server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      const path = chunk.toString().split(' ')[1] ?? '';
      if (!path.startsWith('/')) return;
      requests.push(path);
      const row = rows[path];
      if (row === undefined) return;
      socket.write(row);
      if (ending.has(path)) socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  rig = await Rig.start({
    grants: [
      { allow: 'http://api.example.com', methods: ['GET', 'HEAD', 'POST'] },
      { allow: 'http://dead.example.com' },
      { allow: 'http://nowhere.example.com' },
      { allow: 'http://127.0.0.1' },
      { allow: 'http://169.254.169.254' },
    ],
    hosts: { 'api.example.com:80': address.port, 'dead.example.com:80': 1 },
    limits: { answerBytesMax: 200_000, firstByteTimeoutMs: 700, slowReaderMs: 700 },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  for (const socket of open) socket.destroy();
  server.close();
});

async function ask(path: string, method = 'GET', host = 'api.example.com'): Promise<Answer & { ended: boolean }> {
  using client = await RawClient.to(rig.ports.proxy);
  const length = method === 'POST' ? 'Content-Length: 0\r\n' : '';
  client.send(`${method} http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\n${length}\r\n`);
  const answer = await client.answer();
  return { ...answer, ended: client.ended };
}

async function lastOutcome(): Promise<Readonly<Record<string, unknown>>> {
  const decision = (await rig.entriesOf('decision')).at(-1)?.data['attempt'];
  let found: Readonly<Record<string, unknown>> | undefined;
  await rig.until(async () => {
    found = (await rig.entriesOf('outcome')).find((entry) => entry.data['attempt'] === decision)?.data;
    return found !== undefined;
  });
  return found ?? {};
}

describe('an upstream that breaks the protocol', () => {
  it.each(['/both-lengths', '/two-lengths', '/split', '/099', '/garbage', '/switch', '/interim'])(
    '502 for %s',
    async (path) => {
      const answer = await ask(path);
      expect(answer).toMatchObject({ status: 502, json: { code: 'upstream-protocol' } });
      expect(answer.json['attempt']).toMatch(/^att_/);
      expect(await lastOutcome()).toMatchObject({ code: 'upstream-protocol', status: null, doubt: true });
    },
  );

  it('502 when it closes, 504 when it says nothing, each in doubt', async () => {
    expect(await ask('/close', 'POST')).toMatchObject({ status: 502, json: { code: 'upstream-reset' } });
    expect(await lastOutcome()).toMatchObject({ doubt: true });
    expect(await ask('/silent')).toMatchObject({ status: 504, json: { code: 'upstream-first-byte' } });
    expect(await lastOutcome()).toMatchObject({ doubt: true, bytesIn: 0 });
  });

  it('502 when nobody listens, and nothing is in doubt', async () => {
    expect(await ask('/', 'GET', 'dead.example.com')).toMatchObject({
      status: 502,
      json: { code: 'upstream-connect' },
    });
    expect(await lastOutcome()).toMatchObject({ code: 'upstream-connect', doubt: false });
  });

  it('refuses what may not be dialled though a grant names it', async () => {
    expect(await ask('/', 'GET', '127.0.0.1')).toMatchObject({ status: 403, json: { code: 'address-forbidden' } });
    expect(await ask('/', 'GET', '169.254.169.254')).toMatchObject({
      status: 403,
      json: { code: 'address-forbidden' },
    });
    expect(await lastOutcome()).toMatchObject({ code: 'address-forbidden', status: null, doubt: false });
  });

  it('half an answer does not look like a whole one', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.send('GET http://api.example.com/short HTTP/1.1\r\nHost: api.example.com\r\n\r\n');
    const text = await client.rest();
    expect(text).toContain('Content-Length: 10');
    expect(text.endsWith('\r\n\r\nabc')).toBe(true);
    expect(await lastOutcome()).toMatchObject({ code: 'upstream-aborted', status: 200 });
  });

  it('cuts an answer over the cap', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.send('GET http://api.example.com/big HTTP/1.1\r\nHost: api.example.com\r\n\r\n');
    const text = await client.rest();
    expect(text.length).toBeLessThan(300_000);
    expect(await lastOutcome()).toMatchObject({ code: 'answer-too-large', status: 200 });
  });
});

describe('an answer', () => {
  it('is relayed with its redirects, never followed', async () => {
    const before = requests.length;
    const answer = await ask('/redirect');
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe('http://evil.example.com/');
    expect(requests.length).toBe(before + 1);
  });

  it('loses what is hop-by-hop, interim answers, Alt-Svc and trailers, and keeps the rest in order', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.send('GET http://api.example.com/hop HTTP/1.1\r\nHost: api.example.com\r\n\r\n');
    const text = await client.until((seen) => seen.endsWith('0\r\n\r\n'));
    expect(text).toContain('Set-Cookie: a=1\r\nset-cookie: b=2');
    expect(text).not.toMatch(/alt-svc|x-hop|proxy-|cordon-|x-t:|trailer/i);
    const hints = await ask('/hints');
    expect(hints).toMatchObject({ status: 200, body: 'ok' });
    expect(hints.headers.has('link')).toBe(false);
  });

  it('without a body leaves the connection in step', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    const line = (method: string, path: string): string =>
      `${method} http://api.example.com${path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`;
    expect((await client.ask(line('GET', '/none'))).status).toBe(204);
    client.send(line('HEAD', '/hints'));
    const head = await client.until((text) => text.includes('\r\n\r\n'));
    expect(head).toContain('Content-Length: 2');
    client.received = Buffer.alloc(0);
    expect(await client.ask(line('GET', '/hints'))).toMatchObject({ status: 200, body: 'ok' });
  });
});

describe('a client', () => {
  it('that goes away ends the upstream request', async () => {
    const before = open.size;
    const client = await RawClient.to(rig.ports.proxy);
    client.send('GET http://api.example.com/hang HTTP/1.1\r\nHost: api.example.com\r\n\r\n');
    await rig.until(() => requests.includes('/hang'));
    client[Symbol.dispose]();
    await rig.until(() => open.size <= before);
    expect(await lastOutcome()).toMatchObject({ code: 'client-gone', status: null, doubt: true });
  });

  it('that resets during CONNECT ends nothing but itself', async () => {
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.to(rig.ports.proxy);
      client.send('CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n');
      if (i % 2 === 0) client.send('\x16\x03\x01');
      client.socket.resetAndDestroy();
    }
    expect((await ask('/hints')).status).toBe(200);
  });
});
