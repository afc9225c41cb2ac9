import type { OriginRule } from '@cordon/protocol';
import { describe, expect, test } from 'vitest';
import {
  checkAddresses,
  checkDestination,
  type Destination,
  type HostView,
  parseDestination,
  ruleApplies,
} from '../src/index.ts';

const host: HostView = { self: ['203.0.114.9', '127.0.0.1'], control: [{ address: '127.0.0.1', port: 7000 }] };
const rule = (origin: string, addresses: string[] = [], trusted = false): OriginRule => ({
  origin,
  addresses,
  trusted,
  bodyOnRead: false,
  encodedSlash: false,
});

function destination(origin: string): Destination {
  const parsed = parseDestination(origin);
  if ('refused' in parsed) throw new Error(`${origin}: ${parsed.detail}`);
  return parsed;
}
const check = (origin: string, ...rules: OriginRule[]): string | null =>
  checkDestination(destination(origin), rules, host)?.code ?? null;

describe('parseDestination', () => {
  test('takes canonical origins apart', () => {
    expect(destination('https://api.github.com:443')).toEqual({
      scheme: 'https',
      host: 'api.github.com',
      port: 443,
      origin: 'https://api.github.com:443',
      literal: false,
    });
    expect(destination('http://10.0.0.1:8080')).toMatchObject({ host: '10.0.0.1', literal: true });
    expect(destination('https://[2001:db8::1]:443')).toMatchObject({ host: '2001:db8::1', literal: true });
    expect(destination('https://xn--bcher-kva.example:443').host).toBe('xn--bcher-kva.example');
  });

  test.each([
    // Every odd spelling of 127.0.0.1, and other tricks; none is repaired.
    'http://0177.0.0.1:80',
    'http://0x7f.0.0.1:80',
    'http://127.1:80',
    'http://127.0.1:80',
    'http://2130706433:80',
    'http://0x7f000001:80',
    'http://017700000001:80',
    'http://127.0.0.1.:80',
    'http://127.000.000.001:80',
    'http://１２７.0.0.1:80',
    'http://127。0。0。1:80',
    'http://①②⑦.0.0.1:80',
    'http://[0:0:0:0:0:0:0:1]:80',
    'http://[::1%25lo]:80',
    'http://[::0001]:80',
    'http://::1:80',
    'http://[127.0.0.1]:80',
    'http://1.2.3.256:80',
    'http://a.1:80',
    'http://a.0x1:80',
    'https://API.github.com:443',
    'https://api.github.com.:443',
    'https://api..github.com:443',
    'https://bücher.example:443',
    'https://api.github.com',
    'https://api.github.com:0443',
    'https://api.github.com:0',
    'https://api.github.com:65536',
    'https://user@api.github.com:443',
    'https://evil.example\\@api.github.com:443',
    'https://api.github.com:443/',
    'https://api.github.com#:443',
    'https://api.github.com?:443',
    'https://a b.example:443',
    'https://a%2eb.example:443',
    'https://a\0.example:443',
    'https://a\tb.example:443',
    'ftp://a.example:21',
    'HTTPS://a.example:443',
    'https://:443',
    '',
    `https://${'a'.repeat(64)}.example:443`,
    `https://${'a.'.repeat(127)}example:443`,
    'https://-a.example:443',
    'https://аpple.example:443',
  ])('%j is refused', (origin) => {
    expect(parseDestination(origin)).toMatchObject({ refused: true, code: 'host-not-canonical', status: 403 });
  });
});

