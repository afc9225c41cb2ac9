import { type Refusal, refuse } from '../error.ts';
import { type CanonicalCode, canonicalHost, type HostKind } from './host.ts';

export type Scheme = 'http' | 'https';

export interface CanonicalOrigin {
  readonly ok: true;
  /** `scheme://host:port`; the port is always written. */
  readonly origin: string;
  readonly scheme: Scheme;
  readonly host: string;
  readonly port: number;
  readonly kind: HostKind;
}

const shape = /^(https?):\/\/(?:\[([^\][]+)\]|([^\][:/?#@\\]+))(?::([0-9]{1,5}))?$/i;

export function canonicalOrigin(text: string): CanonicalOrigin | Refusal<CanonicalCode> {
  const match = shape.exec(text);
  if (match === null) {
    return refuse(
      'origin-not-canonical',
      'an origin is http:// or https://, a host, and a port if it is not the usual',
    );
  }
  const scheme: Scheme = match[1]?.toLowerCase() === 'http' ? 'http' : 'https';
  const host = canonicalHost(match[2] ?? match[3] ?? '');
  if (!host.ok) return host;
  if ((match[2] !== undefined) !== (host.kind === 'ipv6')) {
    return refuse('origin-not-canonical', 'brackets are for IPv6 addresses, and only for them');
  }
  const port = parsePort(match[4], scheme);
  if (port === null) return refuse('origin-not-canonical', 'a port is 1 to 65535, without leading zeros');
  return {
    ok: true,
    origin: originText(scheme, host.host, host.kind, port),
    scheme,
    host: host.host,
    port,
    kind: host.kind,
  };
}

export function originText(scheme: Scheme, host: string, kind: HostKind, port: number): string {
  return `${scheme}://${kind === 'ipv6' ? `[${host}]` : host}:${port}`;
}

export function defaultPort(scheme: Scheme): number {
  return scheme === 'http' ? 80 : 443;
}

function parsePort(text: string | undefined, scheme: Scheme): number | null {
  if (text === undefined) return defaultPort(scheme);
  if (!/^[1-9][0-9]{0,4}$/.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}
