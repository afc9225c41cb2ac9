import {
  authorize,
  type EndorsementCode,
  isDestination,
  noApproval,
  type PolicySnapshot,
  policyLimits,
  type ReceiptCode,
} from '@cordon/policy';
import type { EndorsementTaken } from '@cordon/protocol';
import type { Road } from '../ask.ts';
import { type Asked, type Asker, askOnce, conclude, type Endorsed, type Judged, type Try } from '../conclude.ts';
import { codeOf } from '../failure.ts';
import { type Labelled, labelIntent } from '../label/intent.ts';
import { deniedByGateway, deniedByPolicy, type Held } from '../verdict.ts';

export type HeldTry = Try & { readonly verdict: Held };

/**
 * Who or what was not named by anybody, where that alone is why policy holds this: were they named, it would allow.
 * Empty where naming does not help, so that no use is spent and nobody is offered what would open nothing.
 */
export function wantedNames({ policy, intent, readable: body, ownCredential }: Asked, held: HeldTry) {
  const { facts, labelled } = held;
  const { unnamed, context, flow } = labelled;
  const few =
    unnamed.length > 0 && unnamed.length <= policyLimits.endorsementDestinationsMax && unnamed.every(isDestination);
  if (!few || flow.argConf >= 3 || flow.ctxConf >= 3) return [];
  const { snapshot } = policy;
  const named = labelIntent(context, snapshot, intent, { body, ownCredential, mayLeak: flow.leakOk, named: unnamed });
  return isAllowed(snapshot, held, { ...facts.flow, destInteg: named.flow.destInteg }) ? unnamed : [];
}

function isAllowed(snapshot: PolicySnapshot, { facts, verdict }: HeldTry, flow: Labelled['flow']): boolean {
  const { intent } = verdict.hold;
  return authorize(snapshot, snapshot.principal, intent, { ...facts, flow }, noApproval).outcome === 'allow';
}

/**
 * What people have named for a time: one use is taken, checked from the signatures up, and policy is asked again with
 * these names, under the labels of then. Null: there is no such endorsement. INVARIANT: the use is counted and on the
 * control plane's disk before this returns a permit.
 */
export async function judgeEndorsed(
  road: Road,
  asker: Asker,
  asked: Asked,
  { held, unnamed }: { readonly held: HeldTry; readonly unnamed: readonly string[] },
): Promise<Judged | null> {
  if (unnamed.length === 0) return null;
  const { intent, policy } = asked;
  const { attempt, intent: intentDigest } = held.facts;
  const { rung, groups } = held.verdict.hold;
  const wanted = { unnamed, rung, groups };
  const question = { attempt, intent, intentDigest, snapshot: policy.snapshot };
  let taken: EndorsementTaken | null;
  try {
    taken = await road.holds.takeEndorsed({ ...question, flow: { ...held.labelled.flow } }, wanted);
  } catch (error: unknown) {
    // A person is asked then, by the same channel, and that says what is wrong with it.
    road.report('warn', codeOf(error), 'endorsements could not be asked for');
    return null;
  }
  if (taken === null) return null;
  const received = taken;
  let refused: EndorsementCode | ReceiptCode | null = null;
  const endorsedBy = ({ flow, unnamed: now }: Labelled): Endorsed | null => {
    const checked = road.holds.checkEndorsed(received, { ...question, flow: { ...flow } }, { ...wanted, unnamed: now });
    if (checked.ok) return { id: checked.id, named: now, approval: checked.approval };
    refused = checked.code;
    return null;
  };
  const again = await askOnce(road, asker, asked, { attempt, endorsedBy });
  const { verdict } = again;
  if (verdict.outcome !== 'hold') return await conclude(road, asker, asked, { ...again, verdict });
  const denied =
    refused === null
      ? deniedByPolicy(verdict.hold)
      : deniedByGateway(verdict.hold, refused, 'What people have named does not count for this.', {
          nextSteps: ['try again later', 'cordon endorsements list'],
        });
  return await conclude(road, asker, asked, { ...again, verdict: denied });
}
