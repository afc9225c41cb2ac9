import type { ActionName, HttpArgs, Intent } from '@cordon/protocol';
import { type Digest, digestRecord } from '@cordon/protocol/digest';
import type { BreakerLevel } from '../breaker/denials.ts';
import type { approvalFields, commonFields, Effect, flowFields, ValuesOf } from './field.ts';

export type Flow = ValuesOf<typeof flowFields>;
/** How far people have approved this very intent; computed by us from their signed answers. */
export type ApprovalFacts = ValuesOf<typeof approvalFields>;
/** That, and by which answers: digests of the signed records, which the decision names. */
export interface Approval extends ApprovalFacts {
  readonly ids?: readonly string[];
  /** Each of those people is in one of these; left out where anybody was asked. */
  readonly groups?: readonly string[];
}
export const noApproval: Approval = { quorum: 0, strong: false };

/** Somebody has signed for it: agreed to this very intent, or named who gets it. */
export function isByPeople({ quorum, ids = [] }: Approval): boolean {
  return quorum > 0 || ids.length > 0;
}

/**
 * All that policy may look at beside the intent, computed by us, never by the agent.
 * `attempt`, `intent`, `at` and `freshUntil` are for `authorize` itself; no policy can read them.
 */
export interface Facts extends ValuesOf<typeof commonFields> {
  readonly v: 'facts/1';
  readonly attempt: string;
  readonly intent: string;
  /** When the facts were made, RFC 3339 UTC with milliseconds. */
  readonly at: string;
  /** Until when the decider may trust its policy without hearing from the control plane. */
  readonly freshUntil: string;
  readonly checks: readonly string[];
  readonly args: { readonly [pointer: string]: readonly string[] };
  readonly nums: { readonly [pointer: string]: number };
  readonly flow: Flow;
  readonly labels: LabelFacts;
  /** Not in records of before there were any. */
  readonly counters?: CounterFacts;
}

/** What the flow facts were worked out from; recorded, and no policy reads it. */
export interface LabelFacts {
  /** Digest of the session's context label. */
  readonly ctx: string;
  readonly grade: 1 | 2 | 3;
  /** What the leak meter would count for this intent, and what it had counted before. */
  readonly leakBytes: number;
  readonly leakUsed: number;
  /** The endorsement by which a person named who gets it, and what `destInteg` is without; left out: none. */
  readonly endorsed?: { readonly id: string; readonly destInteg: number };
}

/** What `breaker` was worked out from, and when; recorded so that whoever has the ledger can count again. No policy reads it. */
export interface CounterFacts {
  /** Denials of the session that its gateway had counted by then. */
  readonly noted: number;
  /** Of the session's own breaker for this action at this resource, and of the destination's. */
  readonly own: BreakerLevel;
  readonly sink: BreakerLevel;
  /** Of the gateway's monotonic clock, milliseconds since no particular time: windows are measured by it. */
  readonly tick: number;
}

export interface FactsInput
  extends Partial<Omit<Facts, 'v' | 'attempt' | 'intent' | 'at' | 'freshUntil' | 'live' | 'minuteOfWeek'>> {
  readonly attempt: string;
  readonly at: string;
  readonly freshUntil: string;
  /** Kill epoch, session and lease are good. */
  readonly live: boolean;
}

/** Nothing is known: the worst in every field, so that a label that is missing denies. */
export const unknownFlow: Flow = {
  argConf: 3,
  argInteg: 0,
  clearance: 0,
  ctxConf: 3,
  ctxInteg: 0,
  destInteg: 0,
  leakOk: false,
  linksOk: false,
  readersOk: false,
};

/** What a test of policies assumes where it says nothing: internal data in a vouched context, to where a person named. */
export const usualFlow: Flow = {
  argConf: 1,
  argInteg: 2,
  clearance: 2,
  ctxConf: 1,
  ctxInteg: 2,
  destInteg: 3,
  leakOk: true,
  linksOk: true,
  readersOk: false,
};

const noLabels: LabelFacts = { ctx: `sha256:${'0'.repeat(64)}`, grade: 1, leakBytes: 0, leakUsed: 0 };

/** @throws CordonError `not-canonical` for a text with half a surrogate pair, which no adapter lets through */
export function hashIntent(intent: Intent): Digest {
  return digestRecord('intent', intent as unknown as Parameters<typeof digestRecord>[1]);
}

export function digestFacts(facts: Facts): Digest {
  return digestRecord('facts', facts as unknown as Parameters<typeof digestRecord>[1]);
}

export function createFacts(intent: Intent, given: FactsInput): Facts {
  return {
    anomaly: given.anomaly ?? 0,
    args: given.args ?? {},
    at: given.at,
    attempt: given.attempt,
    attested: given.attested ?? 0,
    boundary: given.boundary ?? 1,
    breaker: given.breaker ?? 0,
    checks: given.checks ?? [],
    ...(given.counters === undefined ? {} : { counters: given.counters }),
    covered: given.covered ?? true,
    depth: given.depth ?? 0,
    effect: given.effect ?? defaultEffect(intent),
    flow: given.flow ?? unknownFlow,
    freshUntil: given.freshUntil,
    intent: hashIntent(intent),
    labels: given.labels ?? noLabels,
    live: given.live,
    minuteOfWeek: minuteOfWeek(given.at),
    nums: given.nums ?? {},
    pinned: given.pinned ?? true,
    quotaOk: given.quotaOk ?? true,
    undoable: given.undoable ?? false,
    v: 'facts/1',
  };
}

/** Minutes since Monday 00:00 UTC; NaN for a time that is none, which the validator of facts refuses. */
export function minuteOfWeek(at: string): number {
  const ms = Date.parse(at);
  const minutes = Math.floor(ms / 60_000);
  // 1 January 1970 was a Thursday, three days after a Monday.
  const week = 7 * 24 * 60;
  return (((minutes + 3 * 24 * 60) % week) + week) % week;
}

/** What an action does when no catalogue says otherwise: whatever leaves and is not known to read, shares. */
export function defaultEffect(intent: Intent): Effect {
  if (intent.action === 'http.request') return effectOfMethod((intent.args as HttpArgs).method);
  // What comes back on a WebSocket was sent by the far side; what goes out leaves like a body.
  if (intent.action === 'http.message') return intent.args['direction'] === 'in' ? 'read' : 'share';
  return effectOfAction.get(intent.action) ?? 'share';
}

function effectOfMethod(method: unknown): Effect {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
      return 'read';
    case 'DELETE':
      return 'destroy';
    default:
      return 'share';
  }
}

const effectOfAction: ReadonlyMap<ActionName, Effect> = new Map([
  ['mcp.read', 'read'],
  ['mcp.prompt', 'read'],
  ['mcp.list', 'read'],
  ['model.list', 'read'],
  ['file.open', 'read'],
  ['file.apply', 'write'],
  ['process.exec', 'exec'],
]);
