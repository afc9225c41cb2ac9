import { placeOf } from '@cordon/egress';
import type { Engine } from '@cordon/policy';
import type {
  Intent,
  OriginRule,
  SessionPolicy,
  SuggestApart,
  SuggestedGrant,
  Suggestion,
  TenantPolicy,
} from '@cordon/protocol';
import type { RefusalIndex, SessionStore } from '@cordon/store';
import { cordonFile } from '../config/cordon-file.ts';
import { readYaml } from '../config/document.ts';
import { grantEntry } from '../config/grant-file.ts';
import { compileEntries } from '../config/grants.ts';
import { fault, refusal } from '../error.ts';
import type { Decisions } from '../ledger/decisions.ts';
import { limits } from '../limits.ts';
import { apartOf } from './apart.ts';
import { bytesOf, bytesWords, type Candidate, clearanceOf, type Draft, effectOf, narrowest } from './draft.ts';
import { groupDrafts } from './group.ts';
import { type Extra, Judge } from './judge.ts';
import { opaqueGrants } from './opaque.ts';
import { renderYaml } from './render.ts';
import { type Choice, collectTried, type Seen, type Tried } from './tried.ts';
import { warningsOf } from './warn.ts';

export interface SuggestParts {
  readonly engine: Engine;
  readonly decisions: Decisions;
  readonly refusals: RefusalIndex;
  readonly sessions: SessionStore;
  /** The tenant's policy of now. */
  readonly tenant: () => TenantPolicy;
}

export interface SuggestOrder {
  readonly sessions: readonly string[];
  readonly agent?: string | undefined;
  readonly since?: string | undefined;
  readonly group: boolean;
}

/**
 * The narrowest grants for what was denied. It computes, and changes nothing: whoever wants the grants in force starts
 * a session with them. What it claims it has tried: the text that it gives is read and compiled as a `cordon.yaml`,
 * and every recorded request is decided again under it.
 */
export class Suggester {
  readonly #parts: SuggestParts;

  constructor(parts: SuggestParts) {
    this.#parts = parts;
  }

