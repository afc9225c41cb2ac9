import type { Draft } from './draft.ts';

/** Fewer neighbours are better read one by one. */
const neighboursMin = 3;
const shownNames = 5;

interface Bucket {
  readonly at: number;
  readonly members: readonly Draft[];
}

/**
 * Puts `*` where neighbours differ in one segment and in nothing else. The largest group is taken first, and a path
 * is in one group only; what is left stays exact.
 */
export function groupDrafts(drafts: readonly Draft[]): Draft[] {
  let rest = [...drafts];
  const grouped: Draft[] = [];
  for (let best = largest(rest); best !== null; best = largest(rest)) {
    const { members } = best;
    grouped.push(merge(best));
    rest = rest.filter((draft) => !members.includes(draft));
  }
  return [...grouped, ...rest];
}

function largest(drafts: readonly Draft[]): Bucket | null {
  const buckets = new Map<string, { at: number; members: Draft[] }>();
  for (const draft of drafts) {
    if (draft.methods === null) continue;
    const { host, segments } = split(draft.allow);
    for (const [at, segment] of segments.entries()) {
      // An empty last segment is the folder itself, which `*` would not mean to a reader.
      if (segment === '') continue;
      const others = segments.with(at, '*');
      const key = JSON.stringify([host, others, at, draft.methods, draft.addresses, draft.encodedSlash]);
      const bucket = buckets.get(key) ?? { at, members: [] };
      bucket.members.push(draft);
      buckets.set(key, bucket);
    }
  }
  let best: Bucket | null = null;
  for (const bucket of buckets.values()) {
    if (bucket.members.length >= neighboursMin && bucket.members.length > (best?.members.length ?? 0)) best = bucket;
  }
  return best;
}

function merge({ at, members }: Bucket): Draft {
  const [first] = members as readonly [Draft, ...Draft[]];
  const { host, segments } = split(first.allow);
  const names = members.map((member) => split(member.allow).segments[at] ?? '');
  const shown = names.slice(0, shownNames).join(', ');
  const more = names.length > shownNames ? ` and ${names.length - shownNames} more` : '';
  return {
    ...first,
    allow: `${host}/${segments.with(at, '*').join('/')}`,
    requests: members.flatMap((member) => member.requests),
    also: `${first.methods?.join(', ')} of any other name in place of ${shown}${more}`,
  };
}

/** `http://host:1/a/b` → `http://host:1` and its segments. */
function split(allow: string): { host: string; segments: readonly string[] } {
  const from = allow.indexOf('/', allow.indexOf('://') < 0 ? 0 : allow.indexOf('://') + 3);
  return { host: allow.slice(0, from), segments: allow.slice(from + 1).split('/') };
}
