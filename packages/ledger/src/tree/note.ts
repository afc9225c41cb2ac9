import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { ledgerError } from '../error.ts';
import { parseHead } from './head-text.ts';
import {
  checkKeyName,
  hashKey,
  type NoteKey,
  parseBase64,
  parseKeyText,
  rawPublicKey,
  readPrivateKey,
} from './note-key.ts';
import { createSecondKey, noMlDsa, parseSecondKey, secondKeyText, signSecond } from './second-line.ts';

/** C2SP signed notes with Ed25519 (algorithm 0x01): text, an empty line, one `— name base64` line per signature. */

const ed25519 = 1;
const linePattern = /^— (\S+) ([A-Za-z0-9+/]+=*)$/;

export interface CheckpointSigner {
  /** Name of the key, which is the log's origin. */
  readonly name: string;
  /** `name+hash+base64`, the public half as others hold it; a line each when there is a second key. */
  readonly verifierKey: string;
  sign(text: string): string;
}

export interface NoteVerifier extends NoteKey {
  /** The log's ML-DSA-44 key, which then must have signed each of its heads as well. */
  readonly second: NoteKey | null;
}

/**
 * A new log key: the private half as PKCS #8 PEM, to be kept 0600, and the public half for everybody. Two of them, Ed25519
 * and ML-DSA-44, unless only the first is wanted or this Node.js has no other.
 */
export function createCheckpointKey(
  origin: string,
  wanted: 'both' | 'ed25519' = 'both',
): { readonly privatePem: string; readonly verifierKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const first = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const privatePem = wanted === 'both' ? addSecondKey(first) : first;
  return { privatePem, verifierKey: openSigner(origin, privatePem).verifierKey };
}

/** The same keys and a second one, where there is none yet and this Node.js can make it. */
export function addSecondKey(privatePem: string): string {
  return pemBlocks(privatePem).length === 1 ? `${privatePem.trim()}\n${createSecondKey() ?? ''}` : privatePem;
}

/** @throws CordonError `ledger-key` */
export function openSigner(name: string, privatePem: string | Uint8Array): CheckpointSigner {
  checkKeyName(name);
  const [firstPem = '', secondPem = null, ...more] = pemBlocks(Buffer.from(privatePem).toString());
  if (more.length > 0) throw ledgerError('ledger-key', 'a ledger has one key or two');
  const privateKey = readPrivateKey(firstPem);
  const second = secondPem === null ? null : readSecond(secondPem);
  const raw = rawPublicKey(createPublicKey(privateKey));
  const keyHash = hashKey(name, ed25519, raw);
  const key = Buffer.concat([Buffer.from([ed25519]), raw]).toString('base64');
  const verifierKey = `${name}+${keyHash.toString('hex')}+${key}`;
  return {
    name,
    verifierKey: second === null ? verifierKey : `${verifierKey}\n${secondKeyText(name, second)}`,
    sign: (text) => {
      if (!isNoteText(text)) throw ledgerError('ledger-note', 'a note is lines of text without control characters');
      const signature = Buffer.concat([keyHash, sign(null, Buffer.from(text), privateKey)]);
      return `${text}\n— ${name} ${signature.toString('base64')}\n${second === null ? '' : signHead(text, name, second)}`;
    },
  };
}

/** @throws CordonError `ledger-note`: the second signature does not cover what follows the first three lines */
function signHead(text: string, name: string, key: KeyObject): string {
  const head = parseHead(text);
  if (head === null || head.origin !== name || head.extensions > 0) {
    throw ledgerError('ledger-note', `the second key of ${name} signs its heads and nothing else`);
  }
  return signSecond(head, key);
}

function pemBlocks(pem: string): string[] {
  return pem.match(/-----BEGIN [^-]+-----[^-]*-----END [^-]+-----/g) ?? [pem];
}

function readSecond(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw noMlDsa(cause);
  }
  if (key.asymmetricKeyType !== 'ml-dsa-44')
    throw ledgerError('ledger-key', 'the second ledger key is no ML-DSA-44 key');
  return key;
}

/**
 * One key a line: the Ed25519 key of the log, and below it the ML-DSA-44 key if the log has published one.
 *
 * @throws CordonError `ledger-key`
 */
export function parseVerifierKey(text: string): NoteVerifier {
  const [firstText = '', secondText = null, ...more] = text.trim().split('\n');
  const first = parseKeyText(firstText, ed25519);
  const second = secondText === null ? null : parseSecondKey(secondText);
  if (first === null || more.length > 0 || (secondText !== null && second?.name !== first.name)) {
    throw ledgerError(
      'ledger-key',
      'this is no verifier key (NAME+HASH+BASE64) of an Ed25519 log, with an ML-DSA-44 key of the same name or alone',
    );
  }
  return { ...first, second };
}

/**
 * The text of a note that this key has signed. Other signatures may stand beside it and are not looked at.
 *
 * @throws CordonError `ledger-note`
 */
export function openNote(note: string, verifier: NoteVerifier): string {
  const { text, lines } = splitNote(note);
  for (const line of lines) {
    const [, name = '', encoded = ''] = linePattern.exec(line) ?? [];
    const signature = parseBase64(encoded);
    if (name !== verifier.name || !signature.subarray(0, 4).equals(verifier.keyHash)) continue;
    if (!verify(null, Buffer.from(text), verifier.publicKey, signature.subarray(4))) {
      throw ledgerError('ledger-note', `the signature of ${name} does not fit the text`);
    }
    return text;
  }
  throw ledgerError('ledger-note', `no signature of ${verifier.name}+${verifier.keyHash.toString('hex')}`);
}

/** Its text and its signature lines. @throws CordonError `ledger-note` */
export function splitNote(note: string): { readonly text: string; readonly lines: readonly string[] } {
  const split = note.lastIndexOf('\n\n');
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2).split('\n');
  const whole = split >= 0 && lines.pop() === '' && lines.every((line) => linePattern.test(line));
  if (!whole || !isNoteText(text)) throw ledgerError('ledger-note', 'not a signed note');
  return { text, lines };
}

function isNoteText(text: string): boolean {
  if (!text.endsWith('\n') || !text.isWellFormed()) return false;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 && code !== 0x0a) return false;
  }
  return true;
}