  /** @throws CordonError `not-found`, `request-invalid` */
  async suggest(order: SuggestOrder): Promise<Suggestion> {
    const { engine, tenant } = this.#parts;
    const { tried, sessions, truncated } = await collectTried(this.#parts.decisions, await this.#choices(order));
    const policies = await this.#policies(sessions);
    const sorted = await sort(tried, new Judge(engine, tenant(), policies), tenant().origins);
    const { drafts, unsayable } = narrowest(sorted.candidates);
    const shaped = (order.group ? groupDrafts(drafts) : drafts).sort(byWeight);
    const kept = shaped.filter(isValid).slice(0, limits.sessionGrantsMax);
    const opaque = await opaqueGrants(this.#parts.refusals, tenant().origins, { ...order, sessions });
    const grants = [
      ...(await Promise.all(kept.map((draft) => this.#grant(draft)))),
      ...opaque.grants.filter(({ allow }) => parses(allow)),
    ];
    const beyond = shaped
      .filter((draft) => !kept.includes(draft) && !isValid(draft))
      .flatMap((draft) => draft.requests);
    const unsayables = [...unsayable.map(({ tried: one }) => one), ...beyond].map(unsaid);
    const apart = [...sorted.apart, ...unsayables, ...opaque.apart].sort(byCount);
    const attempts = tried.reduce((sum, { count }) => sum + count, 0);
    const content = {
      sessions: [...sessions],
      denied: { attempts, requests: tried.length, permittedNow: sorted.permittedNow },
      truncated: truncated || kept.length < shaped.filter(isValid).length,
      grants: grants.slice(0, limits.sessionGrantsMax),
      apart: apart.slice(0, limits.suggestApartMax),
      verified: { allowed: 0, others: 0 },
      ownGrants: [...policies.values()].some(hasOwnGrants),
    };
    const meant = new Set(kept.flatMap((draft) => draft.requests));
    const judge = new Judge(engine, tenant(), policies, compile(renderYaml(content)));
    const { ownGrants, ...answer } = { ...content, verified: await verify(tried, sorted.permitted, meant, judge) };
    return { ...answer, yaml: renderYaml({ ...answer, ownGrants }), allow: answer.grants.flatMap(allowWords) };
  }

  async #choices({ sessions, agent, since }: SuggestOrder): Promise<Choice[]> {
    if ((sessions.length === 0) === (agent === undefined)) {
      throw refusal('request-invalid', 'body: name sessions or an agent, not both', ['cordon policy suggest SESSION']);
    }
    if (agent !== undefined) return [{ agent, since }];
    for (const session of sessions) {
      if ((await this.#parts.sessions.get(session)) === null) {
        throw refusal('not-found', `there is no session ${JSON.stringify(session)}`, ['cordon ps --all']);
      }
    }
    return [...new Set(sessions)].map((session) => ({ session, since }));
  }

  async #policies(sessions: readonly string[]): Promise<Map<string, SessionPolicy>> {
    const policies = new Map<string, SessionPolicy>();
    for (const session of sessions) {
      const stored = await this.#parts.sessions.get(session);
      const policy = stored?.detail['policy'] as unknown as SessionPolicy | undefined;
      if (policy !== undefined) policies.set(session, policy);
    }
    return policies;
  }

  async #grant(draft: Draft): Promise<SuggestedGrant> {
    const { allow, methods, addresses, encodedSlash, requests, also } = draft;
    const effect = effectOf(draft);
    return {
      allow,
      methods: methods === null ? null : [...methods],
      limits: limitsOf(draft),
      addresses: addresses === null ? null : [...addresses],
      encodedSlash,
      clearance: clearanceOf(draft),
      effect,
      ...seenTogether(requests),
      requests: requests.length,
      warnings: warningsOf(draft, effect, await this.#knowsHost(requests)),
      also,
    };
  }

  /** The session was allowed something there before, so the host is none that an agent has just come upon. */
  async #knowsHost(requests: readonly Tried[]): Promise<boolean> {
    const resource = requests[0]?.intent?.resource;
    for (const session of new Set(requests.map((request) => request.session))) {
      if (await this.#parts.decisions.some({ session, outcome: ['allow'], resource })) return true;
    }
    return false;
  }
}

interface Sorted {
  readonly candidates: readonly Candidate[];
  readonly apart: readonly SuggestApart[];
  /** Denied then, permitted by the policy of now; and how many attempts that were. */
  readonly permitted: ReadonlySet<Tried>;
  readonly permittedNow: number;
}

async function sort(tried: readonly Tried[], judge: Judge, rules: readonly OriginRule[]): Promise<Sorted> {
  const candidates: Candidate[] = [];
  const apart: SuggestApart[] = [];
  const permitted = new Set<Tried>();
  let permittedNow = 0;
  for (const one of tried) {
    const now = await judge.decide(one);
    if (now?.outcome === 'allow' && !one.undialled && one.by === 'policy') {
      permitted.add(one);
      permittedNow += one.count;
      continue;
    }
    const verdict = apartOf(one, now) ?? placed(one.intent, rules);
    if ('who' in verdict) apart.push(toApart(one, verdict));
    else candidates.push({ tried: one, ...verdict });
  }
  return { candidates, apart, permitted, permittedNow };
}

function placed(
  intent: Intent | null,
  rules: readonly OriginRule[],
): Pick<SuggestApart, 'who' | 'why'> | Omit<Candidate, 'tried'> {
  if (intent === null) return { who: 'never', why: 'the record of this request is no longer kept' };
  const place = placeOf(intent.resource, rules);
  if (place.kind === 'tenant' || place.kind === 'never') return { who: place.kind, why: place.why };
  return { intent, place };
}

function toApart(tried: Tried, { who, why }: Pick<SuggestApart, 'who' | 'why'>): SuggestApart {
  const { summary, code, count, first, last, attempt } = tried;
  return { summary, code, count, first, last, attempt, who, why };
}

const unsaid = (tried: Tried): SuggestApart =>
  toApart(tried, {
    who: 'session',
    why: 'a grant cannot say this method or path exactly, and nothing broader is suggested',
  });

/** What a file of grants takes; a draft that it does not take is said to be so, never bent. */
function isValid(draft: Draft): boolean {
  const { allow, methods, addresses } = draft;
  const bytes = limitsOf(draft);
  const entry = {
    allow,
    ...(methods === null ? {} : { methods }),
    ...(addresses === null ? {} : { addresses }),
    ...(bytes === null ? {} : { limits: bytes }),
  };
  return grantEntry.safeParse(entry).success && parses(allow);
}

const parses = (allow: string): boolean =>
  /^[ -~]+$/.test(allow) &&
  compileEntries({ layer: 'session', source: 'suggested', grants: [{ allow }], denies: [], lineOf: () => 1 }).ok;

function limitsOf(draft: Draft): { bytes: string } | null {
  const bytes = draft.methods === null ? null : bytesOf(draft);
  return bytes === null ? null : { bytes: bytesWords(bytes) };
}

/** The very text that is shown, read as a session's start reads it. */
function compile(yaml: string): Extra {
  const read = readYaml('suggested', yaml, cordonFile);
  if (!read.ok) throw fault('internal', `the suggestion does not read: ${read.problems[0]?.message ?? ''}`);
  const compiled = compileEntries({ layer: 'session', source: 'suggested', ...read.value, lineOf: read.lineOf });
  if (!compiled.ok) throw fault('internal', `the suggestion does not compile: ${compiled.problems[0]?.message ?? ''}`);
  return compiled.compiled;
}

async function verify(
  tried: readonly Tried[],
  permitted: ReadonlySet<Tried>,
  meant: ReadonlySet<Tried>,
  judge: Judge,
): Promise<Suggestion['verified']> {
  let allowed = 0;
  let others = 0;
  for (const one of tried) {
    if (permitted.has(one) || one.undialled || one.by === 'gateway') continue;
    const decision = await judge.decide(one);
    if (decision?.outcome !== 'allow') continue;
    allowed += one.count;
    if (!meant.has(one)) others += one.count;
  }
  return { allowed, others };
}

/** `--allow` says no limits, so what needs a range or an escaped slash is left to a file. */
function allowWords({ allow, methods, addresses, encodedSlash, clearance }: SuggestedGrant): string[] {
  if (addresses !== null || encodedSlash) return [];
  // A read that is cleared for more than public data is nothing that `--allow` could say.
  const sends = methods === null || methods.some((method) => method !== 'GET' && method !== 'HEAD');
  if (clearance !== null && !sends) return [];
  return [methods === null ? allow : `${allow}:${methods.join(',')}`];
}

function seenTogether(requests: readonly Tried[]): Seen {
  const firsts = requests.map(({ first }) => first).sort();
  const latest = requests.toSorted((a, b) => (a.last < b.last ? 1 : -1))[0];
  const count = requests.reduce((sum, request) => sum + request.count, 0);
  return { count, first: firsts[0] ?? '', last: latest?.last ?? '', attempt: latest?.attempt ?? null };
}

function hasOwnGrants({ layer }: SessionPolicy): boolean {
  return Object.keys(layer.policies).some((id) => !id.startsWith('session/profile:'));
}

const byCount = (a: Seen, b: Seen): number => b.count - a.count;
const byWeight = (a: Draft, b: Draft): number =>
  seenTogether(b.requests).count - seenTogether(a.requests).count || (a.allow < b.allow ? -1 : 1);