describe('classes', () => {
  test('public needs no more than the grant', () => expect(check('https://8.8.8.8:443')).toBeNull());

  test('private and shared need a range', () => {
    for (const ip of ['10.0.0.1', '172.20.0.1', '192.168.1.1', '100.64.0.1', '[fd00::1]']) {
      const origin = `http://${ip}:80`;
      expect(check(origin)).toBe('address-forbidden');
      expect(check(origin, rule(origin, ['11.0.0.0/8', 'fd01::/16']))).toBe('address-forbidden');
      const range = ip.startsWith('[') ? 'fd00::/16' : `${ip.split('.')[0]}.0.0.0/8`;
      expect(check(origin, rule(origin, [range]))).toBeNull();
      expect(check(origin, rule('http://other.example:80', [range]))).toBe('address-forbidden');
    }
  });

  test('loopback, link-local and this host need a range from the tenant', () => {
    for (const [ip, range] of [
      ['127.0.0.1', '127.0.0.0/8'],
      ['169.254.7.7', '169.254.0.0/16'],
      ['203.0.114.9', '203.0.114.9'],
    ] as const) {
      const origin = `http://${ip}:80`;
      expect(check(origin, rule(origin, [range]))).toBe('address-forbidden');
      expect(check(origin, rule(origin, [], true), rule(origin, [range]))).toBe('address-forbidden');
      expect(check(origin, rule(origin, [range], true))).toBeNull();
    }
  });

  test('never: metadata, control, multicast, broadcast, unspecified, documentation, reserved', () => {
    const origins = [
      'http://169.254.169.254:80',
      'http://100.100.100.200:80',
      'http://[fd00:ec2::254]:80',
      'http://127.0.0.1:7000',
      'http://224.0.0.1:80',
      'http://255.255.255.255:80',
      'http://0.0.0.0:80',
      'http://192.0.2.1:80',
      'http://240.0.0.1:80',
      'http://[2002:7f00:1::]:80',
      'http://[64:ff9b::a9fe:a9fe]:80',
      'http://[::ffff:a9fe:a9fe]:80',
    ];
    for (const origin of origins) {
      expect(check(origin, rule(origin, ['0.0.0.0/0', '::/0'], true)), origin).toBe('address-forbidden');
    }
  });

  test('one bad address among ten good ones refuses the name', () => {
    const good = Array.from({ length: 10 }, (_, i) => `8.8.4.${i + 1}`);
    const to = destination('https://a.example:443');
    expect(checkAddresses(to, good, [], host)).toBeNull();
    for (const at of [0, 5, 10]) {
      const mixed = good.toSpliced(at, 0, '10.0.0.1');
      expect(checkAddresses(to, mixed, [], host)).toMatchObject({ code: 'address-forbidden', addressClass: 'private' });
    }
  });
});

describe('names and ports', () => {
  test.each([
    'metadata.google.internal',
    'metadata.goog',
    'metadata',
    'instance-data',
    'instance-data.ec2.internal',
    'x.metadata.google.internal',
    'metadata.tencentyun.com',
  ])('%s is never reachable', (name) => {
    const origin = `http://${name}:80`;
    expect(check(origin, rule(origin, ['0.0.0.0/0'], true))).toBe('name-forbidden');
  });
  test('names that only look like it are', () => {
    expect(check('http://metadata.example.com:80')).toBeNull();
    expect(check('http://notmetadata.goog:80')).toBeNull();
  });

  test.each([25, 2375, 2376, 2379, 2380, 6443, 10250, 10255, 10256, 10257, 10258, 10259])(
    'port %d needs the tenant',
    (port) => {
      const origin = `https://a.example:${port}`;
      expect(check(origin)).toBe('port-forbidden');
      expect(check(origin, rule(origin))).toBe('port-forbidden');
      expect(check(origin, rule('https://a.example:443', [], true))).toBe('port-forbidden');
      expect(check(origin, rule(origin, [], true))).toBeNull();
    },
  );
  test('other ports need only the grant', () => expect(check('https://a.example:8443')).toBeNull());
});

describe('ruleApplies', () => {
  test('exactly, or strict subdomains of the same scheme and port', () => {
    const wild = rule('https://*.example.com:443');
    expect(ruleApplies(wild, destination('https://a.example.com:443'))).toBe(true);
    expect(ruleApplies(wild, destination('https://a.b.example.com:443'))).toBe(true);
    for (const other of [
      'https://example.com:443',
      'https://badexample.com:443',
      'http://a.example.com:443',
      'https://a.example.com:8443',
      'https://a.example.com.evil.net:443',
    ]) {
      expect(ruleApplies(wild, destination(other)), other).toBe(false);
    }
    expect(ruleApplies(rule('https://*.8.8.8:443'), destination('https://8.8.8.8:443'))).toBe(false);
  });
});
