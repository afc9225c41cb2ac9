import type { JudgeEndorsement } from '@cordon/ledger';
import { checkEndorsement, type Facts, trafficOf } from '@cordon/policy';
import type { DecisionRecord, Hold, Intent, KnownPerson, Rung, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import { whoDoNotCount } from './approvals.ts';

/** The gateway's own check, over the signed records, and the labels as they would have been without them. */
export const judgeEndorsement: JudgeEndorsement = (use, { entry, body }, policies) => {
  const record = body['decision'] as DecisionRecord;
  const tenant = policies.tenant(record.policy.generation) as TenantPolicy | null;
  const session = policies.session(entry.session ?? '', record.policy.revision) as SessionPolicy | null;
  if (tenant === null || session === null) return 'the policy that it was allowed under is not on record';
  const { flow, labels } = body['facts'] as Facts;
  const { endorsed } = labels;
  if (endorsed?.id !== use.id) return 'the facts do not say that it was endorsed by this';
  const intent = body['intent'] as Intent;
  if (use.bytes !== trafficOf(intent)) return 'other bytes were counted than went out';
  const directory = use.directory as unknown as readonly Omit<KnownPerson, 'addedAt'>[];
  const checked = checkEndorsement({
    hold: use.hold as Hold,
    endorsements: use.envelopes,
    intent,
    unnamed: use.named as readonly string[],
    rung: use.rung as Rung,
    groups: use.groups as readonly string[],
    flow: { ...flow, destInteg: endorsed.destInteg },
    policy: record.policy,
    now: use.at,
    directory,
    used: use.used,
    excluded:
      tenant.approvals?.fourEyes === true ? whoDoNotCount(use, session, policies, record.policy.generation) : [],
  });
  if (!checked.ok) return checked.code;
  const { ids, groups = [] } = checked.approval;
  return checked.id === use.id ? { ids, groups } : 'endorsement-other-terms';
};
