import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { ledgerError } from '../error.ts';
import {
  checkKeyName,
  hashKey,
  type NoteKey,
  parseBase64,
  parseKeyText,
  rawPublicKey,
  readPrivateKey,
} from './note-key.ts';

/** C2SP signed notes with Ed25519 (algorithm 0x01): text, an empty line, one `— name base64` line per signature. */

const ed25519 = 1;

export interface CheckpointSigner {
  /** Name of the key, which is the log's origin. */
  readonly name: string;
  /** `name+hash+base64`, the public half as others hold it. */
  readonly verifierKey: string;
  sign(text: string): string;
}

export type NoteVerifier = NoteKey;

/** A new log key: the private half as PKCS #8 PEM, to be kept 0600, and the public half for everybody. */
export function createCheckpointKey(origin: string): { readonly privatePem: string; readonly verifierKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privatePem, verifierKey: openSigner(origin, privatePem).verifierKey };
}

/** @throws CordonError `ledger-key` */
export function openSigner(name: string, privatePem: string | Uint8Array): CheckpointSigner {
  checkKeyName(name);
  const privateKey = readPrivateKey(privatePem);
  const raw = rawPublicKey(createPublicKey(privateKey));
  const keyHash = hashKey(name, ed25519, raw);
  const key = Buffer.concat([Buffer.from([ed25519]), raw]).toString('base64');
  return {
    name,
    verifierKey: `${name}+${keyHash.toString('hex')}+${key}`,
    sign: (text) => {
      if (!isNoteText(text)) throw ledgerError('ledger-note', 'a note is lines of text without control characters');
      const signature = Buffer.concat([keyHash, sign(null, Buffer.from(text), privateKey)]);
      return `${text}\n— ${name} ${signature.toString('base64')}\n`;
    },
  };
}

/** @throws CordonError `ledger-key` */
export function parseVerifierKey(text: string): NoteVerifier {
  const parsed = parseKeyText(text, ed25519);
  if (parsed === null) throw ledgerError('ledger-key', 'this is no verifier key (NAME+HASH+BASE64) of an Ed25519 log');
  return parsed;
}

/**
 * The text of a note that this key has signed. Other signatures may stand beside it and are not looked at.
 *
 * @throws CordonError `ledger-note`
 */
export function openNote(note: string, verifier: NoteVerifier): string {
  const { text, lines } = splitNote(note);
  for (const line of lines) {
    const [, name, encoded] = /^— (\S+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? [];
    if (name === undefined || encoded === undefined) throw ledgerError('ledger-note', 'not a signed note');
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
  if (split < 0 || lines.pop() !== '' || !isNoteText(text)) throw ledgerError('ledger-note', 'not a signed note');
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
