import type { Replay, Replayed } from '@cordon/ledger';
import {
  type Approval,
  authorize,
  createSnapshot,
  type Decision,
  type Facts,
  noApproval,
  type PolicySnapshot,
} from '@cordon/policy';
import {
  canonicalize,
  type DecisionRecord,
  type Intent,
  type RecordValue,
  type SessionPolicy,
  sealRecord,
  type TenantPolicy,
} from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import type { Engines } from './engines.ts';

/** Snapshots of the last sessions; each is built from recorded texts and belongs to one digest. */
const snapshotsMax = 64;

const differs = (code: string, detail: string): Replayed => ({ kind: 'differs', code, detail });
const gone = (why: string): Replayed => ({ kind: 'not-replayable', why });

/**
 * The bit-identical replay: the engine by its digest, the snapshot from the layers on record, intent, facts and approval
 * as they were sealed; then `authorize`, and the canonical bytes of both records side by side.
 */
export function createReplay(engines: Engines): Replay {
  const snapshots = new Map<string, PolicySnapshot>();
  return ({ entry, body }, policies) => {
    const record = body['decision'];
    if (!isDecisionRecord(record) || !isObject(body['intent']) || !isObject(body['facts'])) {
      return differs('record', 'the body lacks decision, intent or facts');
    }
    // Sealed, so that each is written canonically once, however often it is hashed.
    const [intent, facts] = [sealRecord(body['intent']), sealRecord(body['facts'])];
    const odd = unlikeEntry(entry.data, record, intent, facts);
    if (odd !== null) return differs(odd, `the body's ${odd} is not the one that the entry names`);
    const engine = engines.get(record.policy.engine);
    if (engine === null) return gone(`the engine ${record.policy.engine} is not here (--engine FILE)`);
    const { generation, revision } = record.policy;
    const tenant = policies.tenant(generation);
    const session = policies.session(entry.session ?? '', revision);
    if (tenant === null) return differs('policy', `no entry put generation ${generation} in force`);
    if (session === null) return differs('policy', `no entry ordered ${entry.session} with revision ${revision}`);
    const key = `${record.policy.engine} ${record.policy.digest} ${generation} ${entry.session} ${revision}`;
    const snapshot =
      snapshots.get(key) ??
      findSnapshot(engine, tenant as TenantPolicy, session as SessionPolicy, record.policy.digest);
    if (snapshot === null) {
      return differs('policy', `the layers on record do not give the policy ${record.policy.digest} that it names`);
    }
    remember(snapshots, key, snapshot);
    const approval = (body['approval'] ?? noApproval) as Approval;
    const again = authorize(
      snapshot,
      snapshot.principal,
      intent as unknown as Intent,
      facts as unknown as Facts,
      approval,
    );
    const unendorsed =
      record.outcome === 'allow'
        ? wrongEndorsement(snapshot, intent as unknown as Intent, facts as unknown as Facts, approval)
        : null;
    if (unendorsed !== null) return differs('endorsement', unendorsed);
    const expected = entry.data['by'] === 'gateway' ? deniedByGateway(again, record) : again.record;
    return compare(record, expected);
  };
}

/** The first thing in which the clear part of the entry and its sealed body do not speak of the same decision. */
function unlikeEntry(
  data: Readonly<Record<string, RecordValue>>,
  record: DecisionRecord,
  intent: RecordObject,
  facts: RecordObject,
): string | null {
  if (digestRecord('intent', intent) !== record.intent || data['intent'] !== record.intent) return 'intent';
  if (digestRecord('facts', facts) !== record.facts || data['facts'] !== record.facts) return 'facts';
  // What of them stands in clear is looked at by others, who have no key.
  if (!isSame(data['counters'], facts['counters'])) return 'facts';
  const told = facts['counters'] !== undefined;
  if ((told || data['labels'] !== undefined) && !isSame(data['labels'], facts['labels'])) return 'facts';
  if (told && data['flow'] === undefined) return 'facts';
  const shown = Object.entries((data['flow'] ?? {}) as RecordObject);
  if (shown.some(([name, value]) => value !== (facts['flow'] as RecordObject)[name])) return 'facts';
  const rates = record.obligations.filter((text) => text.startsWith('rate:'));
  if (data['counters'] !== undefined && !isSame(data['rates'] ?? [], rates)) return 'record';
  const same =
    digestRecord('decision', record as unknown as RecordValue) === data['decision'] &&
    record.outcome === data['outcome'] &&
    record.code === data['code'] &&
    record.attempt === data['attempt'] &&
    record.policy.digest === data['policy'] &&
    record.policy.generation === data['generation'] &&
    record.policy.revision === data['revision'] &&
    intent['action'] === data['action'] &&
    intent['resource'] === data['resource'] &&
    (intent['payload'] as RecordObject)['bytes'] === data['bytesOut'] &&
    facts['effect'] === data['effect'] &&
    intent['agent'] === data['agent'];
  return same ? null : 'record';
}

