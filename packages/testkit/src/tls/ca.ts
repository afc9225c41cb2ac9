import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { systemClock, systemRandom } from '@cordon/protocol';
import { bits, boolean, integer, objectId, octets, sequence, setOf, tagged, text, time } from './der.ts';

export interface IssuedCertificate {
  /** PEM. */
  readonly cert: string;
  /** PKCS#8 PEM. */
  readonly key: string;
}

export interface LeafOptions {
  /** Milliseconds since the epoch; default: one hour ago to one day ahead. */
  readonly notBefore?: number;
  readonly notAfter?: number;
}

const oid = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const hourMs = 3_600_000;

/**
 * A certificate authority for tests: an EC P-256 root that lives as long as the object. It is written without the
 * code that it helps to test, so that a mistake in the interception CA does not hide in both places.
 */
export class TestCa {
  readonly #key: KeyObject;
  readonly #name: Uint8Array;
  readonly #nowMs: number;
  /** The root, PEM. */
  readonly certificate: string;

  constructor(commonName = 'Cordon test root', nowMs: number = systemClock.now()) {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = pair.privateKey;
    this.#name = distinguishedName(commonName);
    this.#nowMs = nowMs;
    this.certificate = this.#sign(this.#name, pair.publicKey, nowMs - hourMs, nowMs + 24 * hourMs, [
      extension(oid.basicConstraints, true, sequence(boolean(true))),
      // keyCertSign and cRLSign
      extension(oid.keyUsage, true, tagged(0x03, Buffer.from([1, 0x06]))),
    ]);
  }

  /** A server certificate for these names and addresses. */
  issue(names: readonly string[], options: LeafOptions = {}): IssuedCertificate {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const notBefore = options.notBefore ?? this.#nowMs - hourMs;
    const notAfter = options.notAfter ?? this.#nowMs + 24 * hourMs;
    const cert = this.#sign(distinguishedName(names[0] ?? 'nobody'), pair.publicKey, notBefore, notAfter, [
      extension(oid.basicConstraints, true, sequence()),
      extension(oid.keyUsage, true, tagged(0x03, Buffer.from([7, 0x80]))),
      extension(oid.extendedKeyUsage, false, sequence(objectId(oid.serverAuth))),
      extension(oid.subjectAltName, false, sequence(...names.map(alternativeName))),
    ]);
    return { cert, key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }

  #sign(
    subject: Uint8Array,
    subjectKey: KeyObject,
    notBefore: number,
    notAfter: number,
    extensions: readonly Uint8Array[],
  ): string {
    const algorithm = sequence(objectId(oid.ecdsaWithSha256));
    const body = sequence(
      tagged(0xa0, integer(Buffer.from([2]))),
      integer(systemRandom.bytes(16)),
      algorithm,
      this.#name,
      sequence(time(notBefore), time(notAfter)),
      subject,
      subjectKey.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', body, this.#key);
    return toPem(sequence(body, algorithm, bits(signature)));
  }
}

function distinguishedName(commonName: string): Uint8Array {
  return sequence(setOf(sequence(objectId(oid.commonName), text(commonName))));
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return critical ? sequence(objectId(id), boolean(true), octets(value)) : sequence(objectId(id), octets(value));
}

/** RFC 5280 §4.2.1.6: dNSName [2] or iPAddress [7]. */
function alternativeName(name: string): Uint8Array {
  switch (isIP(name)) {
    case 4:
      return tagged(0x87, Buffer.from(name.split('.').map(Number)));
    case 6:
      return tagged(0x87, ipv6Bytes(name));
    default:
      return tagged(0x82, Buffer.from(name, 'ascii'));
  }
}

function ipv6Bytes(address: string): Uint8Array {
  const [head = '', tail = ''] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const groups = address.includes('::')
    ? [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
    : before;
  const bytes = Buffer.alloc(16);
  groups.forEach((group, at) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), at * 2);
  });
  return bytes;
}

function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
