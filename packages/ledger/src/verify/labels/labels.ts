import { listWriters } from '../../journal/segment.ts';
import { type BodyKeys, noKeys, openBody } from '../../seal/open.ts';
import { framesOf, mayBe } from '../frames.ts';
import { PolicyRecords } from '../policies.ts';
import { Findings, type PartReport } from '../report.ts';
import { type Begun, Contexts, type SessionLabels, type Yielded } from './contexts.ts';
import { Folders } from './folders.ts';
import { isNoBetter } from './label.ts';
import { memberOf } from './member.ts';

export interface LabelsOptions {
  readonly journals: string;
  readonly keys?: BodyKeys;
}

const types: ReadonlySet<string> = new Set(['label', 'decision', 'start', 'outcome', 'session.start', 'recovery']);
const concerns = (bytes: Buffer): boolean => mayBe(bytes, types);

/**
 * What sessions have seen only ever falls, from what they were ordered to start with, by causes that are on record; each
 * effect was allowed by what its session had seen then; and what it left in folders, later sessions start with.
 */
export function verifyLabels({ journals, keys = noKeys }: LabelsOptions): PartReport {
  const findings = new Findings('labels');
  const yielded = yieldedBy(policiesOf(journals, keys));
  const folders = new Folders(findings);
  const all: Contexts[] = [];
  // Gateways first: what the control plane did meanwhile, in a ledger that is being written, can only be more.
  for (const writer of listWriters(journals).toReversed()) {
    const contexts = new Contexts(findings, yielded);
    for (const frame of framesOf(journals, writer, concerns)) {
      contexts.add(frame);
      folders.add(frame);
    }
    contexts.end();
    all.push(contexts);
  }
  for (const { sessions } of all) {
    for (const [id, session] of sessions) checkOrder(id, session, folders, findings);
  }
  return findings.report();
}

function checkOrder(id: string, { chain, first, last }: SessionLabels, folders: Folders, findings: Findings): void {
  const order = folders.orders.get(id);
  const [begin, now] = [chain[0], chain.at(-1)];
  if (begin === undefined || now === undefined || first === null || last === null) return;
  if (order?.start === undefined) findings.leave('not looked at: what a session was ordered to start with');
  else if (!isNoBetter(begin, order.start))
    findings.fail(first.failure('start', `${id} began better than it was ordered to`));
  // What is written at once others read at once, so the folder holds it before the session's own label says it (R7).
  const written = order?.writes == null ? null : folders.levels(order.writes);
  if (order?.writes != null && (written === null || !isNoBetter(written, now)))
    findings.fail(last.failure('unstored', `${order.writes} is labelled better than ${id}, which writes there`));
}

function policiesOf(journals: string, keys: BodyKeys): PolicyRecords {
  const policies = new PolicyRecords(new Findings('labels'));
  for (const writer of listWriters(journals)) {
    for (const frame of framesOf(journals, writer, PolicyRecords.concerns)) {
      policies.add(frame, openBody(frame.entry, frame.stored(), keys));
    }
  }
  return policies;
}

/** Whatever a place says is anybody's, unless a grant for that place says that it yields better. */
function yieldedBy(policies: PolicyRecords): Yielded {
  return ({ resource, session, generation, revision }: Begun) => {
    const [tenant, own] = [policies.tenant(generation), policies.session(session, revision)];
    if (tenant === null || own === null) return 'what grants say of answers cannot be read';
    const rules = [tenant, own].flatMap((policy) => {
      const origins = memberOf(policy, 'origins');
      return Array.isArray(origins) ? (origins as readonly unknown[]) : [];
    });
    const worth = rules
      .filter((rule) => {
        const origin = memberOf(rule, 'origin');
        return origin === resource || (typeof origin === 'string' && origin.includes('*'));
      })
      .map((rule) => memberOf(memberOf(rule, 'sink'), 'yields'));
    return worth.includes('vouched') ? 2 : worth.includes('derived') ? 1 : 0;
  };
}
