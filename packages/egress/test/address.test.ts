import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AddressClass,
  addressClasses,
  blockHolds,
  classifyAddress,
  type HostView,
  parseAddress,
  parseBlock,
  registryDate,
  specialPurpose,
} from '../src/index.ts';

const nobody: HostView = { self: [], control: [] };
const classOf = (address: string, host = nobody, port = 443): AddressClass => classifyAddress(address, port, host);
const allowedWithoutRule = (address: string): boolean => classOf(address) === 'public';

describe('registry', () => {
  test('is dated, and every row is a block that the lookup answers at both ends', () => {
    expect(registryDate).toMatch(/^20[0-9]{2}-[01][0-9]-[0-3][0-9]$/);
    expect(specialPurpose.length).toBeGreaterThan(50);
    for (const [prefix, name, addressClass] of specialPurpose) {
      expect(parseBlock(prefix), name).not.toBeNull();
      expect(name).not.toBe('');
      expect(addressClasses).toContain(addressClass);
    }
    expect(new Set(specialPurpose.map(([prefix]) => prefix)).size).toBe(specialPurpose.length);
  });

  // Rows of the IANA registries that are "globally reachable: false", written down independently of the table.
  test.each([
    '0.1.2.3',
    '10.0.0.0',
    '10.255.255.255',
    '100.64.0.0',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.1.1',
    '172.16.0.0',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.0.170',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.0',
    '192.168.255.255',
    '198.18.0.0',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '0.0.0.0',
    '::',
    '::1',
    '100::1',
    '2001::1',
    '2001:2::1',
    '2001:10::1',
    '2001:db8::1',
    '2002:808:808::1',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fdff::1',
    'fe80::1',
    'febf::1',
    'fec0::1',
    'ff02::1',
    '64:ff9b:1::808:808',
    '4000::1',
    '1::1',
  ])('%s is not public', (address) => expect(allowedWithoutRule(address)).toBe(false));

  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '192.31.196.1',
    '2606:4700::1111',
    '2001:200::1',
    '2620:4f:8000::1',
    '2a00:1450::1',
    '3ffe::1',
    '64:ff9b::808:808',
  ])('%s is public', (address) => expect(allowedWithoutRule(address)).toBe(true));
});

describe('metadata of clouds', () => {
  test.each([
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    '::169.254.169.254',
    '::ffff:0:a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '2001:db9::5efe:a9fe:a9fe',
    '2001:db9::200:5efe:a9fe:a9fe',
  ])('%s', (address) => expect(classOf(address)).toBe('metadata'));
});

describe('an address inside an address is judged by the worse of both', () => {
  test.each<[string, AddressClass]>([
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['::ffff:10.1.2.3', 'private'],
    ['::ffff:8.8.8.8', 'public'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['64:ff9b::a00:1', 'private'],
    ['64:ff9b::e000:1', 'multicast'],
    ['::127.0.0.1', 'reserved'],
    ['::8.8.8.8', 'reserved'],
    ['::ffff:0:808:808', 'reserved'],
    ['2606:4700::5efe:a00:1', 'private'],
    ['2606:4700::200:5efe:7f00:1', 'loopback'],
    ['2606:4700::5efe:808:808', 'public'],
    ['fe80::5efe:808:808', 'link-local'],
    ['2002:7f00:1::', 'reserved'],
    ['2001:0:7f00:1::', 'reserved'],
  ])('%s: %s', (address, expected) => expect(classOf(address)).toBe(expected));

  test('no public IPv6 form of a non-public IPv4 address', () => {
    const v4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((octets) => octets.join('.'));
    fc.assert(
      fc.property(
        v4,
        fc.constantFrom('::', '::ffff:', '::ffff:0:', '64:ff9b::', '2606:4700::5efe:'),
        (inner, prefix) => {
          const outer = addressClasses.indexOf(classOf(`${prefix}${inner}`));
          expect(outer).toBeGreaterThanOrEqual(addressClasses.indexOf(classOf(inner)));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('this host', () => {
  const host: HostView = {
    self: ['203.0.114.9', '2606:4700::9', '127.0.0.1'],
    control: [{ address: '10.0.0.5', port: 8443 }],
  };
  test('its own public addresses are self, however they are written', () => {
    expect(classOf('203.0.114.9', host)).toBe('self');
    expect(classOf('::ffff:203.0.114.9', host)).toBe('self');
    expect(classOf('64:ff9b::cb00:7209', host)).toBe('self');
    expect(classOf('2606:4700:0:0:0:0:0:9', host)).toBe('self');
    expect(classOf('203.0.114.10', host)).toBe('public');
    expect(classOf('127.0.0.1', host)).toBe('loopback');
  });
  test('our own listeners are never reachable, on their port only', () => {
    expect(classOf('10.0.0.5', host, 8443)).toBe('control');
    expect(classOf('::ffff:10.0.0.5', host, 8443)).toBe('control');
    expect(classOf('10.0.0.5', host, 443)).toBe('private');
  });
  test('a listener on every address is found at each of them', () => {
    const open: HostView = { self: ['203.0.114.9'], control: [{ address: '::', port: 8443 }] };
    for (const address of ['203.0.114.9', '127.0.0.1', '::1', '127.9.9.9', '0.0.0.0']) {
      expect(classOf(address, open, 8443)).toBe('control');
    }
    expect(classOf('203.0.114.10', open, 8443)).toBe('public');
  });
});

describe('text', () => {
  test.each([
    '0177.0.0.1',
    '0x7f.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '127.0.0.1.',
    '127.0.0.01',
    ' 127.0.0.1',
    '127.0.0.1 ',
    '256.0.0.1',
    '1.2.3.4.5',
    '1.2.3',
    '',
    '.',
    '127.0.0.1%lo',
    'fe80::1%eth0',
    '1::2::3',
    ':::',
    '12345::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    '::1.2.3',
    '1.2.3.4::',
    '::g',
    '[::1]',
    '1:2:3:4:5:6:7:8::',
    '٣.0.0.1',
  ])('%j is no address, so it is reserved', (text) => {
    expect(parseAddress(text)).toBeNull();
    expect(classOf(text)).toBe('reserved');
  });

  test('IPv6 spellings of one address have one value', () => {
    const spellings = ['2001:db8::1', '2001:0db8:0:0:0:0:0:1', '2001:DB8::0:1', '2001:db8::0.0.0.1'];
    expect(new Set(spellings.map((text) => parseAddress(text)?.value)).size).toBe(1);
  });

  test('blocks need zero host bits and a sane length', () => {
    expect(parseBlock('10.0.0.0/8')).not.toBeNull();
    for (const text of [
      '10.0.0.1/8',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/08',
      '10.0.0.0/-1',
      'fd00::/129',
      'x/8',
      '10.0.0.0/8/8',
    ]) {
      expect(parseBlock(text), text).toBeNull();
    }
    const block = parseBlock('10.0.0.0/8');
    const inside = parseAddress('10.255.255.255');
    const outside = parseAddress('11.0.0.0');
    expect(block && inside && blockHolds(block, inside)).toBe(true);
    expect(block && outside && blockHolds(block, outside)).toBe(false);
  });

  test('any text gets a class and none throws', () => {
    fc.assert(fc.property(fc.string(), (text) => addressClasses.includes(classOf(text))));
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:%/x') });
    fc.assert(
      fc.property(digits, (text) => addressClasses.includes(classOf(text))),
      { numRuns: 3000 },
    );
  });
});
