import { isUtf8 } from 'node:buffer';
import { type Approval, type Facts, type HeldCode, noApproval } from '@cordon/policy';
import {
  type HoldNews,
  type HoldOrder,
  type HoldTaken,
  isCordonError,
  type Problem,
  problemType,
  type ViewPayload,
} from '@cordon/protocol';
import type { Road } from '../ask.ts';
import { type Asked, type Asker, askOnce, conclude, type Judged } from '../conclude.ts';
import { type HeldTry, judgeEndorsed, wantedNames } from '../endorse/endorsed.ts';
import { codeOf } from '../failure.ts';
import { requestLineOf } from '../refuse/denied.ts';
import { quote } from '../refuse/quote.ts';
import { deniedByGateway, deniedByPolicy, type ShellDenyCode } from '../verdict.ts';
import { policyName, type UseQuestion } from './desk.ts';

/** Whoever asks can wait, with the connection open and nothing sent upstream. */
export interface Patience {
  /** Aborted when the agent has gone, which a stop sees to as well: nothing is done for it from then on. */
  readonly signal: AbortSignal;
  /** `Prefer: respond-async` (RFC 7240 §4.1): answered at once; who did not ask for that would take it for done. */
  readonly respondAsync: boolean;
  /** The body as it can be read; null: its bytes are coded, so nobody could read what they agree to. */
  readonly readable: Buffer | null;
}

export interface Pending {
  readonly outcome: 'pending';
  readonly problem: Problem;
  readonly hold: string;
  readonly respondAsync: boolean;
  readonly retryAfterSeconds: number;
}

/**
 * From an intent to a permit, asking people where policy wants that: the question is opened or found by the intent's
 * hash, the request waits, and an answer leads to a decision of its own, under the facts and the policy of then.
 * @throws GatewayError `journal-failed` `client-gone`; PolicyError of `createPermit`
 */
export async function judgePatiently(
  road: Road,
  asker: Asker,
  asked: Asked,
  patience: Patience,
): Promise<Judged | Pending> {
  const made = await askOnce(road, asker, asked);
  const { verdict } = made;
  if (verdict.outcome !== 'hold') return await conclude(road, asker, asked, { ...made, verdict });
  const held: HeldTry = { ...made, verdict };
  patience.signal.throwIfAborted();
  const unnamed = wantedNames(asked, held);
  const endorsed = await judgeEndorsed(road, asker, asked, { held, unnamed });
  if (endorsed !== null) return endorsed;
  const payload = payloadOf(road, patience.readable);
  if (payload === undefined) {
    const detail = `A person would have to read the body whole: at most ${road.limits.holdPayloadBytesMax} bytes, not coded.`;
    return await deny(road, asker, asked, held, 'hold-unshowable', detail);
  }
  using watch = road.holds.enter(asker.session.id, made.facts.intent);
  if (watch === null) {
    return await deny(road, asker, asked, held, 'hold-limit', 'Too many requests of this session wait for a person.');
  }
  const opened = await open(road, asker, asked, held, { payload, unnamed });
  if ('outcome' in opened) return opened;
  // Nothing is done for an agent that has gone, and no use is spent on it.
  patience.signal.throwIfAborted();
  if (opened.state !== 'open') return await settle(road, asker, asked, held, opened);
  const pending = await recordHeld(road, asker, asked, held, { hold: opened, patience });
  if (patience.respondAsync) return pending;
  const news = await watch.settled(opened.hold, road.limits.holdWaitMs, patience.signal);
  patience.signal.throwIfAborted();
  if (news === null) return pending;
  const policy = road.policyOf(asker.session.id);
  const now = { ...asked, policy: policy ?? asked.policy };
  const again = await askOnce(road, asker, now);
  if (again.verdict.outcome !== 'hold') {
    return await conclude(road, asker, now, { ...again, verdict: again.verdict });
  }
  return await settle(road, asker, now, { ...again, verdict: again.verdict }, news);
}

async function open(
  road: Road,
  asker: Asker,
  asked: Asked,
  made: HeldTry,
  shown: Pick<HoldOrder, 'payload' | 'unnamed'>,
): Promise<HoldNews | Judged> {
  const { facts, verdict } = made;
  const { record } = verdict.hold;
  try {
    return await road.holds.open({
      session: asker.session.id,
      attempt: facts.attempt,
      intent: asked.intent,
      ...shown,
      effect: facts.effect,
      undoable: facts.undoable,
      flow: { ...facts.flow },
      policy: policyName(asked.policy.snapshot),
      rung: verdict.hold.rung,
      groups: verdict.hold.groups,
      code: record.code,
      reasons: record.reasons,
    });
  } catch (error: unknown) {
    if (codeOf(error) === 'approval-unsatisfiable') {
      const who = verdict.hold.groups.join(' or ');
      const detail = `${verdict.hold.rung.quorum} of ${who} would have to agree, and too few are in it.`;
      return await deny(road, asker, asked, made, 'approval-unsatisfiable', detail);
    }
    if (codeOf(error) !== 'hold-limit') {
      road.report('warn', codeOf(error), 'a question to people could not be opened');
      const detail = 'A person would have to agree, and could not be asked.';
      return await deny(road, asker, asked, made, 'hold-unavailable', detail);
    }
    road.holds.full(asker.session.id);
    const detail = 'As many questions as may wait for people do wait already.';
    return await deny(road, asker, asked, made, 'hold-limit', detail);
  }
}

