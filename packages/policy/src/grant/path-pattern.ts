import { canonicalPath } from '../canonical/path.ts';
import { type GrantProblem, wrongGrant } from './grant.ts';

/**
 * A path with `*` for exactly one segment and, at the end, `**` for this path and all below. A backslash before a star
 * makes it the character itself: an agent may send one, and a grant for that path must not become a wildcard.
 */
export interface PathPattern {
  readonly ok: true;
  /** `null` is any one segment. */
  readonly segments: readonly (string | null)[];
  readonly below: boolean;
  /** As written, canonical. */
  readonly text: string;
}

export function parsePathPattern(
  text: string,
  field: 'allow' | 'deny',
  options: { readonly encodedSlash?: boolean } = {},
): PathPattern | GrantProblem {
  const parts = text.slice(1).split('/');
  const below = parts.at(-1) === '**';
  const wanted = below ? parts.slice(0, -1) : parts;
  for (const part of wanted) {
    if (part === '**')
      return wrongGrant(field, '`**` stands at the end of a path only', text.slice(0, text.indexOf('**') + 2));
    if (part !== '*' && unescaped.test(part)) {
      return wrongGrant(field, '`*` stands for one whole segment', text.replaceAll(/[^/]*\*[^/]*/g, '*'));
    }
  }
  const canonical = canonicalPath(`/${wanted.map(withoutEscapes).join('/')}`, options);
  if (!canonical.ok) return wrongGrant(field, canonical.message, canonical.mend);
  const plain = canonical.path.slice(1).split('/');
  if (!below || wanted.length > 0) {
    const shorter = plain.length !== Math.max(wanted.length, 1);
    if (shorter) return wrongGrant(field, 'a granted path has no dot segments', canonical.path);
  }
  const segments =
    below && wanted.length === 0 ? [] : plain.map((part, index) => (wanted[index] === '*' ? null : part));
  const shown = segments.map((part) => (part === null ? '*' : escapeStars(part))).join('/');
  return { ok: true, segments, below, text: below ? `${shown === '' ? '' : `/${shown}`}/**` : `/${shown}` };
}

/** A star that is not the character itself. */
const unescaped = /(^|[^\\])\*/;
const withoutEscapes = (part: string): string => part.replaceAll('\\*', '*');

/** A literal path as a pattern that means it and nothing else. */
export function escapeStars(path: string): string {
  return path.replaceAll('*', '\\*');
}

/** Everything below the root: no condition at all. */
export function isAnyPath({ segments, below }: PathPattern): boolean {
  return below && segments.length === 0;
}

/**
 * The condition on `context.http.route` (numbered segments and a final slash). `*` in a `like` pattern runs over
 * slashes, but since `/2:` occurs once in a route, a literal behind it pins it to its segment. Where nothing stands
 * behind it a second condition keeps it from running over the next one.
 */
export function routeCondition({ segments, below }: PathPattern): string {
  const route = 'context.http.route';
  const parts = segments.map((segment, index) => `/${index}:${segment === null ? '*' : literal(segment)}`);
  const next = `/${segments.length}:`;
  const exact = segments.every((segment) => segment !== null);
  if (exact && !below) return `${route} == ${cedarString(`${segments.map((s, i) => `/${i}:${s}`).join('')}/`)}`;
  if (below) return `${route} like "${parts.join('')}/*"`;
  const ends = `${route} like "${parts.join('')}/"`;
  return segments.at(-1) === null ? `${ends} && !(${route} like "*${next}*")` : ends;
}

/** A Cedar string literal (Cedar's escapes are a subset of JSON's for what a canonical text can hold). */
export function cedarString(text: string): string {
  return `"${escapeText(text)}"`;
}

/** A literal part of a `like` pattern: its own `*` is not a wildcard. */
function literal(text: string): string {
  return escapeText(text).replaceAll('*', '\\*');
}

function escapeText(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll(/[^ -~]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
