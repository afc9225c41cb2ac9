import { limits } from './limits.ts';

const prefix = 'cordon:secret:';

/** Lower case, because names are compared exactly and a person should not have to remember case. */
export function isSecretName(text: string): boolean {
  return text.length <= limits.nameCharsMax && /^[a-z][a-z0-9_-]*$/.test(text);
}

/** What the agent holds in place of a value; it means nothing outside. */
export function placeholderOf(name: string): string {
  return `${prefix}${name}`;
}

/**
 * Every placeholder in a text, in order. A name ends at the first character that no name has, so nested ones
 * (`cordon:secret:cordon:secret:x`) are two, and one that is split, coded or in another letter case is text.
 */
export function findPlaceholders(text: string): string[] {
  const names: string[] = [];
  for (let at = text.indexOf(prefix); at >= 0; at = text.indexOf(prefix, at + prefix.length)) {
    const name = /^[A-Za-z0-9_-]+/.exec(text.slice(at + prefix.length, at + prefix.length + limits.nameCharsMax + 1));
    if (name !== null) names.push(name[0]);
  }
  return names;
}

export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** RFC 7617: `Basic ` and canonical base64 of `user:password`. Null for all else, which then is plain text. */
export function parseBasic(value: string): BasicCredentials | null {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value);
  const coded = match?.[1];
  if (coded === undefined) return null;
  const decoded = Buffer.from(coded, 'base64').toString('latin1');
  const colon = decoded.indexOf(':');
  return colon < 0 ? null : { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
