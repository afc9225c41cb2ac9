import { parse } from 'tldts';
import { canonicalHost } from '../canonical/host.ts';
import { type CanonicalOrigin, canonicalOrigin, defaultPort, originText, type Scheme } from '../canonical/origin.ts';
import { type GrantProblem, wrongGrant } from './grant.ts';
import { type PathPattern, parsePathPattern } from './path-pattern.ts';

/** Where a grant points to. */
export interface Target {
  readonly ok: true;
  readonly scheme: Scheme;
  /** Of the one host, or of every name strictly below it. */
  readonly host: string;
  readonly wildcard: boolean;
  /** A name, not an address. */
  readonly named: boolean;
  readonly port: number;
  /** The port or the scheme was said, so a deny means only that one. */
  readonly exact: boolean;
  /** `https://api.github.com:443`, or `https://*.example.com:443`. */
  readonly origin: string;
  readonly path: PathPattern;
}

const shape = /^(?:(https?):\/\/)?(\*\.)?(\[[^\]]*\]|[^:/\s[\]]+)(?::([0-9]+))?(\/.*)?$/;

/** `[http://]HOST[:PORT][/PATH]`, where HOST may start with `*.` for the names below. */
export function parseTarget(
  text: string,
  field: 'allow' | 'deny',
  options: { readonly encodedSlash?: boolean } = {},
): Target | GrantProblem {
  const match = shape.exec(text);
  if (match === null)
    return wrongGrant(field, `${quote(text)} is not of the form [http://]HOST[:PORT][/PATH]`, 'api.example.com/v1/**');
  const scheme: Scheme = match[1] === 'http' ? 'http' : 'https';
  const wildcard = match[2] !== undefined;
  const name = match[3] ?? '';
  const port = match[4] ?? String(defaultPort(scheme));
  const origin = canonicalOrigin(`${scheme}://${name}:${port}`);
  if (!origin.ok) return wrongGrant(field, `${quote(text)}: ${origin.message}`, origin.mend);
  if (wildcard) {
    const refused = refuseWildcard(origin, field);
    if (refused !== null) return refused;
  }
  const path = parsePathPattern(match[5] ?? '/**', field, options);
  if (!path.ok) return path;
  const shown = wildcard ? `${scheme}://*.${origin.host}:${origin.port}` : origin.origin;
  const exact = match[1] !== undefined || match[4] !== undefined;
  return {
    ok: true,
    scheme,
    host: origin.host,
    wildcard,
    named: origin.kind === 'name',
    port: origin.port,
    exact,
    origin: shown,
    path,
  };
}

/** The shortest text of an origin that {@link parseTarget} reads back as the same. */
export function originTarget({ scheme, host, port, kind }: CanonicalOrigin): string {
  const text = originText(scheme, host, kind, port);
  const short = port === defaultPort(scheme) ? text.slice(0, text.lastIndexOf(':')) : text;
  return scheme === 'https' ? short.slice('https://'.length) : short;
}

/** True for a name strictly below the domain. */
export function isBelow(host: string, domain: string): boolean {
  const name = canonicalHost(host);
  return name.ok && name.kind === 'name' && name.host.endsWith(`.${domain}`);
}

/** `*.co.uk` or `*.github.io` would be a grant for strangers: anybody can have a name there. */
function refuseWildcard(origin: CanonicalOrigin, field: 'allow' | 'deny'): GrantProblem | null {
  if (origin.kind !== 'name') return wrongGrant(field, 'a wildcard stands before a name, not before an address');
  if (field === 'deny') return null;
  const { publicSuffix } = parse(origin.host, {
    allowPrivateDomains: true,
    extractHostname: false,
    validateHostname: false,
  });
  if (publicSuffix === origin.host || !origin.host.includes('.')) {
    return wrongGrant(
      field,
      `*.${origin.host} is open to everybody: anyone can register a name there`,
      `NAME.${origin.host}`,
    );
  }
  return null;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
