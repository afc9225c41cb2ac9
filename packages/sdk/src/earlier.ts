import {
  type ApprovalRecord,
  type ApprovedBefore,
  approvalType,
  type Earlier,
  type Hold,
  type KnownPerson,
  kindOf,
  personOfKey,
  samePerson,
  type View,
} from '@cordon/protocol';
import { openEnvelope } from '@cordon/protocol/dsse';
import { checkView, mismatch } from './view.ts';

/**
 * What a view is to be compared with. The view says which one it was, and its digest is signed; what the daemon hands out
 * for it must be that one, of the same kind, and approved by the signatures of people who are known.
 * @throws CordonError `view-mismatch`
 */
export function earlierOf(view: View, given: ApprovedBefore | null, people: readonly KnownPerson[]): Earlier {
  const named = view.before ?? null;
  if (named === null) {
    if (given !== null) throw mismatch('an earlier request that the view does not name');
    return { kind: 'first' };
  }
  if (given === null) return { kind: 'unreadable', hold: named.hold };
  const record = given.record as Hold;
  const before = given.view as unknown as View;
  checkView(record, before);
  if (record.id !== named.hold || record.view !== named.view)
    throw mismatch('another earlier request than the view names');
  if (kindOf(before.intent) !== kindOf(view.intent)) throw mismatch('an earlier request of another kind');
  const by = given.answers.flatMap((envelope) => approverOf(envelope, record, people));
  if (by.length === 0) return { kind: 'unsigned', hold: named.hold };
  return { kind: 'checked', view: before, by: [...new Set(by)].sort() };
}

/** Whoever is known here and signed a yes to exactly this record. */
function approverOf(envelope: unknown, { id, intent, view }: Hold, people: readonly KnownPerson[]): string[] {
  const keys = people.flatMap((known) => known.keys);
  const opened = openEnvelope(envelope, approvalType, keys);
  if (!opened.ok) return [];
  const answer = JSON.parse(opened.payload.toString('utf8')) as ApprovalRecord;
  const signer = personOfKey(people, opened.signers[0] ?? '');
  const same = answer.hold === id && answer.intent === intent && answer.view === view && answer.verdict === 'approve';
  return same && signer !== null && samePerson(signer, answer.person) ? [signer.sub] : [];
}
