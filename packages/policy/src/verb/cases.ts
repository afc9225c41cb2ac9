import type { ActionName, Intent, Outcome, PayloadKind } from '@cordon/protocol';
import { authorize } from '../decide/authorize.ts';
import { createFacts, type Facts, noApproval, usualFlow } from '../fact/facts.ts';
import { trialIntent } from '../fact/trial-intent.ts';
import type { PolicySnapshot } from '../snapshot.ts';

/** A test of policies as it stands in a file: what is tried, and what must come of it. */
export interface PolicyTestCase {
  readonly name: string;
  readonly intent: {
    readonly action?: ActionName | undefined;
    readonly resource: string;
    readonly method?: string | undefined;
    readonly path?: string | undefined;
    readonly bytes?: number | undefined;
    readonly body?: PayloadKind | undefined;
  };
  readonly facts?: Partial<Omit<Facts, 'v' | 'attempt' | 'intent' | 'freshUntil' | 'minuteOfWeek'>> | undefined;
  readonly outcome: Outcome;
  readonly code?: string | undefined;
  /** Of a hold: so many people, of one of these groups (left out: anybody). */
  readonly asks?: { readonly people: number; readonly from?: readonly string[] | undefined } | undefined;
}

export interface PolicyTestResult {
  readonly name: string;
  readonly ok: boolean;
  readonly expected: string;
  readonly got: string;
}

const usualTime = '2026-01-01T00:00:00.000Z';
const never = '9999-12-31T23:59:59.999Z';

export function runPolicyTests(snapshot: PolicySnapshot, cases: readonly PolicyTestCase[]): PolicyTestResult[] {
  return cases.map((each) => runCase(snapshot, each));
}

function runCase(snapshot: PolicySnapshot, each: PolicyTestCase): PolicyTestResult {
  const intent = intentOf(snapshot, each.intent);
  const facts = createFacts(intent, {
    live: true,
    at: usualTime,
    ...each.facts,
    flow: { ...usualFlow, ...each.facts?.flow },
    attempt: 'test',
    freshUntil: never,
  });
  const decision = authorize(snapshot, snapshot.principal, intent, facts, noApproval);
  const { outcome, record } = decision;
  const asked = decision.outcome === 'hold' ? askingText(decision.rung.quorum, decision.groups) : '';
  const wanted = each.asks === undefined ? null : askingText(each.asks.people, each.asks.from ?? []);
  const expected = `${each.outcome}${each.code === undefined ? '' : ` ${each.code}`}${wanted ?? ''}`;
  const reasons = outcome === 'allow' ? '' : ` (${record.reasons.join(', ')})`;
  const ok =
    outcome === each.outcome &&
    (each.code === undefined || each.code === record.code) &&
    (wanted === null || wanted === asked);
  return { name: each.name, ok, expected, got: `${outcome} ${record.code}${asked}${reasons}` };
}

function askingText(people: number, groups: readonly string[]): string {
  return `, asks ${people}${groups.length === 0 ? '' : ` of ${[...groups].sort().join(' or ')}`}`;
}

function intentOf({ principal }: PolicySnapshot, given: PolicyTestCase['intent']): Intent {
  const { action = 'http.request', resource, method = 'GET', path = '/', bytes = 0, body = 'none' } = given;
  const args = action.startsWith('http.') ? { method, path, query: [], headers: [] } : {};
  return trialIntent(principal, { action, resource, args, bytes, body });
}
