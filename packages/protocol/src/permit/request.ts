import type { RecordValue } from '../canonical.ts';
import type { PermitPayload } from './claims.ts';
import { permitHeader } from './token.ts';

/** One request, as it is sent and as it is received. */
export interface CoveredParts {
  readonly method: string;
  /** `scheme://host:port`: where it was decided to go, and who the receiver knows that it is. */
  readonly destination: string;
  /** The request target in origin form: path and query, as they are written. */
  readonly target: string;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly payload: PermitPayload;
  /** Lower case: headers whose value is a credential, which is put in last and proves itself. */
  readonly credentials: readonly string[];
}

/**
 * For this connection only, or its framing (RFC 9110 §7.6.1, §8.6): written anew at every hop. The authority is covered
 * as `destination`, the length as `payload`.
 */
const ofTheHop: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  permitHeader.toLowerCase(),
]);

/**
 * What a permit covers of a request (docs/decisions/0110): everything that arrives, except what belongs to the hop, the
 * credentials, and the headers that the receiver's own proxies write (`added`). So a header that somebody puts in on the
 * way makes another request of it. Lines of one name are one value and the order of different names means nothing
 * (RFC 9110 §5.3), as a proxy may change both; names have no case.
 */
export function coveredRequest(parts: CoveredParts, added: ReadonlySet<string> = new Set()): RecordValue {
  const { method, destination, target, payload, credentials } = parts;
  const values = new Map<string, string>();
  for (const [name, value] of parts.headers) {
    const key = name.toLowerCase();
    if (ofTheHop.has(key) || key.startsWith(':') || credentials.includes(key) || added.has(key)) continue;
    const before = values.get(key);
    // RFC 9113 §8.2.3: HTTP/2 may have split it, and this is how it is joined.
    const separator = key === 'cookie' ? '; ' : ', ';
    const kept = withoutSpace(value);
    values.set(key, before === undefined ? kept : `${before}${separator}${kept}`);
  }
  return {
    credentials,
    destination,
    headers: [...values].sort(([a], [b]) => (a < b ? -1 : 1)),
    method,
    payload: { bytes: payload.bytes, sha256: payload.sha256 },
    target,
    v: 'request/1',
  };
}

/** No pattern: one that is anchored at the end takes quadratic time on the spaces inside a value. */
function withoutSpace(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isSpace(value, start)) start += 1;
  while (end > start && isSpace(value, end - 1)) end -= 1;
  return value.slice(start, end);
}

function isSpace(value: string, at: number): boolean {
  return value[at] === ' ' || value[at] === '\t';
}
