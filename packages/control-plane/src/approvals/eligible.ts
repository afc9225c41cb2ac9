import { openApproval } from '@cordon/policy';
import { type Hold, isOfGroups, type KnownPerson, type Person, samePerson } from '@cordon/protocol';
import type { StoredHold } from '@cordon/store';
import { refusal } from '../error.ts';

/**
 * A question to groups that nobody, or too few, could answer is not asked: it would stand until it expires.
 * @throws CordonError `approval-unsatisfiable`
 */
export function checkEligible(
  { rung, groups }: Pick<Hold, 'rung' | 'groups'>,
  directory: readonly KnownPerson[],
  excluded: readonly Person[],
): void {
  if (groups.length === 0) return;
  const eligible = directory.filter(
    (known) => isOfGroups(known, groups) && !excluded.some((person) => samePerson(person, known.person)),
  );
  if (eligible.length >= rung.quorum) return;
  const asked = `${rung.quorum} of ${groups.join(' or ')} must agree`;
  throw refusal('approval-unsatisfiable', `${asked}, and of those who may answer ${eligible.length} are in it`, [
    `cordon people add NAME --group ${groups[0]}`,
    'cordon people list',
  ]);
}

/** Whether everybody who has answered is still known by that key, and in a group that was asked. */
export function areStillKnown(hold: StoredHold, given: Omit<Parameters<typeof openApproval>[1], 'hold'>): boolean {
  return hold.answers.every(({ envelope }) => {
    const answer = openApproval(envelope, { ...given, hold: hold.record });
    return !(answer === 'approval-signature' || answer === 'approval-person' || answer === 'approval-group');
  });
}
