import type { RecordValue } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import type { Leaf } from './leaves.ts';

/** OCSF, pinned: a reader knows what each member means from the schema of this version. */
export const ocsfVersion = '1.5.0';

export type OcsfEvent = { readonly [member: string]: RecordValue };

interface EventClass {
  readonly category: number;
  readonly uid: number;
  readonly name: string;
  readonly activity: number;
}

const http: Omit<EventClass, 'activity'> = { category: 4, uid: 4002, name: 'HTTP Activity' };
const process: Omit<EventClass, 'activity'> = { category: 1, uid: 1007, name: 'Process Activity' };
const entity: EventClass = { category: 3, uid: 3004, name: 'Entity Management', activity: 3 };
const finding: EventClass = { category: 2, uid: 2004, name: 'Detection Finding', activity: 1 };
const base: EventClass = { category: 0, uid: 0, name: 'Base Event', activity: 99 };
const other = 99;

/** One entry as an event. Never the record: `metadata.uid` is the leaf and `metadata.sequence` the index to find it by. */
export function toOcsf({ index, leaf, entry }: Leaf, product: { readonly version: string }): OcsfEvent {
  const of = classOf(entry.type, textOf(entry, 'action') ?? '', textOf(entry, 'phase'));
  return {
    activity_id: of.activity,
    category_uid: of.category,
    class_uid: of.uid,
    class_name: of.name,
    type_uid: of.uid * 100 + of.activity,
    severity_id: of === finding ? 4 : 1,
    time: Date.parse(entry.at),
    message: `${entry.type} ${textOf(entry, 'action') ?? ''}`.trim(),
    metadata: {
      version: ocsfVersion,
      product: { name: 'Cordon', vendor_name: 'Cordon', version: product.version },
      uid: leaf,
      sequence: index,
      log_name: `${entry.tenant}/${entry.writer}`,
      tenant_uid: entry.tenant,
    },
    ...outcomeOf(textOf(entry, 'outcome'), textOf(entry, 'code')),
    ...objectsOf(of, entry),
    unmapped: { ...entry.data },
  };
}

function classOf(type: string, action: string, phase: string | null): EventClass {
  switch (type) {
    case 'decision':
    case 'start':
    case 'outcome':
      return action.startsWith('http.') || type !== 'decision' ? { ...http, activity: other } : { ...base };
    case 'session.start':
      return phase === 'running' ? { ...process, activity: 1 } : { ...process, activity: other };
    case 'session.end':
      return { ...process, activity: 2 };
    case 'admin':
    case 'policy':
      return entity;
    case 'kill':
    case 'freeze':
    case 'breaker':
      return finding;
    default:
      return base;
  }
}

/** What is required of each class beside what every event has. */
function objectsOf(of: EventClass, entry: Leaf['entry']): OcsfEvent {
  const session = entry.session ?? '';
  const actor = { session: { uid: session }, app_name: textOf(entry, 'agent') ?? 'agent' };
  if (of.uid === http.uid) return { actor, ...httpOf(textOf(entry, 'resource'), entry.data['status']) };
  if (of.uid === process.uid) {
    const device = { type_id: 0, hostname: 'sandbox' };
    return {
      actor,
      device,
      process: { name: textOf(entry, 'program') ?? textOf(entry, 'agent') ?? 'agent', uid: session },
    };
  }
  if (of.uid === entity.uid) {
    return {
      actor: { user: { name: textOf(entry, 'by') ?? '' } },
      entity: { name: textOf(entry, 'act') ?? entry.type },
    };
  }
  if (of.uid === finding.uid) {
    const title = `${entry.type}: ${textOf(entry, 'reason') ?? ''}`;
    return { finding_info: { title, uid: textOf(entry, 'id') ?? `${entry.writer}/${entry.wseq}` } };
  }
  return {};
}

function httpOf(resource: string | null, status: RecordValue | undefined): OcsfEvent {
  const url = resource !== null && URL.canParse(resource) ? new URL(resource) : null;
  const port = /:(\d+)$/.exec(resource ?? '')?.[1];
  const target = url === null ? {} : { hostname: url.hostname, scheme: url.protocol.slice(0, -1) };
  return {
    http_request: { url: { ...target, ...(port === undefined ? {} : { port: Number(port) }) } },
    ...(typeof status === 'number' ? { http_response: { code: status } } : {}),
    ...(url === null
      ? {}
      : { dst_endpoint: { hostname: url.hostname, ...(port === undefined ? {} : { port: Number(port) }) } }),
  };
}

function outcomeOf(outcome: string | null, code: string | null): OcsfEvent {
  const detail = code === null ? {} : { status_detail: code };
  if (outcome === 'allow') return { action_id: 1, disposition_id: 1, status_id: 1, ...detail };
  if (outcome === 'deny') return { action_id: 2, disposition_id: 2, status_id: 2, ...detail };
  return { status_id: outcome === 'hold' ? other : 0, ...detail };
}
