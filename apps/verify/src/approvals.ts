import type { JudgeApproval, RecordedUse } from '@cordon/ledger';
import { checkApprovals } from '@cordon/policy';
import type {
  DecisionRecord,
  Hold,
  HoldFloor,
  Intent,
  KnownPerson,
  Person,
  SessionPolicy,
  TenantPolicy,
} from '@cordon/protocol';

/** The gateway's own check, over the signed answers as they are on record and the very intent that was allowed. */
export const judgeApproval: JudgeApproval = (use, { entry, body }, policies) => {
  const record = body['decision'] as DecisionRecord;
  const tenant = policies.tenant(record.policy.generation) as TenantPolicy | null;
  const session = policies.session(entry.session ?? '', record.policy.revision) as SessionPolicy | null;
  if (tenant === null || session === null) return 'the policy that it was allowed under is not on record';
  const directory = use.directory as unknown as readonly Pick<KnownPerson, 'person' | 'keys'>[];
  const checked = checkApprovals({
    hold: use.hold as Hold,
    approvals: use.envelopes,
    intent: body['intent'] as Intent,
    flow: (body['facts'] as { readonly flow: HoldFloor }).flow,
    policy: record.policy,
    now: use.at,
    directory,
    used: use.used,
    excluded: tenant.approvals?.fourEyes === true ? whomItActsFor(use, session) : [],
  });
  return checked.ok ? { quorum: checked.approval.quorum, ids: checked.approval.ids } : checked.code;
};

/** Four eyes: who the agent acts for does not count, by whatever key. */
function whomItActsFor({ directory }: RecordedUse, { person }: SessionPolicy): readonly Person[] {
  return directory.map((known) => known.person as unknown as Person).filter(({ sub }) => sub === person);
}
