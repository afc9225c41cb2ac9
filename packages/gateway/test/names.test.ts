import type { KnownNames } from '@cordon/policy';
import { FakeClock } from '@cordon/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuestion, queryBytesMax } from '../src/capture/dns-message.ts';
import { NameServer } from '../src/capture/name-server.ts';
import { addressV4, addressV6, SyntheticNames } from '../src/capture/synthetic.ts';
import { type GatewayLimits, limits } from '../src/limits.ts';

const types = { A: 1, NS: 2, CNAME: 5, NULL: 10, TXT: 16, AAAA: 28, AXFR: 252, ANY: 255, HTTPS: 65 } as const;

interface Asked {
  readonly name?: string;
  readonly labels?: readonly (string | Buffer)[];
  readonly type?: number;
  readonly dnsClass?: number;
  readonly flags?: number;
  readonly counts?: readonly [number, number, number, number];
  readonly tail?: Buffer;
}

function query(asked: Asked): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x1234, 0);
  header.writeUInt16BE(asked.flags ?? 0x0100, 2);
  for (const [i, count] of (asked.counts ?? [1, 0, 0, 0]).entries()) header.writeUInt16BE(count, 4 + 2 * i);
  const labels = (asked.labels ?? (asked.name ?? '').split('.')).flatMap((label) => {
    const bytes = Buffer.from(label);
    return [Buffer.from([bytes.length]), bytes];
  });
  const end = Buffer.from([0, 0, asked.type ?? types.A, 0, asked.dnsClass ?? 1]);
  return Buffer.concat([header, ...labels, end, asked.tail ?? Buffer.alloc(0)]);
}

const optOf = (length: number): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, length >> 8, length & 0xff]), Buffer.alloc(length)]);
const opt = optOf(0);

/** What an answer says, read by hand: code, number of addresses, the first of them. */
function read(answer: Buffer | null): { code: number; count: number; address: string | null } | null {
  if (answer === null) return null;
  const count = answer.readUInt16BE(6);
  const end = answer.readUInt16BE(10) === 1 ? answer.length - opt.length : answer.length;
  let address: string | null = null;
  if (count > 0) {
    const v6 = answer.readUInt16BE(end - 18) === 16 && answer.readUInt16BE(end - 26) === types.AAAA;
    address = answer.subarray(end - (v6 ? 16 : 4), end).toString('hex');
  }
  return { code: answer.readUInt16BE(2) & 0xf, count, address };
}

const NOERROR = 0;
const FORMERR = 1;
const NOTIMP = 4;
const REFUSED = 5;

function server(options: { known?: readonly string[]; below?: string; limits?: Partial<GatewayLimits> } = {}) {
  const exact = new Set(options.known ?? ['api.example']);
  const known: KnownNames = {
    exact,
    knows: (host) => exact.has(host) || (options.below !== undefined && host.endsWith(`.${options.below}`)),
  };
  const refused: string[] = [];
  const clock = new FakeClock();
  const names = new NameServer({
    limits: { ...limits, ...options.limits },
    clock,
    isOwnName: (host) => host === 'cordon.internal',
    known: () => known,
    refused: (name) => refused.push(name),
  });
  names.hasV6 = true;
  const ask = (asked: Asked) => read(names.answer(query(asked)));
  return { names, ask, refused, clock };
}

const textOf = (hex: string): string => [...Buffer.from(hex, 'hex')].join('.');

