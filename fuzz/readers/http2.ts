/**
 * A second reader of the heads of HTTP/2, written from RFC 9113 §8.2 and §8.3 alone, over fields as they were sent.
 * What the gateway accepts must be the same request here.
 */
export type Fields = ReadonlyArray<readonly [name: string, value: string]>;

export interface StrictH2Head {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  /** In order, without `host`, the crumbs of a cookie where the first one stood. */
  readonly fields: Fields;
}

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const required = [':method', ':scheme', ':path'] as const;

/** §8.2.1 and RFC 9110 §5.5: a name is a token in lower case, a value has no control character and no space at its ends. */
export function isWellFormed([name, value]: readonly [string, string]): boolean {
  return token.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value) && !/^[ \t]|[ \t]$/.test(value);
}

/** null: malformed (§8.1.1). */
export function readH2Head(sent: Fields): StrictH2Head | null {
  const count = sent.findIndex(([name]) => !name.startsWith(':'));
  const pseudo = new Map(count < 0 ? sent : sent.slice(0, count));
  const regular = count < 0 ? [] : sent.slice(count);
  // §8.3: before all others, each at most once, and none that is not defined for requests.
  if (pseudo.size !== (count < 0 ? sent.length : count)) return null;
  if ([...pseudo.keys()].some((name) => name !== ':authority' && !required.includes(name as ':path'))) return null;
  if (!required.every((name) => (pseudo.get(name) ?? '') !== '')) return null;
  if (!regular.every(isWellFormed)) return null;
  // §8.2.2.
  if (regular.some(([name, value]) => forbidden.has(name) || (name === 'te' && value.toLowerCase() !== 'trailers'))) {
    return null;
  }
  const hosts = regular.filter(([name]) => name === 'host').map(([, value]) => value.toLowerCase());
  const authority = pseudo.get(':authority') ?? hosts[0];
  // §8.3.1: a server must not treat a request that names two as one that names either.
  if (authority === undefined || hosts.some((one) => one !== authority.toLowerCase())) return null;
  const fields = crumbsJoined(regular.filter(([name]) => name !== 'host'));
  return { method: pseudo.get(':method') ?? '', authority, path: pseudo.get(':path') ?? '', fields };
}

const forbidden: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** §8.2.3. */
function crumbsJoined(fields: Fields): Fields {
  const crumbs = fields.filter(([name]) => name === 'cookie').map(([, value]) => value);
  const first = fields.findIndex(([name]) => name === 'cookie');
  return fields
    .map(([name, value], at): readonly [string, string] => [name, at === first ? crumbs.join('; ') : value])
    .filter(([name], at) => name !== 'cookie' || at === first);
}
