import { hash } from 'node:crypto';
import type { RecordValue } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import type { Leaf } from './leaves.ts';

/** Semantic conventions, pinned; those of `gen_ai` are still in development. */
export const otelSchema = 'https://opentelemetry.io/schemas/1.37.0';

export type OtelLine = { readonly [member: string]: RecordValue };

const client = 3;
const genAi: ReadonlyMap<string, string> = new Map([
  ['model.generate', 'chat'],
  ['toolcall.invoke', 'execute_tool'],
  ['mcp.call', 'execute_tool'],
]);

/**
 * Spans (OTLP JSON, one `ExportTraceServiceRequest` a line): one per decision, ended by the outcome of its attempt.
 * Never the record: `cordon.leaf` and `cordon.index` say where that is.
 */
export function* toOtel(leaves: Iterable<Leaf>): Generator<OtelLine, void, undefined> {
  const open = new Map<string, Leaf>();
  for (const leaf of leaves) {
    const attempt = textOf(leaf.entry, 'attempt');
    if (attempt === null) continue;
    if (leaf.entry.type === 'decision') {
      if (leaf.entry.data['outcome'] === 'allow') open.set(attempt, leaf);
      else yield toLine(leaf, null);
    } else if (leaf.entry.type === 'outcome') {
      const decided = open.get(attempt);
      open.delete(attempt);
      if (decided !== undefined) yield toLine(decided, leaf);
    }
  }
  // What has not ended yet, or is in doubt.
  for (const leaf of open.values()) yield toLine(leaf, null);
}

function toLine({ index, leaf, entry }: Leaf, end: Leaf | null): OtelLine {
  const action = textOf(entry, 'action') ?? '';
  const operation = genAi.get(action);
  const status = end?.entry.data['status'];
  const denied = entry.data['outcome'] !== 'allow';
  const span = {
    traceId: hash('sha256', entry.session ?? entry.writer).slice(0, 32),
    spanId: hash('sha256', textOf(entry, 'attempt') ?? '').slice(0, 16),
    name: `${operation ?? action} ${textOf(entry, 'resource') ?? ''}`.trim(),
    kind: client,
    startTimeUnixNano: nanoseconds(entry.at),
    endTimeUnixNano: nanoseconds(end?.entry.at ?? entry.at),
    attributes: attributes({
      'cordon.index': index,
      'cordon.leaf': leaf,
      'cordon.action': action,
      'cordon.outcome': textOf(entry, 'outcome') ?? '',
      'cordon.code': textOf(entry, 'code') ?? '',
      'cordon.session': entry.session ?? '',
      ...(end === null ? {} : { 'cordon.end.index': end.index, 'cordon.end.leaf': end.leaf }),
      ...(operation === undefined ? {} : { 'gen_ai.operation.name': operation }),
      ...(typeof status === 'number' ? { 'http.response.status_code': status } : {}),
    }),
    // 2 = error, 0 = unset (OTLP `Status.StatusCode`).
    status: denied ? { code: 2, message: textOf(entry, 'code') ?? '' } : { code: 0 },
  };
  const resource = { attributes: attributes({ 'service.name': 'cordon', 'cordon.tenant': entry.tenant }) };
  const scopeSpans = [{ scope: { name: 'cordon.ledger' }, spans: [span] }];
  return { resourceSpans: [{ resource, scopeSpans, schemaUrl: otelSchema }] };
}

function attributes(values: Readonly<Record<string, string | number>>): RecordValue[] {
  return Object.entries(values).map(([key, value]) => ({
    key,
    // OTLP JSON writes 64-bit integers as text.
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
}

function nanoseconds(at: string): string {
  return `${Date.parse(at)}000000`;
}
