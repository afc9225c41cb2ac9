import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createSigningKey,
  type Envelope,
  openEnvelope,
  openSigningKey,
  parsePublicKey,
  preAuthEncoding,
  signEnvelope,
} from '../src/dsse.ts';
import { limits } from '../src/limits.ts';

const type = 'application/vnd.cordon.test+json';

describe('the pre-authentication encoding', () => {
  it('is that of the DSSE specification', () => {
    const vectors: ReadonlyArray<readonly [string, string, string]> = [
      // protocol.md, "Test Vectors"
      ['http://example.com/HelloWorld', 'hello world', 'DSSEv1 29 http://example.com/HelloWorld 11 hello world'],
      ['', '', 'DSSEv1 0  0 '],
      // Lengths are bytes, not characters.
      ['ü', 'é', 'DSSEv1 2 ü 2 é'],
    ];
    for (const [payloadType, payload, encoded] of vectors) {
      expect(preAuthEncoding(payloadType, Buffer.from(payload)).toString('utf8')).toBe(encoded);
    }
  });

  it('never gives two records one encoding', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), fc.string(), fc.uint8Array(), (typeA, bodyA, typeB, bodyB) => {
        const same = typeA === typeB && Buffer.from(bodyA).equals(bodyB);
        const encoded = preAuthEncoding(typeA, bodyA).equals(preAuthEncoding(typeB, bodyB));
        expect(encoded).toBe(same);
      }),
    );
  });
});

describe('an envelope', () => {
  const alice = createSigningKey();
  const bob = createSigningKey();
  const signed = signEnvelope(type, '{"a":1}', [openSigningKey(alice.privatePem)]);
  const open = (envelope: unknown, keys = [alice.pinned, bob.pinned], as = type) => {
    const opened = openEnvelope(envelope, as, keys);
    return opened.ok ? opened.signers : opened.code;
  };

  it('opens to the bytes that were signed and names who signed them', () => {
    const opened = openEnvelope(signed, type, [alice.pinned]);
    expect(opened).toMatchObject({ ok: true, signers: [alice.pinned.id] });
    expect(opened.ok && opened.payload.toString()).toBe('{"a":1}');
    const both = signEnvelope(type, 'x', [openSigningKey(alice.privatePem), openSigningKey(bob.privatePem)]);
    expect(open(both)).toEqual([alice.pinned.id, bob.pinned.id].sort());
    // The same key twice is one signer.
    const [signature] = signed.signatures;
    expect(open({ ...signed, signatures: [signature, signature] })).toEqual([alice.pinned.id]);
  });

  it('is refused when one byte, the type, the key or the signature is another', () => {
    const [signature] = signed.signatures as [Envelope['signatures'][number]];
    const withSignature = (sig: string, keyid = signature.keyid) => ({ ...signed, signatures: [{ keyid, sig }] });
    const flipped = Buffer.from(signature.sig, 'base64');
    flipped[3] = (flipped[3] ?? 0) ^ 1;
    expect(open({ ...signed, payload: Buffer.from('{"a":2}').toString('base64') })).toBe('signature-wrong');
    expect(open(signed, undefined, `${type}2`)).toBe('envelope-type');
    expect(open({ ...signed, payloadType: `${type}2` }, undefined, `${type}2`)).toBe('signature-wrong');
    expect(open(withSignature(flipped.toString('base64')))).toBe('signature-wrong');
    expect(open(withSignature('AA=='))).toBe('signature-wrong');
    expect(open(withSignature(signature.sig, bob.pinned.id))).toBe('signature-wrong');
    expect(open(signed, [bob.pinned])).toBe('signature-unknown-key');
    // One good signature beside a bad one of a pinned key is no good envelope.
    const bad = { keyid: bob.pinned.id, sig: signature.sig };
    expect(open({ ...signed, signatures: [signature, bad] })).toBe('signature-wrong');
  });

  it('is checked by the key that its id says, and by no other algorithm', () => {
    // A pinned record whose bytes are another key's: the id is that of alice, the key of bob.
    const forged = signEnvelope(type, 'x', [{ ...openSigningKey(bob.privatePem), keyid: alice.pinned.id }]);
    expect(open(forged, [{ ...bob.pinned, id: alice.pinned.id }])).toBe('signature-wrong');
    expect(open(signed, [{ ...alice.pinned, algorithm: 'none' as 'ed25519' }])).toBe('signature-wrong');
    const rsa = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    expect(() => openSigningKey(rsa.export({ type: 'pkcs8', format: 'pem' }).toString())).toThrow('Ed25519');
    expect(() => openSigningKey('no key')).toThrow('no private key');
    expect(createPrivateKey(alice.privatePem).asymmetricKeyType).toBe('ed25519');
    expect(parsePublicKey(alice.pinned.publicKey)).toEqual(alice.pinned);
    for (const text of ['', 'AAAA', `${alice.pinned.publicKey}A`, 'ä']) expect(parsePublicKey(text)).toBeNull();
  });

  it('of another shape is malformed, whatever it is', () => {
    const [signature] = signed.signatures;
    const shapes: unknown[] = [
      null,
      [],
      'x',
      {},
      { ...signed, more: 1 },
      { ...signed, payload: 1 },
      { ...signed, payload: 'a' },
      { ...signed, payload: `${signed.payload}\n` },
      { ...signed, payload: 'A'.repeat(limits.envelopeCharsMax + 1) },
      { ...signed, payloadType: 'x'.repeat(257) },
      { ...signed, signatures: [] },
      { ...signed, signatures: Array(limits.envelopeSignaturesMax + 1).fill(signature) },
      { ...signed, signatures: [{ ...signature, alg: 'none' }] },
      { ...signed, signatures: [{ keyid: 1, sig: 'x' }] },
    ];
    for (const shape of shapes) expect(open(shape)).toBe('envelope-malformed');
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(open(value)).toBe('envelope-malformed');
      }),
    );
  });
});
