import { parseDestination } from '@cordon/egress';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAuthority } from '../src/http/authority.ts';
import { readConnect } from '../src/http/connect-head.ts';
import { type HeadRules, type Place, readHead } from '../src/http/head.ts';
import { forwardedHeaders } from '../src/http/headers.ts';
import { readTarget } from '../src/http/target.ts';
import type { WireHead } from '../src/http/wire-head.ts';
import { quote } from '../src/refuse/quote.ts';
import { isRefusal } from '../src/refuse/refusal.ts';

const rules: HeadRules = { isOwnName: (host) => host === 'cordon.internal', bodyOnRead: () => false };
const endpoint = parseDestination('https://api.example.com:443');
if ('refused' in endpoint) throw new Error('fixture');
const places: readonly Place[] = [{ kind: 'proxy' }, { kind: 'plain' }, { kind: 'inside', endpoint }];

const text = fc.string({ unit: 'binary-ascii', maxLength: 40 });
const urlish = fc.oneof(
  text,
  fc
    .tuple(fc.constantFrom('http://', 'https://', 'HTTP://', '/', '//', 'ftp://', ''), text)
    .map((parts) => parts.join('')),
  fc.constantFrom('http://api.example.com/', 'https://api.example.com:443/x', '/x', '*', 'http://a@api.example.com/'),
);
const headers = fc.array(
  fc.tuple(
    fc.constantFrom('Host', 'host', 'Connection', 'Content-Length', 'Transfer-Encoding', 'Expect', 'X'),
    fc.oneof(text, fc.constantFrom('api.example.com', 'chunked', '0', '5')),
  ),
  { maxLength: 5 },
);
const wire = fc.record({
  method: fc.constantFrom('GET', 'POST', 'HEAD', 'DELETE', 'CONNECT', 'TRACE', 'M-SEARCH', ''),
  url: urlish,
  version: fc.constantFrom('1.1', '1.0', '0.9', '2.0'),
  rawHeaders: headers.map((pairs) => pairs.flat()),
});

describe('readHead', () => {
  it('has one reading or refuses, whatever comes', () => {
    fc.assert(
      fc.property(wire, fc.constantFrom(...places), (head: WireHead, place) => {
        const read = readHead(head, place, rules);
        if (isRefusal(read)) return;
        const hosts = head.rawHeaders.filter((_, i) => i % 2 === 0).filter((name) => name.toLowerCase() === 'host');
        expect(hosts.length).toBeLessThanOrEqual(1);
        expect(read.target.startsWith('/')).toBe(true);
        expect(read.target).toMatch(/^[\x21-\x7e]+$/);
        expect(read.target).not.toMatch(/[#\\]/);
        expect('refused' in parseDestination(read.endpoint.origin)).toBe(false);
        if (place.kind === 'inside') expect(read.endpoint.origin).toBe('https://api.example.com:443');
        if (head.method === 'GET') expect(read.framing.kind).toBe('none');
      }),
      { numRuns: 5_000 },
    );
  });

  it('CONNECT names exactly one host and port or is refused', () => {
    fc.assert(
      fc.property(wire, (head: WireHead) => {
        const read = readConnect({ ...head, method: 'CONNECT' });
        if (isRefusal(read)) return;
        expect(head.url.toLowerCase()).toContain(read.host);
        expect(head.url.endsWith(`:${read.port}`)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('parseAuthority', () => {
  it.each([
    ['a', { host: 'a', port: null }],
    ['a:1', { host: 'a', port: 1 }],
    ['[::1]:65535', { host: '[::1]', port: 65_535 }],
  ])('reads %s', (given, expected) => expect(parseAuthority(given)).toEqual(expected));

  it.each([
    '',
    ':1',
    'a:',
    'a:0',
    'a:01',
    'a:+1',
    'a:65536',
    'a:1x',
    'a b',
    'u@a',
    'a/b',
    'a?',
    '[::1',
    '[::1]x',
    '[]x:1',
    'a:1:2',
  ])('refuses %j', (given) => expect(parseAuthority(given)).toBeNull());
});

describe('forwardedHeaders', () => {
  it('never lets framing, hop-by-hop or proxy headers through', () => {
    const name = fc.constantFrom(
      'Host',
      'content-length',
      'TRANSFER-ENCODING',
      'te',
      'Proxy-X',
      'X-Forwarded-For',
      'Connection',
      'X-A',
      'X-B',
      'Expect',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.constantFrom('X-A', 'x-b, close', 'v')), { maxLength: 12 }), (pairs) => {
        const kept = forwardedHeaders(pairs).map(([key]) => key.toLowerCase());
        expect(kept.every((key) => key === 'x-a' || key === 'x-b')).toBe(true);
        const named = pairs.filter(([key]) => key === 'Connection').map(([, value]) => value.toLowerCase());
        if (named.includes('x-a')) expect(kept).not.toContain('x-a');
      }),
    );
  });
});

describe('what npm repeats of path and lockfile', () => {
  it('is not sent: a registry does not need it, and it has room for anything', () => {
    const pairs = [
      ['user-agent', 'npm/11'],
      ['Pacote-Integrity', 'sha512-AAAA'],
      ['pacote_pkg_id', 'registry:secret'],
      ['npm-command', 'ci'],
    ] as const;
    expect(forwardedHeaders(pairs).map(([name]) => name)).toEqual(['user-agent', 'npm-command']);
  });
});

describe('readTarget', () => {
  it('is the same again when read from what it wrote', () => {
    fc.assert(
      fc.property(fc.webPath(), fc.option(fc.webQueryParameters(), { nil: null }), (path, search) => {
        const read = readTarget(`${path === '' ? '/' : path}${search === null ? '' : `?${search}`}`, true);
        if (isRefusal(read)) return;
        const wire = read.search === null ? read.path : `${read.path}?${read.search}`;
        expect(readTarget(wire, true)).toEqual(read);
      }),
    );
  });
});

describe('quote', () => {
  it('is printable ASCII and bounded, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (given) => {
        expect(quote(given, 50)).toMatch(/^[\x20-\x7e]*…?$/);
        expect(quote(given, 50).length).toBeLessThan(64);
      }),
    );
  });
});
