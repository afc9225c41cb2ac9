import type { CounterFacts } from '@cordon/policy';
import type { Entry } from '@cordon/protocol';

/** What the clear part of a decision says, as far as counters are concerned. */
export interface CountedDecision {
  readonly session: string;
  readonly attempt: string;
  readonly action: string;
  readonly resource: string;
  readonly agent: string;
  readonly at: string;
  readonly outcome: string;
  readonly by: 'policy' | 'gateway';
  readonly code: string;
  readonly reasons: readonly string[];
  readonly effect: string;
  readonly bytes: number;
  readonly rates: readonly string[];
  readonly generation: number;
  readonly revision: number;
  readonly counters: CounterFacts;
}

/** Null for a decision of before counters were recorded. */
export function toCounted({ session, at, data }: Entry): CountedDecision | null {
  const counters = data['counters'] as unknown as Partial<CounterFacts> | undefined;
  if (session === null || typeof counters !== 'object' || counters === null) return null;
  const { noted, own, sink, tick } = counters;
  if (![noted, own, sink, tick].every((each) => Number.isSafeInteger(each))) return null;
  return {
    ...{ session, at, counters: counters as CounterFacts },
    attempt: textIn(data['attempt']),
    action: textIn(data['action']),
    resource: textIn(data['resource']),
    agent: textIn(data['agent']),
    outcome: textIn(data['outcome']),
    by: data['by'] === 'gateway' ? 'gateway' : 'policy',
    code: textIn(data['code']),
    reasons: textsIn(data['reasons']),
    effect: textIn(data['effect']),
    bytes: numberIn(data['bytesOut']),
    rates: textsIn(data['rates']),
    generation: numberIn(data['generation']),
    revision: numberIn(data['revision']),
  };
}

export function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function numberIn(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : 0;
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
}
