import { Duplex, PassThrough } from 'node:stream';
import { parseRelayHeader, readRelayHeader, relayHeaderBytes, relayTokenBytes } from '@cordon/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const token = Uint8Array.from({ length: relayTokenBytes }, (_, index) => index + 1);

function header(family: number, address: readonly number[], port: number, ticket = 7): Buffer {
  const bytes = Buffer.alloc(relayHeaderBytes);
  bytes.write('CRL1', 'latin1');
  bytes.set(token, 4);
  bytes.writeUInt32LE(ticket, 36);
  bytes[40] = family;
  bytes.writeUInt16BE(port, 42);
  bytes.set(address, 44);
  return bytes;
}

const v4 = header(4, [192, 0, 2, 1], 8443);
const changed = (at: number, value: number): Buffer => {
  const bytes = Buffer.from(v4);
  bytes[at] = value;
  return bytes;
};

describe('the header of a relay', () => {
  it('says which socket, and where the connection was made to as Node would', () => {
    expect(parseRelayHeader(v4, token)).toEqual({ ticket: 7, local: { address: '192.0.2.1', port: 8443 } });
    expect(parseRelayHeader(header(0, [], 0, 0xffff_ffff), token)).toEqual({ ticket: 0xffff_ffff, local: null });
    const v6 = (...bytes: number[]): string | undefined => parseRelayHeader(header(6, bytes, 1), token)?.local?.address;
    expect(v6(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7)).toBe('2001:db8::7');
    expect(v6(0xfd, 0x63, 0x6f, 0x72, 0x64, 0x6f, 0, 0x6e, 0, 0, 0, 0, 0xc6, 0x12, 1, 2)).toBe(
      'fd63:6f72:646f:6e::c612:102',
    );
    expect(v6()).toBe('::');
  });

  it.each([
    ['too short', v4.subarray(0, 59)],
    ['too long', Buffer.concat([v4, Buffer.alloc(1)])],
    ['empty', Buffer.alloc(0)],
    ['another magic', changed(3, 0x32)],
    ['another token', changed(4, 0)],
    ['another end of the token', changed(35, 0)],
    ['an unknown family', changed(40, 5)],
    ['a reserved byte', changed(41, 1)],
    ['bytes behind an IPv4 address', changed(59, 1)],
    ['a port without an address', header(0, [], 1)],
    ['an address without a family', header(0, [1], 0)],
    ['port 0', header(4, [192, 0, 2, 1], 0)],
    ['port 0 of IPv6', header(6, [1], 0)],
  ])('with %s is none', (_, bytes) => {
    expect(parseRelayHeader(bytes, token)).toBeNull();
  });

  it('is never taken with another token, whatever else it says', () => {
    const other = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((each) => !Buffer.from(each).equals(token));
    fc.assert(
      fc.property(other, (wrong) => {
        expect(parseRelayHeader(v4, wrong)).toBeNull();
      }),
    );
    expect(parseRelayHeader(v4, new Uint8Array(0))).toBeNull();
  });

  it('never throws, and has one spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), (rest) => {
        const bytes = Buffer.from(v4);
        bytes.set(rest, 36);
        const parsed = parseRelayHeader(bytes, token);
        if (parsed === null) return;
        const family = bytes[40] ?? 0;
        const port = parsed.local?.port ?? 0;
        expect(header(family, [...bytes.subarray(44)], port, parsed.ticket)).toEqual(bytes);
      }),
    );
  });
});

describe('reading it', () => {
  const limit = 20_000;

  it('takes nothing but the header, in whatever pieces it comes', async () => {
    const stream = new PassThrough();
    const read = readRelayHeader(stream, token, limit);
    for (const byte of v4) stream.write(Buffer.from([byte]));
    expect((await read)?.ticket).toBe(7);
    const next = new Promise((resolve) => stream.once('data', resolve));
    stream.write('later');
    expect(String(await next)).toBe('later');
  });

  it('refuses what follows it at once: the relay waits for an answer', async () => {
    const stream = new PassThrough();
    stream.write(Buffer.concat([v4, Buffer.from('x')]));
    expect(await readRelayHeader(stream, token, limit)).toBeNull();
  });

  it('ends with the stream, and with the time', async () => {
    const short = new PassThrough();
    short.end(v4.subarray(0, 30));
    expect(await readRelayHeader(short, token, limit)).toBeNull();
    const gone = new PassThrough();
    const read = readRelayHeader(gone, token, limit);
    gone.destroy();
    expect(await read).toBeNull();
    const silent = new Duplex({ read: () => undefined, write: () => undefined });
    expect(await readRelayHeader(silent, token, 1)).toBeNull();
  });
});
