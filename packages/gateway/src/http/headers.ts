import { dashed } from './override.ts';
import type { HeaderPairs } from './wire-head.ts';
import { valuesOf } from './wire-head.ts';

/**
 * Headers that speak to the next hop only (RFC 9110 §7.6.1), that we write ourselves (framing, Host, Expect), or that
 * let a sender pretend to be a proxy, to be somebody else behind one, or to have sent early data.
 */
const dropped: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'host',
  'content-length',
  'expect',
  'forwarded',
  'alt-used',
  'early-data',
  'client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-real-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-host',
  'x-http-host-override',
]);
/**
 * What npm's client repeats of the path and the lockfile for statistics, and no registry answers by (`pacote`'s readme):
 * a name, a place and a digest of 64 bytes with every package, which is room for whatever an agent would write there.
 */
const informational: ReadonlySet<string> = new Set(['pacote-pkg-id', 'pacote-integrity']);
/** `Cordon-Hold` and the like speak to us, and are no part of what is asked. */
const droppedPrefixes = ['proxy-', 'x-forwarded-', 'cordon-'] as const;

/** Codings that `egress` decodes, so that an answer can be searched for a secret. */
const readable: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'br', 'zstd', 'identity']);

/** Request headers as they will be forwarded and hashed: order and letter case kept, what is hop-by-hop or says nothing gone. */
export function forwardedHeaders(headers: HeaderPairs): HeaderPairs {
  const named = connectionNames(headers);
  const kept: Array<readonly [string, string]> = [];
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (named.has(key) || isDropped(dashed(key))) continue;
    kept.push(key === 'accept-encoding' ? [name, narrowCodings(value)] : [name, value]);
  }
  return kept;
}

const answerDropped: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'alt-svc',
]);

/**
 * Answer headers as the agent gets them. `Alt-Svc` would invite it to a way around us; `Proxy-*` and `Cordon-*` would speak for us.
 * Content-Length stays only where the body is relayed byte for byte.
 */
export function relayedHeaders(headers: HeaderPairs, keepLength: boolean): Array<[string, string]> {
  const named = connectionNames(headers);
  const kept: Array<[string, string]> = [];
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (named.has(key) || answerDropped.has(key) || key.startsWith('proxy-') || key.startsWith('cordon-')) continue;
    if (key === 'content-length' && !keepLength) continue;
    kept.push([name, value]);
  }
  return kept;
}

function isDropped(key: string): boolean {
  return dropped.has(key) || informational.has(key) || droppedPrefixes.some((prefix) => key.startsWith(prefix));
}

/** Whatever `Connection` names is hop-by-hop too. Framing cannot be named away: those headers are ours anyway. */
function connectionNames(headers: HeaderPairs): ReadonlySet<string> {
  const names = new Set<string>();
  for (const value of valuesOf(headers, 'connection')) {
    for (const token of value.split(',')) names.add(token.trim().toLowerCase());
  }
  return names;
}

function narrowCodings(value: string): string {
  const kept = value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => readable.has((item.split(';')[0] ?? '').trim().toLowerCase()));
  return kept.length === 0 ? 'identity' : kept.join(', ');
}
