import { type Refusal, refuse } from '../refuse/refusal.ts';
import { type H2Facts, type HeaderPairs, headerPairs, valuesOf, type WireHead } from './wire-head.ts';

/** RFC 9113 §8.3.1. `:protocol` (RFC 8441) is not offered. */
const requestPseudo: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path']);
/** A token without capitals (RFC 9113 §8.2.1). */
const fieldName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * The fields of an HTTP/2 head, in their order, as a head of HTTP/1.1, so that one check reads both. `:authority`
 * becomes `Host`; where a `host` field says something else both stand there, and two are refused.
 */
export function wireOfH2(raw: readonly string[], ended: boolean): WireHead {
  const pseudo = new Map<string, string>();
  const fields: Array<readonly [string, string]> = [];
  let malformed: string | null = null;
  let cookie = -1;
  for (const [name, value] of headerPairs(raw)) {
    if (name.startsWith(':')) {
      if (!requestPseudo.has(name)) malformed ??= 'A request has no such pseudo-header.';
      if (pseudo.has(name)) malformed ??= 'A pseudo-header stands twice.';
      if (fields.length > 0) malformed ??= 'A pseudo-header stands behind a field.';
      pseudo.set(name, value);
      continue;
    }
    if (!fieldName.test(name)) malformed ??= 'A field name is no token in lower case.';
    if (isPadded(value)) malformed ??= 'A field value begins or ends with a space.';
    if (name === 'cookie' && cookie >= 0) {
      // RFC 9113 §8.2.3: crumbs are one field before anything that is not HTTP/2 sees them. With an empty one it would
      // begin or end with a space.
      if (value === '' || fields[cookie]?.[1] === '') malformed ??= 'Of several cookie fields one is empty.';
      fields[cookie] = ['cookie', `${fields[cookie]?.[1] ?? ''}; ${value}`];
    } else {
      if (name === 'cookie') cookie = fields.length;
      fields.push([name, value]);
    }
  }
  const authority = pseudo.get(':authority');
  const named = authority === undefined ? fields : [['host', authority] as const, ...withoutTwin(fields, authority)];
  return {
    method: pseudo.get(':method') ?? '',
    url: pseudo.get(':path') ?? '',
    version: '2',
    rawHeaders: named.flat(),
    h2: { scheme: pseudo.get(':scheme') ?? '', ended, malformed },
  };
}

/** RFC 9113 §8.2.1: who takes the spaces away reads another value. */
function isPadded(value: string): boolean {
  return value !== '' && (' \t'.includes(value[0] ?? '') || ' \t'.includes(value.at(-1) ?? ''));
}

function withoutTwin(fields: HeaderPairs, authority: string): HeaderPairs {
  const twin = authority.toLowerCase();
  return fields.filter(([name, value]) => name !== 'host' || value.toLowerCase() !== twin);
}

/** Fields that speak about one HTTP/1.1 connection: with them a head has a second reading behind us (RFC 9113 §8.2.2). */
const connectionSpecific = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'] as const;

/** nghttp2 refuses some of this by itself; which of it is its business, not a promise to us. */
export function checkH2(facts: H2Facts, wire: WireHead, headers: HeaderPairs): Refusal | null {
  if (facts.malformed !== null) return refuse('malformed-request', facts.malformed);
  // The connection is TLS; another scheme in the head would be a second opinion about where the request goes.
  if (facts.scheme !== 'https') return refuse('target-form', 'The :scheme must be https.');
  if (!wire.url.startsWith('/')) return refuse('target-form', 'The :path must be a path.');
  const foreign = connectionSpecific.find((name) => valuesOf(headers, name).length > 0);
  if (foreign !== undefined) return refuse('malformed-request', `HTTP/2 has no ${foreign} field.`);
  if (valuesOf(headers, 'te').some((value) => value.toLowerCase() !== 'trailers')) {
    return refuse('malformed-request', 'In HTTP/2 TE may only say `trailers`.');
  }
  return null;
}
