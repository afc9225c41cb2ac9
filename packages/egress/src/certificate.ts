import { hash, type KeyObject, sign } from 'node:crypto';
import type { Random } from '@cordon/protocol';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Extension,
  Extensions,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';

/** RFC 5758 §3.2; no parameters. */
const algorithm = new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' });
const algorithmBytes = Buffer.from(AsnConvert.serialize(algorithm));
const commonNameOid = '2.5.4.3';
const organizationOid = '2.5.4.10';
/** X.520 upper bound of a common name; a longer host stands in the SAN alone. */
const commonNameCharsMax = 64;

export interface CertificateOrder {
  readonly subject: Name;
  readonly issuer: Name;
  readonly publicKey: SubjectPublicKeyInfo;
  /** The issuer's EC P-256 key. */
  readonly signer: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly extensions: readonly Extension[];
}

/** An X.509 v3 certificate (RFC 5280) as PEM. */
export function issueCertificate(order: CertificateOrder, random: Random): string {
  const body = Buffer.from(
    AsnConvert.serialize(
      new TBSCertificate({
        version: Version.v3,
        serialNumber: serialNumber(random),
        signature: algorithm,
        issuer: order.issuer,
        validity: new Validity({ notBefore: wholeSecond(order.notBeforeMs), notAfter: wholeSecond(order.notAfterMs) }),
        subject: order.subject,
        subjectPublicKeyInfo: order.publicKey,
        extensions: new Extensions([...order.extensions]),
      }),
    ),
  );
  // RFC 5280 §4.1, around the very bytes that were signed.
  const signature = sign('sha256', body, order.signer);
  return toPem(der(0x30, [body, algorithmBytes, der(0x03, [Buffer.of(0), signature])]));
}

/** One value of ASN.1 in DER (X.690 §8.1.3). */
function der(tag: number, parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

export function extension(oid: string, critical: boolean, value: object): Extension {
  return new Extension({ extnID: oid, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

export function nameOf(organization: string, commonName: string): Name {
  const parts = [new RelativeDistinguishedName([attribute(organizationOid, organization)])];
  if (commonName.length <= commonNameCharsMax) {
    parts.push(new RelativeDistinguishedName([attribute(commonNameOid, commonName)]));
  }
  return new Name(parts);
}

/** RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256 over the key's bits. */
export function keyIdentifier({ subjectPublicKey }: SubjectPublicKeyInfo): ArrayBuffer {
  return toArrayBuffer(hash('sha256', new Uint8Array(subjectPublicKey), 'buffer').subarray(0, 20));
}

export function publicKeyInfo(key: KeyObject): SubjectPublicKeyInfo {
  return AsnConvert.parse(toArrayBuffer(key.export({ type: 'spki', format: 'der' })), SubjectPublicKeyInfo);
}

function attribute(type: string, text: string): AttributeTypeAndValue {
  return new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String: text }) });
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets; 126 random bits. */
function serialNumber(random: Random): ArrayBuffer {
  const bytes = random.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return toArrayBuffer(bytes);
}

function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

function toPem(bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
