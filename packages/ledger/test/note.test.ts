import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCheckpoint, openCheckpoint } from '../src/tree/checkpoint.ts';
import { createCheckpointKey, openNote, openSigner, parseVerifierKey } from '../src/tree/note.ts';
import { origin } from './rig.ts';

// The example of the signed-note format, as its first implementation publishes it.
const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const seed = Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1);
const vkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const note = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
/** PKCS #8 of an Ed25519 seed (RFC 8410 §7). */
const pem = `-----BEGIN PRIVATE KEY-----\n${Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]).toString('base64')}\n-----END PRIVATE KEY-----\n`;

describe('signed note', () => {
  it('signs and opens the published example', () => {
    const signer = openSigner('PeterNeumann', pem);
    expect(signer.verifierKey).toBe(vkey);
    expect(signer.sign(text)).toBe(note);
    expect(openNote(note, parseVerifierKey(vkey))).toBe(text);
  });

  it('opens with other signatures beside it, and not without ours', () => {
    const other = openSigner('witness.test', createCheckpointKey('witness.test', 'ed25519').privatePem);
    const line = other.sign(text).slice(text.length + 1);
    expect(openNote(note + line, parseVerifierKey(vkey))).toBe(text);
    expect(openNote(`${text}\n${line}${note.slice(text.length + 1)}`, parseVerifierKey(vkey))).toBe(text);
    expect(() => openNote(`${text}\n${line}`, parseVerifierKey(vkey))).toThrow(/no signature of PeterNeumann/);
  });

  it('opens no note of which any byte was changed', () => {
    const verifier = parseVerifierKey(vkey);
    const bytes = Buffer.from(note);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      let opened: string | null = null;
      try {
        opened = openNote(changed.toString(), verifier);
      } catch (error) {
        expect((error as { code: string }).code).toBe('ledger-note');
      }
      expect(opened, `byte ${at}`).toBeNull();
    }
  });

  it('signs no text that a reader could take for another', () => {
    const signer = openSigner('PeterNeumann', pem);
    for (const bad of ['no newline', 'tab\there\n', 'return\r\n', 'nul\0\n', '\ud800\n']) {
      expect(() => signer.sign(bad)).toThrow(/control characters/);
    }
  });

  it('refuses keys that are none', () => {
    const other = createCheckpointKey('PeterNeumann', 'ed25519').verifierKey;
    const mixed = `${vkey.slice(0, vkey.lastIndexOf('+'))}+${other.slice(other.lastIndexOf('+') + 1)}`;
    for (const bad of [
      '',
      'x',
      mixed,
      vkey.replace('PeterNeumann', 'Peter'),
      vkey.replace('+AR', '+Ah'),
      `${vkey} x`,
    ]) {
      expect(() => parseVerifierKey(bad), bad).toThrow(/no verifier key/);
    }
    expect(() => openSigner('with space', pem)).toThrow(/without spaces/);
    expect(() => openSigner('plus+sign', pem)).toThrow(/without spaces/);
    expect(() => openSigner('name', 'nonsense')).toThrow(/cannot be read/);
    const rsa = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
    expect(() => openSigner('name', rsa.toString())).toThrow(/no Ed25519/);
  });

  it('never throws anything but its own error on hostile notes', () => {
    const verifier = parseVerifierKey(vkey);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a\n', '\n', '— ', 'PeterNeumann ', 'x08go/ZJ', '=', ' ', '\0')),
        (parts) => {
          try {
            openNote(parts.join(''), verifier);
          } catch (error) {
            expect((error as { code: string }).code).toBe('ledger-note');
          }
        },
      ),
    );
  });
});

describe('checkpoint', () => {
  const signer = openSigner(origin, createCheckpointKey(origin, 'ed25519').privatePem);
  const verifier = parseVerifierKey(signer.verifierKey);
  const root = Buffer.alloc(32, 7);

  it('says origin, size and root, and may carry lines that we do not know', () => {
    const body = encodeCheckpoint({ origin, size: 12, root });
    expect(body).toBe(`${origin}\n12\n${root.toString('base64')}\n`);
    expect(openCheckpoint(signer.sign(body), verifier)).toEqual({ origin, size: 12, root });
    expect(openCheckpoint(signer.sign(`${body}extension\n`), verifier).size).toBe(12);
  });

  it('is nothing else, even when it is signed', () => {
    const base64 = root.toString('base64');
    const wrong = [
      `other.test/ledger\n12\n${base64}\n`,
      `${origin}\n012\n${base64}\n`,
      `${origin}\n-1\n${base64}\n`,
      `${origin}\n1e3\n${base64}\n`,
      `${origin}\n99999999999999999\n${base64}\n`,
      `${origin}\n12\n${base64.slice(4)}\n`,
      `${origin}\n12\n${base64.slice(0, -1)}\n`,
      `${origin}\n12\n`,
      `${origin}\n`,
    ];
    for (const body of wrong)
      expect(() => openCheckpoint(signer.sign(body), verifier), body).toThrow(/not a checkpoint/);
  });
});
