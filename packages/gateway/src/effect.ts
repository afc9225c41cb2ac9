import type { Pin, TunnelPin, UpstreamAnswer } from '@cordon/egress';
import { authorize, discardPermit, isByPeople, type Permit, rulesFor, type SignedPermit } from '@cordon/policy';
import type { LeaseSet, SecretPlan, SecretRefusal } from '@cordon/secrets';
import { type Ask, factsOf, type Road } from './ask.ts';
import { noteOutcome } from './breaker/breaker.ts';
import { costOf } from './budget/cost.ts';
import type { InForce } from './control/policies.ts';
import { GatewayError } from './error.ts';
import { codeOf, type Failure, failureOf } from './failure.ts';
import type { Body } from './http/body.ts';
import { answerLabel } from './label/answer.ts';
import { heldBack } from './label/held-back.ts';
import type { Labelled } from './label/intent.ts';
import { Outcome } from './outcome.ts';
import { perform } from './perform.ts';
import { answerProblem } from './refuse/answer.ts';
import { failedProblem, requestLineOf } from './refuse/denied.ts';
import { relay } from './relay.ts';
import type { Session } from './session/session.ts';
import { signedFor } from './signed-permit.ts';
import { checkStop } from './stop-gate.ts';

/** What was decided by, and where secrets go. */
export interface Decided {
  readonly policy: InForce;
  readonly plan: SecretPlan;
  /** The labels that it was decided by; what was sent before the session saw more cannot contain it. */
  readonly labelled: Labelled;
}

/** And the very body that was decided about. */
export interface Prepared extends Decided {
  readonly body: Body;
}

/** A place to go, and what goes in on the way there. */
export interface Ready {
  readonly pin: Pin;
  readonly lease: LeaseSet | null;
  /** Where the grant names an effector: the permit as it goes along. */
  readonly signed: SignedPermit | null;
  readonly outcome: Outcome;
}

/** From the permit to the end of the answer. */
export async function effect(road: Road, ask: Ask, permit: Permit, made: Prepared): Promise<void> {
  const { session, signal } = ask;
  const { plan, body } = made;
  await undertake(road, ask, permit, { made, fault: 'effect-failed' }, async (ready) => {
    const { pin, lease, signed, outcome } = ready;
    const { upstreams, minter } = road;
    const means = {
      upstreams,
      minter,
      pin,
      plan,
      lease,
      signed,
      body: body.bytes,
      signal,
      firstByteTimeoutMs: road.limits.firstByteTimeoutMs,
      h2: ask.request.wire.h2 !== undefined,
    };
    const sending = perform(checkStop(permit, session, road.right), means);
    outcome.sent(permit.payload.bytes);
    session.traffic.out += permit.payload.bytes;
    await relayAnswer(road, ask, permit, made, ready, await sending);
  });
}

/**
 * From the permit to the end of what `act` does with it; a failure is answered. Ends in exactly one `outcome`, whatever
 * happens. INVARIANT: `act` awaits nothing before its `checkStop`, the last synchronous step before the first byte.
 */
export async function undertake(
  road: Road,
  ask: Ask,
  permit: Permit,
  { made, fault }: { readonly made: Decided; readonly fault: 'effect-failed' | 'websocket-failed' },
  act: (ready: Ready) => Promise<void>,
): Promise<void> {
  const { session, signal } = ask;
  const { plan } = made;
  const outcome = new Outcome(road.clock, ask.startedMs);
  let lease: LeaseSet | SecretRefusal | null = null;
  try {
    const pin = await road.destinations.pin(permit, rulesFor(made.policy.snapshot, permit.destination), signal);
    if ('refused' in pin) return answerFailure(ask, permit, outcome, pin);
    if (plan.uses.length > 0) {
      lease = await road.credentials.lease(permit, plan.uses, signal);
      if ('refused' in lease) return answerFailure(ask, permit, outcome, { ...lease, status: 403 });
      outcome.leased(lease.names);
    }
    const signed = await signedFor(road.permits, permit, plan, signal);
    signal.throwIfAborted();
    checkPolicy(road, session, permit, made);
    await act({ pin, lease, signed, outcome });
  } catch (error: unknown) {
    // An abort surfaces as whatever was waiting then; why it was aborted says more.
    const cause: unknown = signal.aborted ? signal.reason : error;
    if (codeOf(cause) === 'fault') road.report('error', fault, textOf(cause));
    answerFailure(ask, permit, outcome, { ...failureOf(cause), code: codeOf(cause) });
  } finally {
    if (lease !== null && !('refused' in lease)) lease[Symbol.dispose]();
    discardPermit(permit, road.minter);
    if (outcome.unsent) session.purse.refund(costOf(permit.intent));
    // INVARIANT: counted and appended in one turn, so that the order of the journal is the order of counting.
    const tick = noteOutcome(road, session, permit.destination, outcome.sinkFailed);
    await road.journal.append(outcome.entry(session.id, permit.attempt, tick), 'os');
  }
}

