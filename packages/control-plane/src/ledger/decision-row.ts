import { placeOf, stepsTowards } from '@cordon/egress';
import type { IntegratedRecord } from '@cordon/ledger';
import type { Decision, Outcome, RecordValue } from '@cordon/protocol';
import type { IndexedDecision, IndexedRefusal } from '@cordon/store';

type Located = Pick<IntegratedRecord, 'entry' | 'position'> & { readonly index: number | null };

/** A row of the index for one `decision` entry; null for what is no decision of a session. */
export function toRow(record: Located): IndexedDecision | null {
  const { entry, position } = record;
  const attempt = text(entry.data['attempt']);
  const outcome = toOutcome(entry.data['outcome']);
  if (entry.type !== 'decision' || entry.session === null || attempt === '' || outcome === null) return null;
  return {
    writer: entry.writer,
    wseq: entry.wseq,
    index: record.index,
    segment: position.segment,
    offset: position.offset,
    attempt,
    session: entry.session,
    agent: text(entry.data['agent']),
    at: entry.at,
    action: text(entry.data['action']),
    resource: text(entry.data['resource']),
    outcome,
    code: text(entry.data['code']),
    data: entry.data,
    status: null,
    bytesIn: null,
    bytesOut: null,
    result: null,
  };
}

export interface FinishedAttempt {
  readonly attempt: string;
  readonly status: number | null;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  readonly result: string | null;
}

export function toFinish(record: Located): FinishedAttempt | null {
  const { entry } = record;
  const attempt = text(entry.data['attempt']);
  if (entry.type !== 'outcome' || attempt === '') return null;
  return {
    attempt,
    status: count(entry.data['status']),
    bytesIn: count(entry.data['bytesIn']),
    bytesOut: count(entry.data['bytesOut']),
    result: text(entry.data['code']) || null,
  };
}

/** A gateway's word that a request was refused before a decision; null for every other entry. */
export function toRefusal(record: Located): IndexedRefusal | null {
  const { entry } = record;
  const channel = text(entry.data['channel']);
  // A fault that names an attempt is about a decision that was made; one without a channel is not a request's.
  if (entry.type !== 'fault' || entry.session === null || channel === '' || text(entry.data['attempt']) !== '')
    return null;
  return {
    writer: entry.writer,
    wseq: entry.wseq,
    session: entry.session,
    at: entry.at,
    code: text(entry.data['code']),
    detail: text(entry.data['detail']),
    channel,
    resource: text(entry.data['resource']) || null,
    suppressed: count(entry.data['suppressed']) ?? 0,
  };
}

/** Everything kept beside a decision's entry, as its gateway wrote it. */
export interface DecisionBody {
  readonly intent: { readonly [key: string]: RecordValue } | null;
  readonly facts: { readonly [key: string]: RecordValue } | null;
  readonly decision: { readonly [key: string]: RecordValue } | null;
  readonly all: { readonly [key: string]: RecordValue };
}

/** A body is ours, but shredded or damaged ones exist: then the decision is shown without it. */
export function parseBody(bytes: Uint8Array | null): DecisionBody {
  const none: DecisionBody = { intent: null, facts: null, decision: null, all: {} };
  if (bytes === null) return none;
  try {
    const all: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (!isRecord(all)) return none;
    return { intent: member(all, 'intent'), facts: member(all, 'facts'), decision: member(all, 'decision'), all };
  } catch {
    return none;
  }
}

export function toDecision(row: IndexedDecision, body: DecisionBody): Decision {
  const record = body.decision ?? row.data;
  return {
    attempt: row.attempt,
    at: row.at,
    session: row.session,
    agent: row.agent,
    action: row.action,
    resource: row.resource,
    summary: summaryOf(row, body),
    outcome: row.outcome,
    code: row.code,
    reasons: texts(record['reasons']),
    next: nextSteps(row, body),
    intent: text(row.data['intent']),
    generation: policyNumber(row, record, 'generation'),
    revision: policyNumber(row, record, 'revision'),
    status: row.status,
    bytesIn: row.bytesIn,
    bytesOut: row.bytesOut,
    result: row.result,
  };
}

/** `GET https://api.github.com/repos/acme`: the origin is in clear, method and path come from the kept intent. */
function summaryOf(row: IndexedDecision, body: DecisionBody): string {
  const args = body.intent === null ? null : member(body.intent, 'args');
  const origin = row.resource.replace(/^(https:\/\/.*):443$/, '$1').replace(/^(http:\/\/.*):80$/, '$1');
  if (args === null) return `${row.action} ${origin}`;
  const path = text(args['path']);
  const query = Array.isArray(args['query']) && args['query'].length > 0 ? '?…' : '';
  return `${text(args['method']) || row.action} ${origin}${path}${query}`;
}

function nextSteps(row: IndexedDecision, body: DecisionBody): string[] {
  const kept = texts(body.all['next']);
  const steps = kept.length > 0 ? kept : texts((body.decision ?? row.data)['next']);
  return [...stepsTowards(placeOf(row.resource), steps, row.session)];
}

function policyNumber(row: IndexedDecision, record: { readonly [key: string]: RecordValue }, name: string): number {
  return count(row.data[name]) ?? count(member(record, 'policy')?.[name]) ?? 0;
}

function toOutcome(value: RecordValue | undefined): Outcome | null {
  return value === 'allow' || value === 'deny' || value === 'hold' ? value : null;
}

function text(value: RecordValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: RecordValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function count(value: RecordValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

function member(
  record: { readonly [key: string]: RecordValue },
  name: string,
): { readonly [key: string]: RecordValue } | null {
  const value = record[name];
  return isRecord(value) ? value : null;
}

function isRecord(value: unknown): value is { readonly [key: string]: RecordValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
