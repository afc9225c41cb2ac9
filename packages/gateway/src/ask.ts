import type { Destinations, Upstreams } from '@cordon/egress';
import type { Journal } from '@cordon/ledger';
import { type BreakerLevel, type CounterFacts, createFacts, type Facts, type PermitMinter } from '@cordon/policy';
import { type Clock, type Intent, type Random, sealRecord } from '@cordon/protocol';
import type { Leases } from '@cordon/secrets';
import type { Sinks } from './breaker/sinks.ts';
import type { PermitDesk } from './control/permit-desk.ts';
import type { InForce } from './control/policies.ts';
import type { RightToDecide } from './control/right.ts';
import type { HoldDesk } from './hold/desk.ts';
import type { Head } from './http/head.ts';
import type { Contexts } from './label/contexts.ts';
import type { Labelled } from './label/intent.ts';
import type { GatewayLimits } from './limits.ts';
import type { Incoming, Reply } from './listen/wire.ts';
import type { Session } from './session/session.ts';

export type Report = (level: 'info' | 'warn' | 'error', code: string, message: string) => void;

/** What the road needs, made once per gateway. */
export interface Road {
  readonly journal: Journal;
  readonly destinations: Destinations;
  readonly upstreams: Upstreams;
  readonly credentials: Leases;
  readonly minter: PermitMinter;
  readonly sinks: Sinks;
  readonly permits: PermitDesk;
  readonly right: RightToDecide;
  readonly holds: HoldDesk;
  readonly clock: Clock;
  /** Milliseconds of a processor that this thread has had. */
  readonly computed: () => number;
  readonly random: Random;
  readonly limits: GatewayLimits;
  readonly report: Report;
  /** The ledger's disk has no room beyond its reserve: nothing is decided, as if it took nothing (I3). */
  readonly diskFull: () => boolean;
  /** The policy of now. A decision takes it once, after the last byte of the body came, and keeps it (I4). */
  readonly policyOf: (session: string) => InForce | null;
  readonly labels: Contexts;
}

/** One request of a session, its head read. */
export interface Ask {
  readonly session: Session;
  readonly head: Head;
  readonly request: Incoming;
  readonly response: Reply;
  readonly channel: string;
  /** Aborted when the agent has gone. */
  readonly signal: AbortSignal;
  readonly startedMs: number;
}

/** What the counters outside of `authorize` say about this ask. */
interface Counted {
  readonly breaker: BreakerLevel;
  /** Every purse that it is paid from has enough. */
  readonly quotaOk: boolean;
  /** What is recorded of that; left out where nothing is recorded. */
  readonly counters?: CounterFacts;
}

/** What policy may look at beside the intent; computed by us, at this moment. */
export function factsOf(
  road: Road,
  session: Session,
  intent: Intent,
  attempt: string,
  labelled: Labelled,
  counted: Counted = { breaker: session.breakers.level(intent, road.clock.monotonic()), quotaOk: true },
): Facts {
  return sealRecord(
    createFacts(intent, {
      attempt,
      at: new Date(road.clock.now()).toISOString(),
      freshUntil: road.right.freshUntil(),
      live: !session.stopped,
      ...counted,
      boundary: 1,
      ...labelled.facts,
    }),
  );
}
