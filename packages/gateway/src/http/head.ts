import { type Destination, parseDestination } from '@cordon/egress';
import { permitHeader } from '@cordon/protocol';
import { limits } from '../limits.ts';
import { quote } from '../refuse/quote.ts';
import { isRefusal, type Refusal, refuse } from '../refuse/refusal.ts';
import { type Authority, parseAuthority } from './authority.ts';
import { checkH2 } from './h2-head.ts';
import { dashed, isOverriding } from './override.ts';
import { type HeaderPairs, headerPairs, valuesOf, type WireHead } from './wire-head.ts';

export type Scheme = 'http' | 'https';

/** Where the head arrived. `inside` a CONNECT or a TLS socket the endpoint is fixed before the first request. */
export type Place =
  | { readonly kind: 'proxy' }
  | { readonly kind: 'plain' }
  | { readonly kind: 'inside'; readonly endpoint: Destination }
  /** CONNECT and SNI name two hosts: TLS is completed only so that this can be said. */
  | { readonly kind: 'misdirected'; readonly detail: string };

export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  /** Or a body of HTTP/2 that says no length: it ends where its stream does. */
  | { readonly kind: 'chunked' };

export interface Head {
  readonly method: string;
  readonly endpoint: Destination;
  /** Path and query as they came, always starting with `/`. */
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly framing: Framing;
  readonly expectContinue: boolean;
  /** The client asked to switch protocols. What follows on the connection of one that is not made has two readings. */
  readonly upgrade: 'websocket' | 'other' | null;
}

export interface HeadRules {
  /** Names that Cordon serves itself, to which origin-form is allowed on the proxy socket. */
  readonly isOwnName: (host: string) => boolean;
  /** A grant says that GET, HEAD, DELETE and OPTIONS may carry a body there. */
  readonly bodyOnRead: (endpoint: Destination) => boolean;
}

/**
 * The rows that node:http lets through and a proxy must not (design gateway.md §2.3): each would have a second
 * reading somewhere behind us. Pure; a refusal closes the connection, so a desynchronised one is never reused.
 */
export function readHead(wire: WireHead, place: Place, rules: HeadRules): Head | Refusal {
  const headers = headerPairs(wire.rawHeaders);
  if (place.kind === 'misdirected') return refuse('misdirected-request', place.detail);
  const refusal =
    checkWire(wire, headers) ??
    (wire.h2 === undefined ? null : checkH2(wire.h2, wire, headers)) ??
    checkMethod(wire.method) ??
    checkMeaning(headers);
  if (refusal !== null) return refusal;
  const framing = readFraming(wire, headers);
  if (isRefusal(framing)) return framing;
  const located = locate(wire, headers, place, rules);
  if (isRefusal(located)) return located;
  if (framing.kind !== 'none' && bodiless.has(wire.method) && !rules.bodyOnRead(located.endpoint)) {
    return refuse('body-not-allowed', `${wire.method} may carry a body only where a grant says \`body: true\`.`);
  }
  const expect = valuesOf(headers, 'expect');
  if (expect.length > 1 || (expect[0] !== undefined && expect[0].toLowerCase() !== '100-continue')) {
    return refuse('expectation-unknown', 'Only `Expect: 100-continue` is known.');
  }
  const upgrade = valuesOf(headers, 'upgrade');
  return {
    method: wire.method,
    ...located,
    headers,
    framing,
    expectContinue: expect.length > 0,
    upgrade: upgradeOf(upgrade),
  };
}

function upgradeOf(values: readonly string[]): Head['upgrade'] {
  if (values.length === 0) return null;
  return values.some((value) => value.toLowerCase().includes('websocket')) ? 'websocket' : 'other';
}

/** Methods whose body has no meaning (RFC 9110 §9.3): many servers leave it on the connection as the next request. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);
/** TRACE echoes the head, so also a credential that was injected. */
const refusedMethods: ReadonlySet<string> = new Set(['TRACE', 'TRACK', 'CONNECT', 'PRI']);

/** What every head must keep, CONNECT's too. */
export function checkWire(wire: WireHead, headers: HeaderPairs): Refusal | null {
  return checkVersion(wire) ?? checkSize(wire, headers) ?? checkValues(headers);
}

