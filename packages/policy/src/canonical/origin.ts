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

/** What is passed on unread: raw TCP, or TLS that nobody here terminates. */
export type TunnelScheme = 'tcp' | 'tls';

export interface CanonicalTunnel extends Omit<CanonicalOrigin, 'scheme'> {
  readonly scheme: TunnelScheme;
}

/** `tcp://host:port`, `tls://host[:port]`: where a tunnel leads. Raw TCP has no usual port, so it must be said. */
export function canonicalTunnel(text: string): CanonicalTunnel | Refusal<CanonicalCode> {
  const match = /^(tcp|tls)(:\/\/.*)$/is.exec(text);
  const scheme: TunnelScheme = match?.[1]?.toLowerCase() === 'tcp' ? 'tcp' : 'tls';
  const origin = match === null ? null : canonicalOrigin(`https${match[2]}`);
  if (origin === null || (scheme === 'tcp' && !/:[0-9]+$/.test(text.replace(/\[.*\]/, '')))) {
    return refuse('origin-not-canonical', 'a tunnel is tcp://HOST:PORT, or tls:// with a host and perhaps a port');
  }
  if (!origin.ok) return origin;
  const { host, kind, port } = origin;
  return { ...origin, scheme, origin: originText(scheme, host, kind, port) };
}

export function originText(scheme: Scheme | TunnelScheme, host: string, kind: HostKind, port: number): string {
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