/** A stop is the one thing in a session's policy that changes without a new revision. */
function findSnapshot(
  engine: Parameters<typeof createSnapshot>[0],
  tenant: TenantPolicy,
  session: SessionPolicy,
  digest: string,
): PolicySnapshot | null {
  for (const stopped of [false, true]) {
    const made = createSnapshot(engine, tenant, { ...session, stopped });
    if (made.ok && made.snapshot.digest === digest) return made.snapshot;
  }
  return null;
}

/**
 * An endorsement stands for a person's yes to what policy would hold without it, and for as many people as that asks
 * for. Null: it did, or there was none.
 */
function wrongEndorsement(
  snapshot: PolicySnapshot,
  intent: Intent,
  { labels: { endorsed, ...labels }, flow, ...facts }: Facts,
  { quorum, ids = [], groups = [] }: Approval,
): string | null {
  if (endorsed === undefined) return quorum === 0 && ids.length > 0 ? 'the facts do not say who was named by it' : null;
  const before = sealRecord({ ...facts, labels, flow: { ...flow, destInteg: endorsed.destInteg } });
  const without = authorize(snapshot, snapshot.principal, intent, before, noApproval);
  if (without.outcome !== 'hold') return `without it the answer is ${without.outcome}, and asks nobody`;
  const { rung } = without;
  if (quorum > 0 || rung.strong || ids.length < rung.quorum) return 'fewer people stand for it than policy asks for';
  if (without.groups.join() !== groups.join()) return 'others stand for it than policy asks';
  return null;
}

/** A gateway may add a no, and nothing else, to what policy said. */
function deniedByGateway(decision: Decision, { code }: DecisionRecord): DecisionRecord {
  return { ...decision.record, outcome: 'deny', rung: null, code, obligations: [], next: [] };
}

function compare(recorded: DecisionRecord, expected: DecisionRecord): Replayed {
  const text = canonicalize(recorded as unknown as RecordValue);
  const wanted = canonicalize(expected as unknown as RecordValue);
  if (text === wanted) return { kind: 'same' };
  // What most changes the meaning is named first.
  const members = ['outcome', ...Object.keys(expected)] as (keyof DecisionRecord)[];
  const odd = members.find((member) => JSON.stringify(recorded[member]) !== JSON.stringify(expected[member]));
  if (odd === undefined) return differs('decision', 'the record has members that no decision has');
  const [was, is] = [recorded[odd], expected[odd]].map((value) => JSON.stringify(value).slice(0, 200));
  const code =
    odd === 'policy' ? (recorded.policy.engine === expected.policy.engine ? 'policy' : 'engine') : 'decision';
  return differs(code, `${odd} is recorded as ${was}, and is ${is} when it is judged again`);
}

function remember(snapshots: Map<string, PolicySnapshot>, key: string, snapshot: PolicySnapshot): void {
  snapshots.delete(key);
  snapshots.set(key, snapshot);
  const [oldest] = snapshots.keys();
  if (snapshots.size > snapshotsMax && oldest !== undefined) snapshots.delete(oldest);
}

function isSame(a: RecordValue | undefined, b: RecordValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalize(a) === canonicalize(b);
}

type RecordObject = { readonly [member: string]: RecordValue };

function isObject(value: unknown): value is RecordObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDecisionRecord(value: unknown): value is DecisionRecord {
  return isObject(value) && isObject(value['policy']) && typeof value['policy']['engine'] === 'string';
}