function checkVersion(wire: WireHead): Refusal | null {
  // `GET /` alone is served as 0.9 and `HTTP/2.0` in the line passes the parser.
  if (wire.version === '1.1' || wire.version === '1.0' || wire.h2 !== undefined) return null;
  return refuse('http-version', 'The request line must end in HTTP/1.1 or HTTP/1.0.');
}

function checkSize(wire: WireHead, headers: HeaderPairs): Refusal | null {
  if (wire.url.length > limits.targetBytesMax) {
    return refuse('target-too-long', `The request target may have ${limits.targetBytesMax} bytes.`);
  }
  if (headers.length > limits.headersMax) {
    return refuse('head-too-large', `A request may have ${limits.headersMax} headers.`);
  }
  let bytes = wire.url.length;
  for (const [name, value] of headers) bytes += name.length + value.length + 4;
  if (bytes <= limits.headBytesMax) return null;
  return refuse('head-too-large', `A request head may have ${limits.headBytesMax} bytes.`);
}

function checkValues(headers: HeaderPairs): Refusal | null {
  for (const [name, value] of headers) {
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if ((code < 0x20 && code !== 0x09) || code >= 0x7f) {
        return refuse('header-not-ascii', `The value of \`${quote(name, 64)}\` holds a byte outside printable ASCII.`);
      }
    }
  }
  return null;
}

function checkMethod(method: string): Refusal | null {
  const served = /^[A-Z]{3,16}$/.test(method) && !refusedMethods.has(method);
  return served ? null : refuse('method-not-allowed', `${quote(method, 32)} is not served here.`);
}

const reserved = permitHeader.toLowerCase();

/** What would make the server read another request than the one that is judged. */
function checkMeaning(headers: HeaderPairs): Refusal | null {
  const overriding = headers.find(([name]) => isOverriding(name));
  if (overriding !== undefined) {
    const name = quote(overriding[0], 64);
    return refuse('override-header', `\`${name}\` names a second method or path; send the request that is meant.`);
  }
  // A server that verifies permits reads this one; ours is put in on the way out, an agent has none to show.
  if (headers.some(([name]) => dashed(name.toLowerCase()) === reserved)) {
    return refuse('header-reserved', `\`${permitHeader}\` is Cordon's own; leave it out.`);
  }
  if (valuesOf(headers, 'content-type').length <= 1) return null;
  return refuse('malformed-request', 'Content-Type stands twice, and servers differ in which one they take.');
}

function readFraming(wire: WireHead, headers: HeaderPairs): Framing | Refusal {
  const codings = valuesOf(headers, 'transfer-encoding');
  const lengths = valuesOf(headers, 'content-length');
  if (codings.length > 0) {
    // RFC 9112 §6.1: an HTTP/1.0 message with Transfer-Encoding has faulty framing.
    if (wire.version === '1.0') return refuse('transfer-encoding-on-1.0', 'Use Content-Length, or HTTP/1.1.');
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') {
      return refuse('transfer-encoding', 'Transfer-Encoding must be exactly `chunked`.');
    }
    if (lengths.length > 0)
      return refuse('malformed-request', 'Content-Length and Transfer-Encoding exclude each other.');
    return { kind: 'chunked' };
  }
  if (lengths.length === 0) return { kind: wire.h2?.ended === false ? 'chunked' : 'none' };
  const text = lengths[0] ?? '';
  if (lengths.length > 1 || text.length === 0 || text.length > 15 || [...text].some((c) => c < '0' || c > '9')) {
    return refuse('malformed-request', 'Content-Length must be one decimal number.');
  }
  const bytes = Number(text);
  if (bytes > limits.bodyBytesMax) {
    return refuse('body-too-large', `A body may have ${limits.bodyBytesMax} bytes; this one declares ${bytes}.`);
  }
  // A length of 0 is kept apart from no length: on POST it is forwarded, on GET it is no body.
  return bytes === 0 && bodiless.has(wire.method) ? { kind: 'none' } : { kind: 'length', bytes };
}

interface Located {
  readonly endpoint: Destination;
  readonly target: string;
}