describe('the name server', () => {
  it('answers a name that some grant speaks of with an address that stands for it', () => {
    const { names, ask } = server();
    const answer = ask({ name: 'api.example' });
    expect(answer).toMatchObject({ code: NOERROR, count: 1 });
    const address = textOf(answer?.address ?? '');
    expect(address).toMatch(/^198\.1[89]\./);
    expect(names.nameOf(address)).toBe('api.example');
    expect(ask({ name: 'api.example' })).toEqual(answer);
  });

  it('answers in v6 as well, and only where connections to it come to us', () => {
    const { names, ask } = server();
    const answer = ask({ name: 'api.example', type: types.AAAA });
    expect(answer?.address).toMatch(/^fd636f72646f006e00000000c61[23]/);
    names.hasV6 = false;
    expect(ask({ name: 'api.example', type: types.AAAA })).toEqual({ code: NOERROR, count: 0, address: null });
  });

  it('knows names below a granted domain, and our own', () => {
    const { ask } = server({ below: 'wild.example' });
    expect(ask({ name: 'a.b.wild.example' })).toMatchObject({ code: NOERROR, count: 1 });
    expect(ask({ name: 'cordon.internal' })).toMatchObject({ code: NOERROR, count: 1 });
    expect(ask({ name: 'wild.example' })).toMatchObject({ code: REFUSED });
    expect(ask({ name: 'notwild.example' })).toMatchObject({ code: REFUSED });
  });

  it('reads a name without case and answers the very question', () => {
    const { names } = server();
    const asked = query({ name: 'aPi.ExAmPle' });
    const answer = names.answer(asked);
    expect(read(answer)).toMatchObject({ code: NOERROR, count: 1 });
    expect(answer?.subarray(12, asked.length)).toEqual(asked.subarray(12));
  });

  it('answers an extended question (RFC 6891) with an extension of its own', () => {
    const { names } = server();
    const answer = names.answer(query({ name: 'api.example', counts: [1, 0, 0, 1], tail: opt }));
    expect(read(answer)).toMatchObject({ code: NOERROR, count: 1 });
    expect(answer?.readUInt16BE(10)).toBe(1);
  });

  it.each(Object.entries(types).filter(([name]) => name !== 'A' && name !== 'AAAA'))(
    'has nothing of type %s for a name that it knows',
    (_name, type) => {
      expect(server().ask({ name: 'api.example', type })).toEqual({ code: NOERROR, count: 0, address: null });
    },
  );

  it.each(Object.entries(types))('refuses type %s for a name that carries data out', (_name, type) => {
    const { ask, refused } = server();
    expect(ask({ name: 'c2VjcmV0.attacker.example', type })).toEqual({ code: REFUSED, count: 0, address: null });
    expect(refused).toEqual(type === types.A ? ['c2vjcmv0.attacker.example'] : []);
  });

  it.each([
    ['another class (CHAOS)', { name: 'api.example', dnsClass: 3 }],
    ['the root', { labels: [] }],
    ['a dot inside a label', { labels: ['api.example'] }],
    ['bytes that are no text', { labels: [Buffer.from([0xff, 0, 0x80]), 'example'] }],
  ] satisfies [string, Asked][])('refuses %s', (_name, asked) => {
    expect(server().ask(asked)).toEqual({ code: REFUSED, count: 0, address: null });
  });

  it.each([
    ['two questions', { name: 'api.example', counts: [2, 0, 0, 0] }],
    ['no question', { name: 'api.example', counts: [0, 0, 0, 0] }],
    ['an answer in a question', { name: 'api.example', counts: [1, 1, 0, 0] }],
    ['an authority in a question', { name: 'api.example', counts: [1, 0, 1, 0] }],
    ['bytes after the question', { name: 'api.example', tail: Buffer.alloc(1) }],
    [
      'a signature (TSIG) in place of OPT',
      { name: 'api.example', counts: [1, 0, 0, 1], tail: Buffer.from([0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0]) },
    ],
    [
      'OPT that says it is longer',
      { name: 'api.example', counts: [1, 0, 0, 1], tail: Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 9]) },
    ],
    ['OPT that is announced and missing', { name: 'api.example', counts: [1, 0, 0, 1] }],
    ['a name over 255 bytes', { labels: Array.from({ length: 64 }, () => 'abcd') }],
    ['a message over the limit', { name: 'api.example', counts: [1, 0, 0, 1], tail: optOf(queryBytesMax) }],
  ] satisfies [string, Asked][])('calls %s malformed', (_name, asked) => {
    expect(server().ask(asked)).toEqual({ code: FORMERR, count: 0, address: null });
  });

  it.each([
    ['a compression pointer to itself', [0xc0, 12, 0, 1, 0, 1]],
    ['a compression pointer to the header', [1, 97, 0xc0, 0, 0, 1, 0, 1]],
    ['a compression pointer that could be a long label', [0xc0, ...Array<number>(0xc0).fill(97), 0, 0, 1, 0, 1]],
    ['an unused label type', [0x80, 97, 0, 0, 1, 0, 1]],
    ['a label that goes on after the end', [63, 97]],
    ['a name without an end', [1, 97]],
    ['no type and class', [1, 97, 0]],
  ])('calls %s malformed', (_name, question) => {
    const { names } = server();
    const bytes = Buffer.concat([query({ labels: [] }).subarray(0, 12), Buffer.from(question)]);
    expect(read(names.answer(bytes))).toEqual({ code: FORMERR, count: 0, address: null });
  });

  it('does no other thing than to answer questions', () => {
    const { names, ask } = server();
    for (const opcode of [1, 2, 4, 5]) expect(ask({ name: 'api.example', flags: opcode << 11 })?.code).toBe(NOTIMP);
    // An answer is never answered, whatever it holds: two servers would talk for ever.
    expect(names.answer(query({ name: 'api.example', flags: 0x8000 }))).toBeNull();
    expect(names.answer(Buffer.alloc(11))).toBeNull();
  });

  it('reads every sequence of bytes without a fault and never answers at length', () => {
    const { names } = server({ limits: { nameQueriesPerSecondMax: 1e9 } });
    const valid = query({ name: 'api.example', counts: [1, 0, 0, 1], tail: opt });
    const mutated = fc
      .tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(valid.length))
      .map(([at, byte, cut]) => {
        const bytes = Buffer.from(valid);
        bytes[at] = byte;
        return bytes.subarray(0, cut);
      });
    const anything = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(mutated, anything), (bytes) => {
        const answer = names.answer(bytes);
        // No more than it was asked, and one record: of no use to flood a third party with.
        expect(answer?.length ?? 0).toBeLessThanOrEqual(Math.max(12, bytes.length + 28));
        if (answer !== null) expect(parseQuestion(answer).kind).toBe('silence');
      }),
      { numRuns: 2_000 },
    );
  });

  it('falls silent over its limit, and answers again with time', () => {
    const { ask, clock } = server({ limits: { nameQueriesPerSecondMax: 3 } });
    const three = Array.from({ length: 4 }, () => ask({ name: 'api.example' })?.code ?? null);
    expect(three).toEqual([NOERROR, NOERROR, NOERROR, null]);
    clock.advance(400);
    expect(ask({ name: 'api.example' })?.code).toBe(NOERROR);
    expect(ask({ name: 'api.example' })).toBeNull();
  });
});

