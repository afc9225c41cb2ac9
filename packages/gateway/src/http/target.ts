import { canonicalPath } from '@cordon/policy';
import { limits } from '../limits.ts';
import { type Refusal, refuse } from '../refuse/refusal.ts';

/** Path and query in the one form that is decided, recorded and forwarded. */
export interface Target {
  readonly path: string;
  /** The query as it came and as it goes, without its `?`; null: there is none. */
  readonly search: string | null;
  /** The same query as pairs, still percent-encoded, for policy and for finding placeholders. */
  readonly query: ReadonlyArray<readonly [string, string]>;
}

const queryPairsMax = limits.queryPairsMax;

/** The path is made canonical, so the upstream reads what the judge read; the query has no canonical form and is kept. */
export function readTarget(target: string, encodedSlash: boolean): Target | Refusal {
  const mark = target.indexOf('?');
  const path = canonicalPath(mark < 0 ? target : target.slice(0, mark), { encodedSlash });
  if (!path.ok) {
    return refuse('target-not-canonical', path.message, {
      nextSteps: path.mend === null ? [] : [`write the path as ${path.mend}`],
    });
  }
  const search = mark < 0 ? null : target.slice(mark + 1);
  const query = search === null || search === '' ? [] : search.split('&').map(pairOf);
  if (query.length > queryPairsMax) return refuse('query-limit', `A query may have ${queryPairsMax} pairs.`);
  return { path: path.path, search, query };
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