/** What became of the question, for one try of now. */
async function settle(road: Road, asker: Asker, asked: Asked, made: HeldTry, news: HoldNews): Promise<Judged> {
  switch (news.state) {
    case 'approved':
      return await useApproval(road, asker, asked, made, news.hold);
    case 'denied': {
      const reason = news.reason === '' ? '' : `: ${quote(news.reason, road.limits.quotedCharsMax)}`;
      return await deny(road, asker, asked, made, 'approval-denied', `A person said no${reason}.`);
    }
    case 'open':
    case 'used':
    case 'expired':
    case 'void': {
      const why = news.reason === '' ? news.state : `${news.state}, ${quote(news.reason, 64)}`;
      return await deny(road, asker, asked, made, 'hold-over', `The question was not answered in time (${why}).`);
    }
  }
}

/**
 * Approved is not allowed: one use is taken, its receipt and every answer are checked from the signatures up, and
 * policy is asked again by the facts of then. INVARIANT: `approval.used` is on the control plane's disk before this
 * returns a permit; of several that ask for the last use at once, one gets it.
 */
async function useApproval(road: Road, asker: Asker, asked: Asked, made: HeldTry, hold: string): Promise<Judged> {
  const { intent, policy } = asked;
  const { attempt, intent: intentDigest, flow } = made.facts;
  const question: UseQuestion = { attempt, intent, intentDigest, flow: { ...flow }, snapshot: policy.snapshot };
  let taken: HoldTaken;
  try {
    taken = await road.holds.take(hold, question);
  } catch (error: unknown) {
    const counts = isCordonError(error) && error.code.startsWith('approval-');
    const code = counts ? (error.code as ShellDenyCode) : 'hold-over';
    return await deny(road, asker, asked, made, code, 'The approval could not be used (any more).');
  }
  let refused: HeldCode | null = null;
  // What the wait for the control plane has changed counts; the attempt stays the one that the receipt names.
  const approvalOf = (facts: Facts): Approval => {
    const checked = road.holds.check(taken, { ...question, flow: { ...facts.flow } });
    if (checked.ok) return checked.approval;
    refused = checked.code;
    return noApproval;
  };
  const again = await askOnce(road, asker, asked, { attempt, approvalOf });
  const { verdict } = again;
  if (verdict.outcome !== 'hold') return await conclude(road, asker, asked, { ...again, verdict });
  if (refused !== null) {
    return await deny(road, asker, asked, { ...again, verdict }, refused, 'The approval does not count for this.');
  }
  // People have agreed as far as they were asked, and policy now wants more of them: the use is gone, the answer is no.
  return await conclude(road, asker, asked, { ...again, verdict: deniedByPolicy(verdict.hold) });
}

function deny(road: Road, asker: Asker, asked: Asked, made: HeldTry, code: ShellDenyCode, detail: string) {
  const nextSteps = nextStepsOf(code, made.verdict.hold.groups);
  const retryAfterSeconds = Math.ceil(road.limits.holdRetryMs / 1000);
  const more = code === 'approval-denied' ? { nextSteps } : { nextSteps, retryAfterSeconds };
  return conclude(road, asker, asked, { ...made, verdict: deniedByGateway(made.verdict.hold, code, detail, more) });
}

function nextStepsOf(code: ShellDenyCode, [group = 'GROUP']: readonly string[]): string[] {
  if (code === 'approval-denied') return ['do something else'];
  if (code === 'approval-unsatisfiable') return [`cordon people add NAME --group ${group}`, 'cordon people list'];
  return ['try again later', 'cordon approvals'];
}

/** The decision `hold` is in the ledger before the agent or anybody else hears of it. */
async function recordHeld(
  road: Road,
  asker: Asker,
  asked: Asked,
  made: HeldTry,
  { hold, patience }: { readonly hold: HoldNews; readonly patience: Patience },
): Promise<Pending> {
  await conclude(road, asker, asked, { ...made, verdict: deniedByPolicy(made.verdict.hold) });
  const { facts, verdict } = made;
  const retryAfterSeconds = Math.ceil(road.limits.holdRetryMs / 1000);
  const problem: Problem = {
    type: problemType('hold-pending'),
    title: 'Waits for a person',
    status: patience.respondAsync ? 202 : 403,
    detail: `${requestLineOf(asked.intent)} was not sent: ${verdict.hold.title}.`,
    code: 'hold-pending',
    intent: facts.intent,
    attempt: facts.attempt,
    hold: hold.hold,
    next_steps: [
      `a person can look at it and agree with: cordon approve ${hold.hold}`,
      `then send the very same request again, in ${retryAfterSeconds} s or later, before ${hold.expires}`,
      `cordon policy explain ${facts.attempt}`,
    ],
  };
  return { outcome: 'pending', problem, hold: hold.hold, respondAsync: patience.respondAsync, retryAfterSeconds };
}

/** Undefined: it cannot be shown whole. */
function payloadOf(road: Road, readable: Buffer | null): ViewPayload | null | undefined {
  if (readable === null || readable.length > road.limits.holdPayloadBytesMax) return undefined;
  if (readable.length === 0) return null;
  return isUtf8(readable)
    ? { encoding: 'utf8', data: readable.toString('utf8') }
    : { encoding: 'base64', data: readable.toString('base64') };
}