/** An answer to its end, as long as policy would still give it. */
export async function relayAnswer(
  road: Road,
  ask: Ask,
  permit: Permit,
  made: Decided,
  ready: Ready,
  answer: UpstreamAnswer,
): Promise<void> {
  const { session, signal, response } = ask;
  const { lease, outcome } = ready;
  outcome.answered(answer);
  checkPolicy(road, session, permit, made, answer);
  await heldBack(answer.body, seen(road, session, permit, made, ready));
  const permitted = (): boolean => isPermitted(road, session, permit, made.labelled);
  using stream = session.openStream(permitted, road.clock.monotonic(), signal);
  const firstByte = (): void => outcome.firstByte();
  const received = (bytes: number): void => {
    outcome.received(bytes);
    session.passed('in', bytes);
  };
  const { method } = ask.head;
  const { limits } = road;
  outcome.relayed(await relay({ answer, response, method, lease, limits, signal: stream.signal, firstByte, received }));
}

/**
 * The session is about to see what comes back. INVARIANT: nothing of an answer is written to the agent before this has
 * resolved, so that whatever the agent sends afterwards is labelled with it.
 */
export async function seen(
  road: Road,
  session: Session,
  permit: Permit,
  { policy, labelled }: Pick<Decided, 'policy' | 'labelled'>,
  { pin, lease }: { readonly pin: Pin | TunnelPin; readonly lease: LeaseSet | null },
): Promise<void> {
  const { sinks, context } = labelled;
  const { person } = policy.session;
  const label = answerLabel({ sinks, context: context.label, pin, leased: lease !== null, person });
  await road.labels.fall(session.id, label, permit.attempt);
}

/**
 * Policy that came while we waited for a name, a secret or the server is asked before the next step: no longer than
 * one generation is a decision good for (I4). @throws GatewayError `no-longer-permitted`
 */
export function checkPolicy(
  road: Road,
  session: Session,
  permit: Permit,
  made: Pick<Decided, 'policy' | 'labelled'>,
  answer?: UpstreamAnswer,
): void {
  if (session.stopped || road.policyOf(session.id)?.snapshot === made.policy.snapshot) return;
  if (isPermitted(road, session, permit, made.labelled)) return;
  answer?.body.destroy();
  throw new GatewayError('no-longer-permitted', 'the policy changed while the request was under way');
}

/** A stream outlives its decision: would the policy of now give it again? */
export function isPermitted(road: Road, session: Session, permit: Permit, labelled: Labelled): boolean {
  const policy = road.policyOf(session.id);
  if (policy === null) return false;
  const { snapshot } = policy;
  const facts = factsOf(road, session, permit.intent, permit.attempt, labelled);
  const { approval } = permit;
  // People agreed under one policy, as a pair and to the letter (I4).
  if (isByPeople(approval) && (snapshot.generation !== permit.generation || snapshot.revision !== permit.revision)) {
    return false;
  }
  return authorize(snapshot, snapshot.principal, permit.intent, facts, approval).outcome === 'allow';
}

function answerFailure(ask: Ask, permit: Permit, outcome: Outcome, failure: Failure): void {
  outcome.failed(failure.code);
  const { response } = ask;
  // Half an answer must not look like a whole one.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const line = requestLineOf(permit.intent);
  const problem = failedProblem(failure, { line, intent: permit.intentDigest, attempt: permit.attempt });
  answerProblem(response, problem, { close: false, method: ask.head.method });
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : 'a value that is no error was thrown';
}
