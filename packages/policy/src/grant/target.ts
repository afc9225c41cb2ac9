import { parse } from 'tldts';
import { canonicalHost } from '../canonical/host.ts';
import {
  type CanonicalOrigin,
  type CanonicalTunnel,
  canonicalOrigin,
  canonicalTunnel,
  defaultPort,
  originText,
  type Scheme,
  type TunnelScheme,
} from '../canonical/origin.ts';
import { type GrantProblem, wrongGrant } from './grant.ts';
import { type PathPattern, parsePathPattern } from './path-pattern.ts';

/** Where a grant points to. */
export interface Target {
  readonly ok: true;
  /** What is granted there: requests, WebSockets alone, or a tunnel that nobody reads. */
  readonly kind: 'request' | 'websocket' | 'tunnel';
  readonly scheme: Scheme | TunnelScheme;
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

const shape = /^(?:(https?|wss?|tcp|tls):\/\/)?(\*\.)?(\[[^\]]*\]|[^:/\s[\]]+)(?::([0-9]+))?(\/.*)?$/;

/** How a scheme of a grant is meant; without one it is `https`. */
const schemes: Readonly<Record<string, Pick<Target, 'kind' | 'scheme'>>> = {
  http: { kind: 'request', scheme: 'http' },
  https: { kind: 'request', scheme: 'https' },
  ws: { kind: 'websocket', scheme: 'http' },
  wss: { kind: 'websocket', scheme: 'https' },
  tcp: { kind: 'tunnel', scheme: 'tcp' },
  tls: { kind: 'tunnel', scheme: 'tls' },
};

/** `[SCHEME://]HOST[:PORT][/PATH]`, where HOST may start with `*.` for the names below. */
export function parseTarget(
  text: string,
  field: 'allow' | 'deny',
  options: { readonly encodedSlash?: boolean; readonly opaque?: boolean } = {},
): Target | GrantProblem {
  const match = shape.exec(text);
  if (match === null)
    return wrongGrant(
      field,
      `${quote(text)} is not of the form [SCHEME://]HOST[:PORT][/PATH]`,
      'api.example.com/v1/**',
    );
  const said = schemes[match[1] ?? 'https'];
  if (said === undefined) return wrongGrant(field, `${quote(text)}: this scheme cannot be granted`);
  if (options.opaque === true && (said.scheme === 'http' || said.scheme === 'tcp' || said.kind === 'websocket')) {
    return wrongGrant('tls', '`tls: opaque` is for hosts that are spoken to with TLS', 'api.example.com');
  }
  const { kind, scheme } = options.opaque === true ? ({ kind: 'tunnel', scheme: 'tls' } as const) : said;
  const wildcard = match[2] !== undefined;
  const name = match[3] ?? '';
  const wrong = kind === 'tunnel' ? refuseTunnel(scheme, match, field) : null;
  if (wrong !== null) return wrong;
  const origin = originOf(scheme, `${name}:${match[4] ?? usualPort(scheme)}`);
  if (!origin.ok) return wrongGrant(field, `${quote(text)}: ${origin.message}`, origin.mend);
  if (wildcard) {
    const refused = refuseWildcard(origin, field);
    if (refused !== null) return refused;
  }
  const path = parsePathPattern(kind === 'tunnel' ? '/**' : (match[5] ?? '/**'), field, options);
  if (!path.ok) return path;
  const shown = wildcard ? `${scheme}://*.${origin.host}:${origin.port}` : origin.origin;
  const exact = match[1] !== undefined || match[4] !== undefined;
  return {
    ok: true,
    kind,
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

function originOf(
  scheme: Scheme | TunnelScheme,
  authority: string,
): ReturnType<typeof canonicalTunnel> | ReturnType<typeof canonicalOrigin> {
  const text = `${scheme}://${authority}`;
  return scheme === 'tcp' || scheme === 'tls' ? canonicalTunnel(text) : canonicalOrigin(text);
}

function usualPort(scheme: Scheme | TunnelScheme): number {
  return defaultPort(scheme === 'http' ? 'http' : 'https');
}

/** What passes unread has no path, and is granted for one destination that a person has named. */
function refuseTunnel(
  scheme: Scheme | TunnelScheme,
  match: RegExpExecArray,
  field: 'allow' | 'deny',
): GrantProblem | null {
  const [, , wildcard, name = '', port, path] = match;
  if (path !== undefined && path !== '/' && path !== '/**') {
    return wrongGrant(
      field,
      'what goes through a tunnel is not read, so it has no path',
      `${scheme}://${name}:${port ?? 443}`,
    );
  }
  if (scheme === 'tcp' && port === undefined) return wrongGrant(field, 'raw TCP needs its port', `tcp://${name}:5432`);
  if (wildcard === undefined || field === 'deny') return null;
  return wrongGrant(
    field,
    'a tunnel is granted to one host, not to all names below a domain',
    `${scheme}://NAME.${name}`,
  );
}

/** The shortest text of a tunnel's destination that {@link parseTarget} reads back as the same. */
export function tunnelTarget({ scheme, origin }: CanonicalTunnel): string {
  return scheme === 'tls' ? origin.replace(/:443$/, '') : origin;
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
function refuseWildcard(origin: Pick<CanonicalOrigin, 'kind' | 'host'>, field: 'allow' | 'deny'): GrantProblem | null {
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
