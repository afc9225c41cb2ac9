import type { Destination } from '@cordon/egress';
import { type Refusal, refuse } from '../refuse/refusal.ts';
import { parseAuthority } from './authority.ts';
import { checkWire, destinationOf } from './head.ts';
import { headerPairs, valuesOf, type WireHead } from './wire-head.ts';

/**
 * RFC 9110 §9.3.6: `CONNECT host:port`, nothing else. The scheme is not known yet, so it is named as https; what the
 * first bytes inside turn out to be decides.
 */
export function readConnect(wire: WireHead): Destination | Refusal {
  const headers = headerPairs(wire.rawHeaders);
  const refusal = checkWire(wire, headers);
  if (refusal !== null) return refusal;
  const framed = valuesOf(headers, 'content-length').some((value) => value !== '0');
  if (framed || valuesOf(headers, 'transfer-encoding').length > 0) {
    return refuse('body-not-allowed', 'CONNECT may not carry a body.');
  }
  const authority = parseAuthority(wire.url);
  if (authority === null || authority.port === null) {
    return refuse('target-form', 'CONNECT is asked with `host:port`.');
  }
  const hosts = valuesOf(headers, 'host');
  const named = hosts[0] === undefined ? authority : parseAuthority(hosts[0]);
  const agree = named?.host.toLowerCase() === authority.host.toLowerCase();
  if (hosts.length > 1 || named === null || !agree || (named.port !== null && named.port !== authority.port)) {
    return refuse('authority-mismatch', 'The Host header differs from the host that CONNECT names.');
  }
  return destinationOf('https', authority);
}

/** The same host and port, spoken to in another way. */
export function withScheme(destination: Destination, scheme: 'http' | 'https'): Destination {
  return { ...destination, scheme, origin: destination.origin.replace(/^https?:/, `${scheme}:`) };
}
