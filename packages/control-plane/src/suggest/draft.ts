import type { Place } from '@cordon/egress';
import { defaultEffect, exactGrant, suggestGrant } from '@cordon/policy';
import type { Intent } from '@cordon/protocol';
import type { Tried } from './tried.ts';

/** A grant in the making, and the requests that it is for. */
export interface Draft {
  readonly allow: string;
  /** null: what is granted has none (a tunnel, a WebSocket). */
  readonly methods: readonly string[] | null;
  readonly addresses: readonly string[] | null;
  readonly encodedSlash: boolean;
  readonly requests: readonly Tried[];
  /** What a `*` permits beside what was seen. */
  readonly also: string | null;
}

/** A request that a grant of the session would permit. */
export interface Candidate {
  readonly tried: Tried;
  readonly intent: Intent;
  readonly place: Place;
}

/** The narrowest grants: one for each scheme, host, port and path, with exactly the methods that were seen there. */
export function narrowest(candidates: readonly Candidate[]): { drafts: Draft[]; unsayable: Candidate[] } {
  const drafts = new Map<string, Draft>();
  const unsayable: Candidate[] = [];
  for (const candidate of candidates) {
    const { tried, intent, place } = candidate;
    const said = say(intent);
    if (said === null) {
      unsayable.push(candidate);
      continue;
    }
    const known = drafts.get(said.allow);
    const methods = said.method === null ? null : [...new Set([...(known?.methods ?? []), said.method])].sort();
    drafts.set(said.allow, {
      allow: said.allow,
      methods,
      addresses: place.kind === 'private' ? [range(place.address)] : null,
      encodedSlash: said.encodedSlash,
      requests: [...(known?.requests ?? []), tried],
      also: null,
    });
  }
  return { drafts: [...drafts.values()], unsayable };
}

function say(intent: Intent): { allow: string; method: string | null; encodedSlash: boolean } | null {
  if (intent.action === 'http.request') return exactGrant(intent);
  const allow = suggestGrant(intent);
  return allow === null ? null : { allow, method: null, encodedSlash: false };
}

/** The one address, as a range. */
export const range = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

export type DraftEffect = 'read' | 'share' | 'destroy';

/** The worst that the requests do: data that leaves is worse than an answer, what is gone worse than both. */
export function effectOf({ requests }: Pick<Draft, 'requests'>): DraftEffect {
  let worst: DraftEffect = 'read';
  for (const { intent } of requests) {
    const effect = intent === null ? 'share' : defaultEffect(intent);
    if (effect === 'destroy') return 'destroy';
    if (effect !== 'read') worst = 'share';
  }
  return worst;
}

/** What data the session held when it sent this; null: nothing that needs a word. Secrets are never cleared. */
export function clearanceOf(draft: Pick<Draft, 'requests'>): 'internal' | 'private' | null {
  const sends = draft.requests.filter(({ intent, code }) => {
    return code === 'flow-R8' || (intent !== null && defaultEffect(intent) !== 'read');
  });
  const held = sends.reduce((most, { facts }) => Math.max(most, facts?.flow.argConf ?? 2), 0);
  if (held === 0) return null;
  return held === 1 ? 'internal' : 'private';
}

const smallestBytes = 4096;

/** Of the largest body, rounded up so that one more word does not break it; null where no body was seen. */
export function bytesOf({ requests }: Pick<Draft, 'requests'>): number | null {
  const largest = requests.reduce((most, { intent }) => Math.max(most, intent?.payload.bytes ?? 0), 0);
  return largest === 0 ? null : Math.max(smallestBytes, 2 ** Math.ceil(Math.log2(largest)));
}

export function bytesWords(bytes: number): string {
  return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}MiB` : `${bytes / 1024}KiB`;
}
