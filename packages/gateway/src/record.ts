import type { EntryDraft } from '@cordon/ledger';
import { type Allow, digestLabel, isByPeople, type Label } from '@cordon/policy';
import { canonicalize, type RecordValue } from '@cordon/protocol';
import { limits } from './limits.ts';
import type { NumberedAttempt } from './session/attempts.ts';
import type { Settled } from './verdict.ts';

/**
 * The gateway's ledger entries, one function each, constant member names. In clear: ids, action, effect, resource down
 * to the host, outcome, codes, digests, sizes. What an agent chose (path, headers, arguments) is in the body beside.
 */
export function decisionEntry(numbered: NumberedAttempt, verdict: Settled, decideMicros: number): EntryDraft {
  const { attempt } = numbered;
  const decision = verdict.outcome === 'allow' ? verdict.allow : verdict;
  const { intent, record, facts } = decision;
  const { counters } = facts;
  // A receipt holds the whole entry and has 2 KiB, so of the flow facts those that the session's label decides.
  const { argConf, argInteg, ctxConf, ctxInteg } = facts.flow;
  const rates = record.obligations.filter((text) => text.startsWith('rate:'));
  return {
    session: intent.session,
    type: 'decision',
    data: {
      action: intent.action,
      agent: intent.agent,
      attempt: attempt.id,
      attemptDigest: numbered.digest,
      attemptSeq: attempt.seq,
      by: verdict.outcome === 'allow' ? 'policy' : verdict.by,
      bytesOut: intent.payload.bytes,
      channel: attempt.channel,
      code: record.code,
      ...(counters === undefined ? {} : { counters: counters as unknown as RecordValue }),
      decideMicros,
      decision: decision.digest,
      effect: facts.effect,
      facts: record.facts,
      flow: { argConf, argInteg, ctxConf, ctxInteg },
      generation: record.policy.generation,
      intent: record.intent,
      labels: facts.labels as unknown as RecordValue,
      outcome: record.outcome,
      payload: intent.payload.sha256,
      policy: record.policy.digest,
      ...(rates.length === 0 ? {} : { rates }),
      reasons: record.reasons.slice(0, limits.reasonsRecordedMax),
      resource: intent.resource,
      revision: record.policy.revision,
    },
    body: canonicalize({
      ...(isByPeople(decision.approval) ? { approval: { ...decision.approval } as unknown as RecordValue } : {}),
      attempt: attempt as unknown as RecordValue,
      decision: record as unknown as RecordValue,
      entities: decision.entities,
      facts: facts as unknown as RecordValue,
      intent: intent as unknown as RecordValue,
      next: decision.nextSteps,
    }),
  };
}

/** In one write with its decision: from here on the effect may have happened. */
export function startEntry(allow: Allow, attempt: string, payload: Buffer | null): EntryDraft {
  const draft = {
    session: allow.intent.session,
    type: 'start' as const,
    data: { attempt, payload: allow.intent.payload.sha256, resource: allow.intent.resource },
  };
  const kept = payload !== null && payload.length > 0 && payload.length <= limits.payloadKeptBytesMax;
  return kept ? { ...draft, body: payload } : draft;
}

/** What the session had seen, what it has seen now, and by what: the attempt whose answer it was, or `start`. */
export function labelEntry(session: string, before: Label | null, after: Label, cause: string): EntryDraft {
  return {
    session,
    type: 'label',
    data: {
      after: after as unknown as RecordValue,
      before: before === null ? null : digestLabel(before),
      cause,
      digest: digestLabel(after),
      grade: 1,
      of: 'context',
    },
  };
}

export interface OutcomeFigures {
  /** `relayed`, or what ended it. */
  readonly code: string;
  readonly status: number | null;
  /** Bytes of the answer's body as they came from upstream. */
  readonly bytesIn: number;
  /** Bytes of the request's body as they went out. */
  readonly bytesOut: number;
  /** SHA-256 of what was relayed to the agent. */
  readonly digest: string | null;
  /** The request may have had its effect though no whole answer was seen. */
  readonly doubt: boolean;
  readonly address: string | null;
  readonly credentials: readonly string[];
  /** Names of secrets that the answer reflected and that were taken out of it. */
  readonly scrubbed: readonly string[];
  readonly totalMs: number;
  /** When the breaker of the destination counted it; left out where none does. */
  readonly tick?: number;
  readonly firstByteMs: number | null;
}

export function outcomeEntry(session: string, attempt: string, figures: OutcomeFigures): EntryDraft {
  const { address, ...others } = figures;
  return { session, type: 'outcome', data: { address, attempt, ...others } };
}

interface Way {
  readonly action: string;
  readonly resource: string;
}

/**
 * A breaker that changed: `trip` and `reset` of a session, with how many denials it had counted; `close` and `open` of a
 * destination for the whole tenant, and `reset` of all of them (no session).
 */
export function breakerEntry(
  session: string | null,
  data: { readonly tick: number } & (
    | ({ readonly act: 'trip'; readonly level: 1 | 2; readonly noted: number } & Way)
    | { readonly act: 'close' | 'open'; readonly resource: string }
    | { readonly act: 'reset'; readonly noted?: number }
  ),
): EntryDraft {
  return { session, type: 'breaker', data: { ...data } };
}

/** What was refused before there was an intent, or broke. `detail` is our own words, bounded. */
export function faultEntry(
  session: string,
  fault: {
    readonly code: string;
    readonly detail: string;
    readonly channel: string;
    readonly attempt: string | null;
    readonly suppressed: number;
    /** The origin that a client gave up, so that a grant for it can be proposed. */
    readonly resource?: string;
  },
): EntryDraft {
  return { session, type: 'fault', data: { ...fault } };
}
