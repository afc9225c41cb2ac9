import type { JudgeApproval, RecordedPolicies, RecordedUse } from '@cordon/ledger';
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
  const directory = use.directory as unknown as readonly Omit<KnownPerson, 'addedAt'>[];
  const checked = checkApprovals({
    hold: use.hold as Hold,
    approvals: use.envelopes,
    intent: body['intent'] as Intent,
    flow: (body['facts'] as { readonly flow: HoldFloor }).flow,
    policy: record.policy,
    now: use.at,
    directory,
    used: use.used,
    excluded:
      tenant.approvals?.fourEyes === true ? whoDoNotCount(use, session, policies, record.policy.generation) : [],
  });
  if (!checked.ok) return checked.code;
  const { quorum, ids, groups = [] } = checked.approval;
  return { quorum, ids, groups };
};

/** Four eyes: whom the agent acts for, who started it, and who signed the policy, by whatever key. */
export function whoDoNotCount(
  { directory }: Pick<RecordedUse, 'directory'>,
  { session, person }: SessionPolicy,
  policies: RecordedPolicies,
  generation: number,
): readonly Person[] {
  const names = [person, policies.starter(session)];
  const local = directory.map((known) => known.person as unknown as Person).filter(({ sub }) => names.includes(sub));
  return [...local, ...(policies.signers(generation) as unknown as readonly Person[])];
}
