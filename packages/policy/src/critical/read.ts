import type { CriticalRule } from '@cordon/protocol';
import type { Refusal } from '../error.ts';
import { parseJson } from '../json/parse.ts';
import { isUnread, type Json } from '../json/value.ts';
import { limits } from '../limits.ts';
import { notCanonical } from './type.ts';
import { canonicalValue } from './value.ts';

/** One critical argument as it was read, and the rule that it was read by. */
export interface CriticalArgument {
  readonly rule: CriticalRule;
  readonly value: string;
}

export interface CriticalArguments {
  readonly ok: true;
  readonly values: readonly CriticalArgument[];
  /** Sets of canonical values by pointer pattern, as policies read them. */
  readonly args: { readonly [pointer: string]: readonly string[] };
  readonly nums: { readonly [pointer: string]: number };
}

export const noCritical: CriticalArguments = { ok: true, values: [], args: {}, nums: {} };

export type CriticalCode = 'critical-not-canonical';

/** The critical arguments of a body. One that has no single reading is refused, and so is a body without any of them. */
export function readCritical(
  rules: readonly CriticalRule[],
  body: Uint8Array,
): CriticalArguments | Refusal<CriticalCode> {
  if (rules.length === 0) return noCritical;
  const parsed = parseJson(body, 'arguments');
  if (!parsed.ok) {
    return notCanonical(
      `the grant reads arguments of the body, which must be JSON with one reading: ${parsed.error.code}`,
    );
  }
  const values: CriticalArgument[] = [];
  const args: Record<string, readonly string[]> = {};
  const nums: Record<string, number> = {};
  for (const rule of rules) {
    const found = new Set<string>();
    for (const { at, value } of valuesAt(parsed.value, rule.at)) {
      const read = isUnread(value) ? notCanonical('the value has no single reading') : canonicalValue(rule.type, value);
      if (!read.ok) return { ...read, message: `${at}: ${read.message}` };
      found.add(read.value);
      values.push({ rule, value: read.value });
      if (values.length > limits.criticalArgumentsMax) {
        return notCanonical(`a body has at most ${limits.criticalArgumentsMax} critical arguments`);
      }
      if (read.number !== undefined) widen(nums, rule.at, read.number);
    }
    if (found.size > 0) args[rule.at] = [...found].sort();
  }
  if (values.length === 0) return notCanonical(`the body has none of ${rules.map(({ at }) => at).join(', ')}`);
  return { ok: true, values, args, nums };
}

/** Whether the rule itself names this value. */
export function isAmong({ type, among }: CriticalRule, value: string): boolean {
  if (among.includes(value)) return true;
  return type === 'email' && among.includes(value.slice(value.lastIndexOf('@')));
}

/** A list stands for each of its members only where the pattern says so with `*`. */
function valuesAt(root: Json, pattern: string): readonly { readonly at: string; readonly value: Json }[] {
  let found: { at: string; value: Json }[] = [{ at: '', value: root }];
  for (const step of pattern.slice(1).split('/')) {
    found = found.flatMap(({ at, value }) =>
      below(value, step).map(([key, inner]) => ({ at: `${at}/${key}`, value: inner })),
    );
  }
  return found;
}

function below(value: Json, step: string): readonly (readonly [string, Json])[] {
  if (typeof value !== 'object' || value === null || isUnread(value)) return [];
  if (step === '*') return Object.entries(value) as [string, Json][];
  if (Array.isArray(value)) return [];
  const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
  return Object.hasOwn(value, name) ? [[step, (value as Record<string, Json>)[name] as Json]] : [];
}

function widen(nums: Record<string, number>, at: string, value: number): void {
  nums[`${at}#min`] = Math.min(nums[`${at}#min`] ?? value, value);
  nums[`${at}#max`] = Math.max(nums[`${at}#max`] ?? value, value);
}
