import { createServer, type Server, type TLSSocket } from 'node:tls';
import { acceptOf } from '@cordon/egress';
import { frame, hostileMessages, hostileSwitches, opcodes } from '@cordon/testkit/hostile';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectThrough, type RawClient } from './client.ts';
import { Rig, upstreamCa } from './rig.ts';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const hostOf = 'live.example';

/** A server that answers the handshake as it is told, and keeps every byte that comes behind it. */
class RawServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();
  readonly heads: string[] = [];
  received: Buffer = Buffer.alloc(0);
  answer: (accept: string) => string = honest;
  /** Sent right behind the answer. */
  first: Buffer = Buffer.alloc(0);

  private constructor() {
    this.#server = createServer(upstreamCa.issue([hostOf]), (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      let head = '';
      socket.on('data', (chunk: Buffer) => {
        if (head.includes('\r\n\r\n')) {
          this.received = Buffer.concat([this.received, chunk]);
          return;
        }
        head += chunk.toString('latin1');
        if (!head.includes('\r\n\r\n')) return;
        this.heads.push(head);
        const sent = /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? '';
        socket.write(Buffer.concat([Buffer.from(this.answer(acceptOf(sent)), 'latin1'), this.first]));
      });
    });
  }

  static async start(): Promise<RawServer> {
    const server = new RawServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (server.#server.address() as { port: number }).port;
  }

  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.heads.length = 0;
    this.received = Buffer.alloc(0);
    this.answer = honest;
    this.first = Buffer.alloc(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function honest(accept: string): string {
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

let server: RawServer;
let rig: Rig;
let seen = 0;

beforeAll(async () => {
  server = await RawServer.start();
  rig = await Rig.start({
    grants: [{ allow: `${hostOf}/feed`, websocket: true }],
    hosts: { [`${hostOf}:443`]: server.port },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

beforeEach(async () => {
  seen = (await rig.entries()).length;
});

afterEach(() => server.reset());

const handshake = (more: readonly string[] = [], first = 'GET /feed HTTP/1.1'): string =>
  [first, `Host: ${hostOf}`, 'Upgrade: websocket', 'Connection: Upgrade', ...more, '', ''].join('\r\n');
const usual = [`Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Version: 13'];

const inside = (): Promise<RawClient> =>
  connectThrough(rig.ports.proxy, { target: `${hostOf}:443`, ca: rig.ca.certificate });

async function open(): Promise<RawClient> {
  const client = await inside();
  client.send(handshake(usual));
  await client.until((text) => text.includes('\r\n\r\n'));
  const head = client.received.toString('latin1');
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  expect(head).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  client.received = client.received.subarray(head.indexOf('\r\n\r\n') + 4);
  return client;
}

/** Code and reason of the close frame that ended the connection; pongs and messages before it are passed over. */
async function closeOf(client: RawClient): Promise<{ code: number; reason: string }> {
  await client.rest();
  let bytes = client.received;
  while (bytes.length >= 2) {
    const opcode = (bytes[0] ?? 0) & 0x0f;
    const short = (bytes[1] ?? 0) & 0x7f;
    const at = short === 126 ? 4 : 2;
    const length = short === 126 ? bytes.readUInt16BE(2) : short;
    const data = bytes.subarray(at, at + length);
    if (opcode === opcodes.close) return { code: data.readUInt16BE(0), reason: data.subarray(2).toString() };
    bytes = bytes.subarray(at + length);
  }
  return { code: 0, reason: '' };
}

const now = async () => (await rig.entries()).slice(seen);
/** Every message that was allowed since the test began. */
const messages = async () =>
  (await now()).filter(({ data, type }) => type === 'decision' && data['action'] === 'http.message');

async function endCode(): Promise<unknown> {
  const found = async () => {
    const entries = await now();
    const attempt = entries.find(({ data }) => data['action'] === 'http.upgrade')?.data['attempt'];
    return entries.find(({ data, type }) => type === 'outcome' && data['attempt'] === attempt)?.data['code'];
  };
  await rig.until(async () => (await found()) !== undefined);
  return await found();
}

const codes: Readonly<Record<number, string>> = {
  1002: 'websocket-protocol',
  1007: 'websocket-protocol',
  1009: 'websocket-too-large',
  1008: 'websocket-flood',
};

describe('an agent that sends', () => {
  it.each(hostileMessages.map((row) => [row.name, row] as const))(
    '%s: closed, nothing is passed on',
    async (_name, row) => {
      using client = await open();
      client.send(row.bytes(true));
      expect(await closeOf(client)).toMatchObject({ code: row.closeCode });
      expect(await endCode()).toBe(codes[row.closeCode]);
      await rig.until(() => server.received.length >= 8);
      // All that the server got is our close frame: masked, going away.
      if (row.closeCode !== 1008) expect(server.received.length).toBe(8);
      if (row.closeCode !== 1008) expect(await messages()).toEqual([]);
    },
  );

  it('a frame at a time, byte by byte, gets it through as one message', async () => {
    using client = await open();
    for (const byte of frame(opcodes.text, 'whole', true)) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await rig.until(async () => (await messages()).length === 1);
    expect((await messages())[0]?.data).toMatchObject({ bytesOut: 5, code: 'allowed' });
  });

  it('a ping between fragments gets its pong from us, and the message arrives whole', async () => {
    using client = await open();
    client.send(
      Buffer.concat([
        frame(opcodes.text, 'one ', true, { fin: false }),
        frame(opcodes.ping, 'p', true),
        frame(opcodes.continuation, 'two', true),
      ]),
    );
    await rig.until(async () => (await messages()).length === 1);
    expect((await messages())[0]?.data).toMatchObject({ bytesOut: 7 });
    await client.until((text) => text.length >= 3);
    expect(client.received).toEqual(Buffer.from([0x8a, 1, 0x70]));
  });
});

describe('a server that sends', () => {
  it.each(hostileMessages.map((row) => [row.name, row] as const))(
    '%s: nothing reaches the agent',
    async (_name, row) => {
      server.first = row.bytes(false);
      using client = await open();
      const closed = await closeOf(client);
      expect(closed.code).toBe(1011);
      const code = codes[row.closeCode];
      expect(await endCode()).toBe(code === 'websocket-protocol' ? 'upstream-protocol' : code);
      if (row.closeCode !== 1008) expect(await messages()).toEqual([]);
    },
  );

  it.each(hostileSwitches.map((row) => [row.name, row] as const))('101 with %s: 502', async (_name, row) => {
    server.answer = row.head;
    server.first = frame(opcodes.text, 'hidden', false);
    using client = await inside();
    const offer = ['Sec-WebSocket-Protocol: chat, more'];
    expect(await client.ask(handshake([...usual, ...offer]))).toMatchObject({
      status: 502,
      json: { code: 'upstream-protocol' },
    });
    expect(client.received.toString('latin1')).not.toContain('hidden');
    expect(await endCode()).toBe('upstream-protocol');
  });

  it('a message right behind its answer: decided like every other', async () => {
    server.first = frame(opcodes.text, 'early', false);
    using client = await open();
    await client.until((text) => text.includes('early'));
    expect((await messages()).map(({ data }) => data['effect'])).toEqual(['read']);
  });
});

describe('a handshake', () => {
  it.each<[string, readonly string[], number, string]>([
    ['without a key', ['Sec-WebSocket-Version: 13'], 400, 'websocket-handshake'],
    ['with a short key', ['Sec-WebSocket-Key: AAAA', 'Sec-WebSocket-Version: 13'], 400, 'websocket-handshake'],
    ['with two keys', [...usual, `Sec-WebSocket-Key: ${key}`], 400, 'websocket-handshake'],
    ['with another version', [`Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Version: 8'], 426, 'websocket-version'],
    ['with two versions', [...usual, 'Sec-WebSocket-Version: 13'], 426, 'websocket-version'],
    ['with a doubled subprotocol', [...usual, 'Sec-WebSocket-Protocol: a, a'], 400, 'websocket-handshake'],
    ['with a subprotocol that is none', [...usual, 'Sec-WebSocket-Protocol: a b'], 400, 'websocket-handshake'],
    ['with a body', [...usual, 'Content-Length: 3'], 400, 'body-not-allowed'],
  ])('%s is refused', async (_name, more, status, code) => {
    using client = await inside();
    expect(await client.ask(handshake(more))).toMatchObject({ status, json: { code } });
    expect(await client.rest()).toBe('');
    expect(server.heads).toEqual([]);
  });

  it.each([
    ['a second request', 'GET /other HTTP/1.1\r\nHost: live.example\r\n\r\n'],
    ['a frame', frame(opcodes.text, 'early', true).toString('latin1')],
  ])('with %s behind it is refused, and neither goes on', async (_name, rest) => {
    using client = await inside();
    const answer = await client.ask(handshake(usual) + rest);
    expect(answer).toMatchObject({ status: 400, json: { code: 'websocket-handshake' } });
    expect(await client.rest()).toBe('');
    expect(server.heads).toEqual([]);
  });

  it('that is not agreed to ends the connection: no second request behind it is read', async () => {
    server.answer = () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno';
    using client = await inside();
    const answer = await client.ask(handshake(usual));
    expect(answer).toMatchObject({ status: 200, body: 'no' });
    client.send('GET /feed HTTP/1.1\r\nHost: live.example\r\n\r\n');
    expect(await client.rest()).toBe('');
    expect(server.heads).toHaveLength(1);
  });

  it('is written anew: our key, no extension, nothing of another hop', async () => {
    using client = await inside();
    client.send(
      handshake([
        ...usual,
        'Sec-WebSocket-Extensions: permessage-deflate',
        'X-Forwarded-For: 1.2.3.4',
        'Origin: https://a.example',
      ]),
    );
    await client.until((text) => text.includes('\r\n\r\n'));
    const [head = ''] = server.heads;
    expect(head).toContain('Origin: https://a.example');
    expect(head).not.toMatch(/extensions|x-forwarded/i);
    expect(head).not.toContain(key);
    expect(head.match(/sec-websocket-key/gi)).toHaveLength(1);
  });
});

describe('a WebSocket as a tunnel', () => {
  it('carries messages and nothing else: raw bytes behind the handshake end it', async () => {
    using client = await open();
    client.send('GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n');
    expect(await closeOf(client)).toMatchObject({ code: 1002 });
    await rig.until(() => server.received.length >= 8);
    expect(server.received.toString('latin1')).not.toContain('GET');
  });

  it('each message of another protocol inside is decided and in the ledger with its bytes', async () => {
    using client = await open();
    client.send(frame(opcodes.binary, 'SSH-2.0-OpenSSH_9.2\r\n', true));
    await rig.until(() => server.received.length > 0);
    const [decision] = await messages();
    expect(decision?.data).toMatchObject({ code: 'allowed', effect: 'share', bytesOut: 21 });
  });
});
