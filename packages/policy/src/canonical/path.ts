import { type Refusal, refuse } from '../error.ts';
import { limits } from '../limits.ts';
import type { CanonicalCode } from './host.ts';

export interface CanonicalPath {
  readonly ok: true;
  readonly path: string;
}

export interface PathOptions {
  /** The grant says that an escaped slash is part of a segment (npm scopes: `/@scope%2fname`). */
  readonly encodedSlash?: boolean;
}

/**
 * RFC 3986 §2.3: an escape of one of these means the same as the character, so there is one spelling. Beside the
 * unreserved ones those that separate nothing inside a segment: every server reads `things%3Adelete` as
 * `things:delete`, so a rule for the one must meet the other.
 */
const oneSpelling = /^[A-Za-z0-9._~:@!$(),-]$/;
/** What may stand in a path as it is (RFC 3986 pchar); everything else is written as an escape. */
const plain = /^[A-Za-z0-9._~!$&'()*+,;=:@/-]*$/;
const pchar = /^[A-Za-z0-9._~!$&'()*+,;=:@-]$/;

/**
 * The one spelling of a path, which is judged and forwarded alike. Refused is what servers are known to read in
 * two ways: escaped dots, slashes and backslashes, hidden dot segments, overlong UTF-8, double escapes, control characters, and
 * empty segments (`//`, which many servers merge, so that a rule for `/admin` would not meet `//admin`).
 */
export function canonicalPath(text: string, options: PathOptions = {}): CanonicalPath | Refusal<CanonicalCode> {
  const no = (message: string, mend: string | null = null) => refuse('path-not-canonical' as const, message, mend);
  if (!text.startsWith('/')) return no('a path starts with /');
  if (text.length > limits.pathCharsMax) return no(`a path has at most ${limits.pathCharsMax} characters`);
  if (plain.test(text) && !text.includes('//') && !text.includes('/.')) return withinSegments(text);
  const segments: string[] = [];
  const parts = text.slice(1).split('/');
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1;
    if (part === '' && !last) return no('a path has no empty segment', text.replaceAll(/\/{2,}/g, '/'));
    const segment = canonicalSegment(part, options.encodedSlash ?? false);
    if (typeof segment !== 'string') return segment;
    if (hidesDots(segment)) return no('a segment hides a dot segment behind `;` or an escaped slash');
    if (segment === '.' || segment === '..') {
      if (segment !== part) return no('a dot segment is not escaped');
      if (segment === '..') segments.pop();
      if (last) segments.push('');
      continue;
    }
    segments.push(segment);
  }
  if (segments.some((segment) => overlong.test(segment))) return no('an escape in the path is no UTF-8');
  if (segments.some((segment) => escapedTwice.test(segment))) return no('a dot or a slash is escaped twice');
  return withinSegments(`/${segments.join('/')}`);
}

/** UTF-8 that says a character in more bytes than it needs: old decoders read `%C0%AE` as a dot, `%C0%AF` as a slash. */
const overlong = /%C[01]|%E0%[89]|%F0%8/;
/** A proxy that unescapes before the server does too makes a dot, a slash, a backslash or NUL of these. */
const escapedTwice = /%25(?:2[EeFf]|5[Cc]|00)/;

/**
 * `..;x` is `..` to servers that cut path parameters off before they resolve dots, and `..%2Fadmin` to those that
 * unescape first: both leave the part of the tree that a grant names.
 */
function hidesDots(segment: string): boolean {
  if (!segment.startsWith('.') && !segment.includes('%2F')) return false;
  const parts = segment.split('%2F').map((part) => part.split(/;|%3B/)[0]);
  return (parts.length > 1 || parts[0] !== segment) && parts.some((part) => part === '.' || part === '..');
}

/** Numbered segments and a final slash, so that a pattern names exactly the segment that it means. */
export function route(path: string): string {
  return `${path
    .slice(1)
    .split('/')
    .map((segment, index) => `/${index}:${segment}`)
    .join('')}/`;
}

function withinSegments(path: string): CanonicalPath | Refusal<CanonicalCode> {
  let slashes = 0;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) slashes++;
  if (slashes > limits.pathSegmentsMax) {
    return refuse('path-not-canonical', `a path has at most ${limits.pathSegmentsMax} segments`);
  }
  return { ok: true, path };
}

function canonicalSegment(text: string, encodedSlash: boolean): string | Refusal<CanonicalCode> {
  const no = (message: string) => refuse('path-not-canonical' as const, message);
  let written = '';
  for (let at = 0; at < text.length; at++) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    at += character.length - 1;
    const code = text.charCodeAt(at);
    if (character === '%') {
      const escaped = canonicalEscape(text.slice(at, at + 3), encodedSlash);
      if (escaped === null) return no('an escape in the path is incomplete or of a kind that is read in two ways');
      written += escaped;
      at += 2;
    } else if (pchar.test(character)) {
      written += character;
    } else if (code < 0x20 || code === 0x7f || '\\?#'.includes(character) || !character.isWellFormed()) {
      return no('a path has no control character, backslash, question mark or hash');
    } else {
      written += encodeURIComponent(character);
    }
  }
  return written;
}

function canonicalEscape(text: string, encodedSlash: boolean): string | null {
  if (!/^%[0-9a-fA-F]{2}$/.test(text)) return null;
  const code = Number.parseInt(text.slice(1), 16);
  const character = String.fromCharCode(code);
  if (code < 0x20 || code === 0x7f || character === '\\') return null;
  if (character === '/' && !encodedSlash) return null;
  return oneSpelling.test(character) ? character : text.toUpperCase();
}