describe('addresses that stand for names', () => {
  it('mean nothing in another session', () => {
    const address = textOf(server({ known: ['api.example'] }).ask({ name: 'api.example' })?.address ?? '');
    expect(server({ known: ['other.example'] }).names.nameOf(address)).toBeNull();
  });

  it('are the same after a restart, also before the name is asked for again', () => {
    const before = textOf(server().ask({ name: 'api.example' })?.address ?? '');
    expect(server().names.nameOf(before)).toBe('api.example');
  });

  it.each([
    '198.18.0.1',
    '198.17.255.255',
    '198.20.0.0',
    '192.0.2.1',
    'fd63:6f72:646f:6e::1',
    'fd63:6f72:646f:6e::c612',
    '::1',
    '2001:db8::c612:100',
  ])('%s never stands for one', (address) => {
    const names = new SyntheticNames(200_000);
    for (let i = 0; i < 1_000; i++) names.place(`${i}.example`);
    expect(names.find(address, [])).toBeNull();
  });

  it('are one each, however many names there are', () => {
    const names = new SyntheticNames(20_000);
    const seen = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const place = names.place(`${i}.example`);
      seen.add([...addressV4(place)].join('.'));
      expect(names.find([...addressV4(place)].join('.'), [])).toBe(`${i}.example`);
      expect(addressV6(place).subarray(12)).toEqual(addressV4(place));
    }
    expect(seen.size).toBe(20_000);
  });

  it('are dropped with the oldest name over the limit; one that is used stays', () => {
    const names = new SyntheticNames(2);
    const text = (name: string): string => [...addressV4(names.place(name))].join('.');
    const [first, second] = [text('a.example'), text('b.example')];
    text('a.example');
    text('c.example');
    expect(names.size).toBe(2);
    expect(names.find(first, [])).toBe('a.example');
    expect(names.find(second, [])).toBeNull();
  });
});
