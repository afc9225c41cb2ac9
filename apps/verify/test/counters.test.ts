import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EntryDraft, openJournal } from '@cordon/ledger';
import { policyLimits } from '@cordon/policy';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Breakers } from '../../../packages/gateway/src/breaker/breakers.ts';
import { Sinks } from '../../../packages/gateway/src/breaker/sinks.ts';
import { verifyCounters } from '../src/counters/counters.ts';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cordon-counters-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const resources = ['https://a.example:443', 'https://b.example:443'];

/** What happens next to one session. Times are steps of the monotonic clock. */
type Step =
  | { readonly kind: 'deny' | 'ask'; readonly resource: number; readonly ms: number; readonly counts: boolean }
  | { readonly kind: 'count' | 'reset' | 'reset-all' | 'crash' }
  | { readonly kind: 'outcome'; readonly failed: boolean; readonly ms: number };

const ms = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 2_000 }), weight: 8 },
  { arbitrary: fc.constantFrom(59_999, 60_000, 299_999, 300_000, 1_800_000), weight: 1 },
);
const resource = fc.integer({ min: 0, max: resources.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('deny' as const), resource, ms, counts: fc.boolean() }), weight: 8 },
  { arbitrary: fc.record({ kind: fc.constant('ask' as const), resource, ms, counts: fc.boolean() }), weight: 6 },
  { arbitrary: fc.record({ kind: fc.constant('count' as const) }), weight: 4 },
  { arbitrary: fc.record({ kind: fc.constant('outcome' as const), failed: fc.boolean(), ms }), weight: 6 },
  { arbitrary: fc.constantFrom<Step>({ kind: 'reset' }, { kind: 'reset-all' }, { kind: 'crash' }), weight: 1 },
);

interface Life {
  readonly breakers: Breakers;
  readonly sinks: Sinks;
  /** Denials that are recorded and not yet counted. */
  uncounted: { readonly resource: string; readonly tick: number; readonly counts: boolean }[];
  running: { readonly attempt: string; readonly resource: string }[];
}

/**
 * A gateway's own counters, and the entries that it writes as it goes: requests overlap, denials are counted behind their
 * records, people reset, and it dies at any moment. `heeds` false: what it counts it does not heed; `tells` false: nor write.
 */
function play(steps: readonly Step[], heeds: boolean, tells = heeds): EntryDraft[][] {
  const lives: EntryDraft[][] = [[]];
  const closed: { action: string; resource: string }[] = [];
  const begin = (): Life => ({
    breakers: new Breakers(1024, closed),
    sinks: new Sinks(1024),
    uncounted: [],
    running: [],
  });
  let [life, tick, number] = [begin(), 0, 0];
  const write = (type: EntryDraft['type'], data: EntryDraft['data'], session: string | null = 'ses_a') =>
    lives.at(-1)?.push({ session, type, data });
  const action = 'http.request';
  const decide = (at: number, denied: boolean, counts: boolean): void => {
    const to = resources[at] ?? '';
    const { noted } = life.breakers;
    const own = heeds ? life.breakers.level({ action, resource: to }, tick) : 0;
    const sink = heeds && own < 2 ? life.sinks.ask(to, tick) : 0;
    number += 1;
    const attempt = `att_${number}`;
    // A breaker that says no is a denial of its own, and a read of level 1 is let through.
    const closedHere = Math.max(own, sink) === 2;
    const outcome = denied || closedHere ? 'deny' : 'allow';
    const reasons = closedHere ? ['ceiling/core/R0-breaker'] : [];
    const code = counts ? 'no-grant' : 'hold-limit';
    const counters = { noted, own, sink, tick };
    const told = { action, agent: 'fixer', attempt, by: 'policy', bytesOut: 0, effect: 'read', generation: 1 };
    write('decision', { ...told, code, counters, outcome, reasons, resource: to, revision: 1 });
    if (outcome === 'allow') life.running.push({ attempt, resource: to });
    else life.uncounted.push({ resource: to, tick, counts: counts && !closedHere });
  };
  const count = (): void => {
    const next = life.uncounted.shift();
    if (next?.counts !== true) return;
    const tripped = life.breakers.denied({ action, resource: next.resource }, next.tick);
    if (tripped === null) return;
    if (tripped.level === 2) closed.push({ action, resource: next.resource });
    if (tells) write('breaker', { act: 'trip', ...tripped, noted: life.breakers.noted, tick: next.tick });
  };
  for (const each of steps) {
    if ('ms' in each) tick += each.ms;
    if (each.kind === 'deny' || each.kind === 'ask') decide(each.resource, each.kind === 'deny', each.counts);
    else if (each.kind === 'count') count();
    else if (each.kind === 'reset') {
      write('breaker', { act: 'reset', noted: life.breakers.noted, tick });
      life.breakers.reset(tick);
      closed.length = 0;
    } else if (each.kind === 'reset-all') {
      write('breaker', { act: 'reset', tick }, null);
      life.sinks.reset();
    } else if (each.kind === 'crash') {
      lives.push([]);
      life = begin();
    } else if (each.kind === 'outcome') {
      const next = life.running.shift();
      if (next === undefined) continue;
      const changed = life.sinks.outcome(next.resource, each.failed, tick);
      if (changed !== null && tells) write('breaker', { act: changed, resource: next.resource, tick });
      write('outcome', { attempt: next.attempt, code: 'relayed', status: each.failed ? 503 : 200, tick });
    }
  }
  return lives;
}

