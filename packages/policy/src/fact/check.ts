import { isId } from '@cordon/protocol';
import { limits } from '../limits.ts';
import type { Approval, Facts } from './facts.ts';
import { minuteOfWeek } from './facts.ts';
import { approvalFields, commonFields, effects, type Field, flowFields } from './field.ts';

const timestamp = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const attempt = /^[a-z0-9_-]{1,64}$/;
const digest = /^sha256:[0-9a-f]{64}$/;
const own = ['v', 'attempt', 'intent', 'at', 'freshUntil', 'checks', 'args', 'nums', 'flow', 'labels', 'counters'];
const keysOfFacts = new Set([...own, ...Object.keys(commonFields)]);

/** Null, or the first member that is missing, of the wrong type, out of range or unknown. */
export function checkFacts(facts: Facts): string | null {
  const record = facts as unknown as Record<string, unknown>;
  if (!isRecord(record)) return 'facts';
  const odd = Object.keys(record).find((key) => !keysOfFacts.has(key));
  if (odd !== undefined) return odd;
  if (record['v'] !== 'facts/1') return 'v';
  if (typeof record['attempt'] !== 'string' || !attempt.test(record['attempt'])) return 'attempt';
  if (typeof record['intent'] !== 'string' || !digest.test(record['intent'])) return 'intent';
  for (const key of ['at', 'freshUntil'] as const) {
    const time = record[key];
    if (typeof time !== 'string' || !timestamp.test(time) || Number.isNaN(Date.parse(time))) return key;
  }
  const wrong = wrongField(commonFields, record) ?? wrongRecord('flow', flowFields, record['flow']);
  if (wrong !== null) return wrong;
  if (!isLabels(record['labels'])) return 'labels';
  if (record['counters'] !== undefined && !isCounters(record['counters'])) return 'counters';
  if (record['minuteOfWeek'] !== minuteOfWeek(facts.at)) return 'minuteOfWeek';
  if (!isTexts(record['checks'])) return 'checks';
  if (!isRecord(record['args']) || !Object.values(record['args']).every(isTexts)) return 'args';
  if (!isRecord(record['nums']) || !Object.values(record['nums']).every(Number.isSafeInteger)) return 'nums';
  return isSmall(facts) ? null : 'size';
}

export function checkApproval(approval: Approval): string | null {
  if (!isRecord(approval)) return 'approval';
  const { ids = [], groups = [], ...fields } = approval;
  const wrong = wrongRecord('approval', approvalFields, fields);
  if (wrong !== null) return wrong;
  const named = isTexts(ids) && ids.length <= limits.approvalsMax && ids.every((id) => digest.test(id));
  if (!named || new Set(ids).size !== ids.length) return 'approval.ids';
  return isTexts(groups) && groups.length <= limits.approverGroupsMax ? null : 'approval.groups';
}

/** What has no fixed size is what an agent's arguments can blow up. */
function isSmall({ checks, args, nums }: Facts): boolean {
  let chars = Object.keys(nums).length * 32;
  for (const text of [...checks, ...Object.keys(nums), ...Object.keys(args), ...Object.values(args).flat()]) {
    chars += text.length + 4;
  }
  return chars <= limits.factsCharsMax;
}

function isLabels(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { ctx, grade, leakBytes, leakUsed, endorsed, ...others } = value;
  if (Object.keys(others).length > 0 || !(endorsed === undefined || isEndorsed(endorsed))) return false;
  if (typeof ctx !== 'string' || !digest.test(ctx) || ![1, 2, 3].includes(grade as number)) return false;
  return [leakBytes, leakUsed].every((each) => Number.isSafeInteger(each) && (each as number) >= 0);
}

function isCounters(value: unknown): boolean {
  if (!isRecord(value) || Object.keys(value).length !== 4) return false;
  const { noted, own, sink, tick } = value;
  if (![0, 1, 2].includes(own as number) || ![0, 1, 2].includes(sink as number)) return false;
  return [noted, tick].every((each) => Number.isSafeInteger(each) && (each as number) >= 0);
}

function isEndorsed(value: unknown): boolean {
  if (!isRecord(value) || Object.keys(value).length !== 2) return false;
  const { id, destInteg } = value;
  return typeof id === 'string' && isId('endorsement', id) && isValue(flowFields.destInteg, destInteg);
}

function wrongRecord(name: string, fields: Readonly<Record<string, Field>>, value: unknown): string | null {
  if (!isRecord(value)) return name;
  const odd = Object.keys(value).find((key) => !Object.hasOwn(fields, key));
  const wrong = odd ?? wrongField(fields, value);
  return wrong === null ? null : `${name}.${wrong}`;
}

function wrongField(fields: Readonly<Record<string, Field>>, record: Readonly<Record<string, unknown>>): string | null {
  for (const name in fields) {
    const field = fields[name];
    if (field !== undefined && !isValue(field, record[name])) return name;
  }
  return null;
}

function isValue(field: Field, value: unknown): boolean {
  switch (field.type) {
    case 'bool':
      return typeof value === 'boolean';
    case 'long':
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= field.min && value <= field.max;
    case 'effect':
      return (effects as readonly unknown[]).includes(value);
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
