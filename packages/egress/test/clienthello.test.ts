import { createServer } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import {
  alpnOffer as alpn,
  echExtension as ech,
  helloExtension as extension,
  clientHello as hello,
  malformedHellos,
  serverName as name,
  helloRecords as records,
  serverNames as sni,
  u8,
  u16,
  v8,
  v16,
} from '@cordon/testkit/hostile';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseClientHello } from '../src/index.ts';
import { limits } from '../src/limits.ts';

const parse = (...extensions: Buffer[]): ReturnType<typeof parseClientHello> =>
  parseClientHello(records(hello(extensions)));

/** The first flight of a real client, taken from the wire. */
async function captured(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (bytes) => {
        socket.destroy();
        server.close();
        resolve(bytes);
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      connect({ port, host: '127.0.0.1', ...options }).on('error', () => undefined);
    });
  });
}

describe('what clients send', () => {
  test('a real TLS 1.3 and 1.2 client', async () => {
    const options = { servername: 'API.github.com', ALPNProtocols: ['h2', 'http/1.1'] };
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      expect(parseClientHello(await captured({ ...options, maxVersion }))).toEqual({
        kind: 'hello',
        serverName: 'api.github.com',
        alpn: ['h2', 'http/1.1'],
        ech: false,
      });
    }
  });
  test('a real client without a name', async () => {
    expect(parseClientHello(await captured({}))).toMatchObject({ kind: 'hello', serverName: null, alpn: [] });
  });
  test('every prefix needs more, and no prefix is read as something else', async () => {
    const bytes = await captured({ servername: 'a.example' });
    for (let end = 0; end < bytes.length; end++)
      expect(parseClientHello(bytes.subarray(0, end)).kind).toBe('need-more');
  });
  test('a hello in many records, cut at every size', () => {
    const message = hello([sni(name('a.example')), alpn('http/1.1')]);
    for (let size = 1; size < message.length; size++) {
      expect(parseClientHello(records(message, size)), `${size}`).toMatchObject({
        kind: 'hello',
        serverName: 'a.example',
      });
    }
  });
  test('ECH is noticed', () => {
    expect(parse(sni(name('a.example')), ech)).toEqual({ kind: 'hello', serverName: 'a.example', alpn: [], ech: true });
  });
  test('no extensions at all', () => {
    const body = Buffer.concat([u16(0x0303), Buffer.alloc(32), v8(), v16(u16(0x1301)), v8(u8(0))]);
    const message = Buffer.concat([u8(1), u8(0), u16(body.length), body]);
    expect(parseClientHello(records(message))).toEqual({ kind: 'hello', serverName: null, alpn: [], ech: false });
  });
});

describe('not TLS', () => {
  test.each(['GET / HTTP/1.1\r\n', 'SSH-2.0-x', '\x00', '\x80\x2e\x01\x00\x02', '\x17\x03\x03'])('%j', (text) => {
    expect(parseClientHello(Buffer.from(text, 'latin1')).kind).toBe('not-tls');
  });
});

describe('names', () => {
  test('253 bytes pass, 254 and 255 do not', () => {
    const host = (length: number): string => `${'a.'.repeat(130).slice(0, length - 1)}a`;
    expect(parse(sni(name(host(253))))).toMatchObject({ kind: 'hello', serverName: host(253) });
    for (const length of [254, 255, 256, 1000]) expect(parse(sni(name(host(length)))).kind).toBe('malformed');
  });
});

describe('structure', () => {
  test.each(malformedHellos)('$name: malformed', ({ bytes }) => expect(parseClientHello(bytes).kind).toBe('malformed'));

  test('one byte a record, one record a call: no call copies more than once', () => {
    const bytes = records(hello([sni(name('a.example')), extension(21, Buffer.alloc(2000))]), 1);
    for (let end = 1; end < bytes.length; end++)
      expect(parseClientHello(bytes.subarray(0, end)).kind).toBe('need-more');
    expect(parseClientHello(bytes)).toMatchObject({ kind: 'hello', serverName: 'a.example' });
  });

  test('more bytes than the limit without an end are malformed, not waited for', () => {
    const endless = records(hello([extension(21, Buffer.alloc(15_900))]), 200).subarray(0, -1);
    const padded = Buffer.concat([endless, Buffer.alloc(Math.max(0, limits.clientHelloBytesMax - endless.length))]);
    expect(parseClientHello(padded).kind).not.toBe('need-more');
    expect(parseClientHello(Buffer.alloc(limits.clientHelloBytesMax, 22)).kind).toBe('malformed');
  });
});

describe('fuzz', () => {
  const kinds = ['need-more', 'not-tls', 'malformed', 'hello'];
  test('any bytes have one of four outcomes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => kinds.includes(parseClientHello(bytes).kind)),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) =>
        kinds.includes(parseClientHello(records(Buffer.from(bytes))).kind),
      ),
      { numRuns: 2000 },
    );
  });
  test('a changed byte never gives a name that is no host name', () => {
    const good = records(hello([sni(name('api.example.com')), alpn('h2'), ech]));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(good);
        bytes[at] = value;
        const result = parseClientHello(bytes);
        if (result.kind === 'hello' && result.serverName !== null)
          expect(result.serverName).toMatch(/^[\x21-\x7e]{1,253}$/);
      }),
      { numRuns: 5000 },
    );
  });
});
