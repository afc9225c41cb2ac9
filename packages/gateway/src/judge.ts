import type { SecretPlan, SecretRefusal } from '@cordon/secrets';
import type { Road } from './ask.ts';
import { type Asked, type Asker, askOnce, conclude, type Judged } from './conclude.ts';
import { judgeEndorsed, wantedNames } from './endorse/endorsed.ts';
import { codeOf } from './failure.ts';
import { type Refusal, refuse } from './refuse/refusal.ts';
import type { Session } from './session/session.ts';
import { deniedByGateway } from './verdict.ts';

/** For what carries no credential: a tunnel, or a message of a WebSocket. */
export const noSecrets: SecretPlan = { refused: false, uses: [], headers: [] };

/**
 * From an intent to a permit, for what cannot wait for a person: a message would hold up every later one of its
 * connection, and who opens a tunnel could be told nothing (decision 0074). A hold is a deny that says so.
 * @throws GatewayError `journal-failed`; PolicyError of `createPermit`
 */
export async function judge(road: Road, asker: Asker, asked: Asked): Promise<Judged> {
  const made = await askOnce(road, asker, asked);
  const { verdict } = made;
  if (verdict.outcome !== 'hold') return await conclude(road, asker, asked, { ...made, verdict });
  const held = { ...made, verdict };
  const endorsed = await judgeEndorsed(road, asker, asked, { held, unnamed: wantedNames(asked, held) });
  if (endorsed !== null) return endorsed;
  const detail = 'A person would have to agree, and this cannot wait for one.';
  const denied = deniedByGateway(verdict.hold, 'hold-unsupported', detail);
  return await conclude(road, asker, asked, { ...made, verdict: denied });
}

/** Whose account it is: ours when a value of ours goes along, which takes the place of whatever the agent had put there. */
export function isOurs(plan: SecretPlan | SecretRefusal, query: ReadonlyArray<readonly [string, string]>): boolean {
  if (plan.refused || plan.uses.length === 0) return false;
  return !query.some(([name]) => /^(?:api[_-]?key|key|(?:access_)?token)$/i.test(name));
}

/** Null: it may be asked about. Else the session has been denied too often in this minute, and waits. */
export function deniedTooOften(road: Road, session: Session): Refusal | null {
  const deniedPerMinuteMax = road.limits.deniedPerMinuteMax;
  const retryAfterSeconds = session.denied.waitSeconds(road.clock.monotonic(), deniedPerMinuteMax);
  if (retryAfterSeconds === null) return null;
  const detail = `A session may be denied ${deniedPerMinuteMax} times a minute; until then nothing of it is decided.`;
  return refuse('too-many-denials', detail, { retryAfterSeconds, nextSteps: ['stop asking for what was denied'] });
}

/** A step of ours broke. A journal that is down says so itself, once; a line each time would let an agent fill the log. */
export function refusalOfFault(road: Road, error: unknown, what: string): Refusal {
  if (codeOf(error) === 'journal-failed') {
    return refuse('ledger-unavailable', `The decision could not be recorded. ${what}`, {
      nextSteps: ['cordon status', 'free space on the disk of $CORDON_HOME'],
      retryAfterSeconds: 5,
    });
  }
  road.report('error', codeOf(error), error instanceof Error ? (error.stack ?? error.message) : 'not an error');
  return refuse('fault', `An internal step failed. ${what}`);
}
