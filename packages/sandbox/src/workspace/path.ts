import { CordonError } from '@cordon/protocol';
import { workspaceLimits } from '../limits.ts';
import type { WorkspaceErrorCode } from './error.ts';

/**
 * A path below a workspace as the file system has it: one character per byte (latin1), `/`-separated. File names are
 * bytes, not text, and a name that is not UTF-8 must neither vanish nor be confused with another one.
 */
export type RawPath = string & { readonly rawPath: unique symbol };

// Also bidirectional controls: shown raw, they let one name look like another.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not pass
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\\]/gu;

/** What people and programs read: UTF-8 where it is; other bytes, controls and the backslash as `\xNN`. Reversible. */
export function pathToText(path: RawPath): string {
  const bytes = Buffer.from(path, 'latin1');
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  if (Buffer.from(text, 'utf8').equals(bytes))
    return text.replace(unprintable, (part) => escapeBytes(Buffer.from(part)));
  return escapeInvalid(bytes);
}

/** @throws CordonError `path-invalid` */
export function parsePathText(text: string): RawPath {
  const raw = Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/\\x([0-9a-f]{2})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return parseRawPath(raw);
}

/** @throws CordonError `path-invalid` */
export function parseRawPath(raw: string): RawPath {
  const bad = raw.length > workspaceLimits.pathBytesMax || raw.includes('\0') || raw.split('/').some(isNoName);
  if (bad) {
    throw new CordonError<WorkspaceErrorCode>(
      'path-invalid',
      'a path below the workspace, without empty or dot parts',
      {
        expose: true,
      },
    );
  }
  return raw as RawPath;
}

export function splitPath(path: RawPath): string[] {
  return path.split('/');
}

export function parentOf(path: RawPath): RawPath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as RawPath;
}

export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

/** Parents before what is in them, otherwise by byte. */
export function comparePaths(a: RawPath, b: RawPath): number {
  const left = a.replaceAll('/', '\0');
  const right = b.replaceAll('/', '\0');
  return left < right ? -1 : left > right ? 1 : 0;
}

function isNoName(part: string): boolean {
  return part === '' || part === '.' || part === '..';
}

function escapeBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

/** Keeps the well-formed stretches of a byte string readable and escapes the rest. */
function escapeInvalid(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = utf8Length(bytes, at);
    const part = bytes.subarray(at, at + Math.max(1, length));
    text +=
      length === 0 ? escapeBytes(part) : part.toString('utf8').replace(unprintable, (c) => escapeBytes(Buffer.from(c)));
    at += part.length;
  }
  return text;
}

/** Length of the well-formed UTF-8 character at `at`; 0 if there is none. */
function utf8Length(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  const part = bytes.subarray(at, at + length);
  return length > 0 && part.length === length && Buffer.from(part.toString('utf8')).equals(part) ? length : 0;
}