/** One authority: the target's, the Host header's and the connection's must be the same one. */
function locate(wire: WireHead, headers: HeaderPairs, place: Place, rules: HeadRules): Located | Refusal {
  const target = readTarget(wire.url);
  if (isRefusal(target)) return target;
  const hosts = valuesOf(headers, 'host');
  if (hosts.length === 0 && wire.version !== '1.0')
    return refuse('authority-mismatch', 'The request has no Host header.');
  if (hosts.length > 1) return refuse('authority-mismatch', 'The request has more than one Host header.');
  const named = hosts[0] === undefined ? null : parseAuthority(hosts[0]);
  if (hosts[0] !== undefined && named === null) return refuse('authority-mismatch', 'The Host header names no host.');
  if (target.authority !== null && named !== null && !sameAuthority(target.authority, named, target.scheme ?? 'http')) {
    return refuse('authority-mismatch', 'The Host header differs from the host of the request target.');
  }
  const authority = target.authority ?? named;
  if (authority === null) return refuse('authority-mismatch', 'The request names no host.');
  const scheme = target.scheme ?? (place.kind === 'inside' ? place.endpoint.scheme : 'http');
  const endpoint = destinationOf(scheme, authority);
  if (isRefusal(endpoint)) return endpoint;
  const refusal = checkPlace(endpoint, place, target.authority !== null, rules);
  return refusal ?? { endpoint, target: target.target };
}

/** Names compare without case, so that much is repaired; every other odd spelling of a host is refused. */
export function destinationOf(scheme: Scheme, authority: Authority): Destination | Refusal {
  const port = authority.port ?? defaultPort(scheme);
  const destination = parseDestination(`${scheme}://${authority.host.toLowerCase()}:${port}`);
  return 'refused' in destination ? refuse('host-not-canonical', destination.detail) : destination;
}

function checkPlace(endpoint: Destination, place: Place, absolute: boolean, rules: HeadRules): Refusal | null {
  switch (place.kind) {
    case 'proxy':
      if (absolute || rules.isOwnName(endpoint.host)) return null;
      return refuse('target-form', 'A proxy is asked with the whole URL in the request line (RFC 9112 §3.2.2).');
    case 'plain':
      // What arrives here came over plain http; an https URL in the line would claim otherwise.
      if (endpoint.scheme === 'http') return null;
      return refuse('target-form', 'This socket serves http only.');
    case 'inside':
      if (endpoint.origin === place.endpoint.origin) return null;
      return refuse('misdirected-request', `This connection was opened for ${place.endpoint.origin} only.`);
    case 'misdirected':
      return refuse('misdirected-request', place.detail);
  }
}

interface Target {
  readonly scheme: Scheme | null;
  readonly authority: Authority | null;
  readonly target: string;
}

function readTarget(url: string): Target | Refusal {
  for (let i = 0; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || url[i] === '\\' || url[i] === '#') {
      return refuse(
        'target-not-canonical',
        'The target holds a fragment, a backslash or a byte outside printable ASCII.',
      );
    }
  }
  if (url.startsWith('/')) return { scheme: null, authority: null, target: url };
  const scheme = schemeOf(url);
  if (scheme === null) return refuse('target-form', 'The target is neither a path nor an http or https URL.');
  const rest = url.slice(scheme.length + 3);
  const end = [rest.indexOf('/'), rest.indexOf('?')]
    .filter((at) => at >= 0)
    .reduce((a, b) => Math.min(a, b), rest.length);
  const authority = parseAuthority(rest.slice(0, end));
  if (authority === null) return refuse('target-not-canonical', 'The URL names no host, or has userinfo in it.');
  const target = rest.slice(end);
  return { scheme, authority, target: target.startsWith('/') ? target : `/${target}` };
}

function schemeOf(url: string): Scheme | null {
  const text = url.slice(0, 8).toLowerCase();
  if (text.startsWith('http://')) return 'http';
  return text === 'https://' ? 'https' : null;
}

function sameAuthority(a: Authority, b: Authority, scheme: Scheme): boolean {
  const port = defaultPort(scheme);
  return a.host.toLowerCase() === b.host.toLowerCase() && (a.port ?? port) === (b.port ?? port);
}

export function defaultPort(scheme: Scheme): number {
  return scheme === 'http' ? 80 : 443;
}