async function codesOf(lives: readonly EntryDraft[][]): Promise<{ codes: readonly string[]; details: string }> {
  const home = mkdtempSync(join(root, 'ledger-'));
  const directory = join(home, 'local');
  for (const drafts of lives) {
    await using journal = await openJournal({ directory, tenant: 'local', writer: 'gw', clock: { now: () => 0 } });
    if (drafts.length > 0) await journal.appendTogether(drafts, 'os');
  }
  const { failures } = verifyCounters(directory);
  rmSync(home, { recursive: true });
  return { codes: failures.map(({ code }) => code), details: JSON.stringify(failures.slice(0, 3)) };
}

it('names nothing in any history of a gateway that heeds its counters, whenever it dies', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
      const { codes, details } = await codesOf(play(steps, true));
      expect(codes, details).toEqual([]);
    }),
    { numRuns: 80 },
  );
});

const deny: Step = { kind: 'deny', resource: 0, ms: 1, counts: true };
const ask: Step = { kind: 'ask', resource: 0, ms: 1, counts: true };
const failed: Step = { kind: 'outcome', failed: true, ms: 1 };
const times = (count: number, ...steps: Step[]): Step[] => Array.from({ length: count }, () => steps).flat();
const denied = times(policyLimits.breakerDenialsMax, deny, { kind: 'count' });
const broken = times(policyLimits.sinkAsksMin, ask, failed);

it.each<[string, readonly Step[]]>([
  ['people reset a session', [...denied, ask, { kind: 'reset' }, ask, ...denied.slice(2), ask]],
  ['people reset the destinations', [...broken, { kind: 'reset-all' }, ask, ...broken.slice(2)]],
  [
    'a destination answers again',
    [...broken, { ...ask, ms: policyLimits.sinkClosedMs }, { ...failed, failed: false }, ...broken.slice(2), ask],
  ],
  [
    'a way is closed for good, and stays so when the gateway dies',
    [...times(2, ...denied, { ...ask, ms: 300_000 }), { kind: 'crash' }, ask],
  ],
])('names nothing when %s', async (_name, steps) => {
  const { codes, details } = await codesOf(play(steps, true));
  expect(codes, details).toEqual([]);
});

it('names a gateway that tells of its breakers and does not heed them, and one that heeds what it does not tell', async () => {
  const other: Step = { ...ask, resource: 1 };
  expect((await codesOf(play([...denied, ask], false, true))).codes).toEqual(['breaker']);
  expect((await codesOf(play([...denied, other], false, true))).codes).toEqual([]);
  expect((await codesOf(play([...denied, other], true, false))).codes).toEqual(['breaker']);
  expect((await codesOf(play([...broken, ask], false, true))).codes).toEqual(['breaker']);
});

it('names a gateway that heeds neither of its breakers, at the first request after it', async () => {
  expect((await codesOf(play([...denied, ask], false))).codes).toEqual(['breaker']);
  expect((await codesOf(play([...denied.slice(2), ask], false))).codes).toEqual([]);
  expect((await codesOf(play([...broken, ask], false))).codes).toEqual(['breaker', 'breaker']);
  expect((await codesOf(play(broken.slice(2), false))).codes).toEqual([]);
});
