import { authorize, createEngine, noApproval, type PolicySnapshot } from '@cordon/policy';
import { callHead, placeAmong } from '../../packages/policy/src/decide/focus.ts';
import { createRequest } from '../../packages/policy/src/decide/request.ts';
import { createSlice } from '../../packages/policy/src/decide/slice.ts';
import { engineCode, factsOf, intentOf, principal, snapshotOf } from './world.ts';

/**
 * Cost of one decision, fully typed: `node --conditions=cordon-source bench/policy/authorize.ts [RUNS]`. All arms take turns,
 * and make facts with their labels where they decide:
 *
 * - `whole call`: the bare engine, asked as Cedar is asked by others: every policy, every value, every entity
 * - `engine alone`: the bare engine, asked what the policies can tell apart
 * - `allow`, `hold`: facts and `authorize`, every question asked of the engine (a hold is two)
 * - `memo hit`, and `mix`: a session's usual work, mostly what it did before, a twentieth of it new
 */
const runs = Number(process.argv[2] ?? 5000);
const rounds = 20;
const { module, digest } = engineCode;

interface Arm {
  readonly name: string;
  readonly samples: number[];
  readonly work: (index: number) => void;
}

function deciding(snapshot: PolicySnapshot, wanted: 'allow' | 'hold'): Arm['work'] {
  return (index) => {
    const intent = intentOf(index);
    const decision = authorize(snapshot, principal, intent, factsOf(snapshot, intent), noApproval);
    if (decision.outcome !== wanted) throw new TypeError(decision.record.code);
  };
}

function armsFor(policies: number): readonly Arm[] {
  const bare = createEngine(module, digest, { memoEntries: 0 });
  const snapshot = snapshotOf(bare, policies);
  const texts = Object.fromEntries([...snapshot.policies].map(([id, { text }]) => [id, text]));
  const calls = Array.from({ length: 64 }, (_, index) => {
    const intent = intentOf(index);
    const facts = factsOf(snapshot, intent);
    const slice = createSlice(principal, intent.action, intent.resource, facts);
    const request = slice === null ? null : createRequest(intent, facts, noApproval, slice);
    if (slice === null || request === null) throw new TypeError('the request has no canonical reading');
    const all = { digest: `all ${policies}`, texts, view: null };
    const { head } = placeAmong(snapshot.policies.values(), intent.action, slice);
    return {
      whole: { head: callHead(all, intent.action, slice, slice.json.entities), context: request.context(null) },
      narrow: { head, context: request.context(head.focus.view) },
    };
  });
  const asking = (form: 'whole' | 'narrow'): Arm['work'] => {
    return (index) => {
      const call = calls[index % 64]?.[form];
      if (call !== undefined) bare.evaluate(call.head, call.context);
    };
  };
  const allowing = deciding(snapshot, 'allow');
  const holding = deciding(snapshotOf(bare, policies, 1), 'hold');
  const remembering = deciding(snapshotOf(createEngine(module, digest), policies), 'allow');
  const mixing = deciding(snapshotOf(createEngine(module, digest), policies), 'allow');
  let next = 64;
  const work: Readonly<Record<string, Arm['work']>> = {
    'engine, whole call': asking('whole'),
    'engine alone': asking('narrow'),
    allow: (index) => allowing(index % 64),
    hold: (index) => holding(index % 64),
    'memo hit': (index) => remembering(index % 64),
    'mix of old and new': (index) => mixing(index % 20 === 0 ? next++ : index % 64),
  };
  return Object.entries(work).map(([name, each]) => ({ name, work: each, samples: [] }));
}

function quantile(samples: readonly number[], share: number): number {
  return [...samples].sort((a, b) => a - b)[Math.floor(share * (samples.length - 1))] ?? 0;
}

for (const policies of [20, 50, 200]) {
  const arms = armsFor(policies);
  for (const { work } of arms) for (let index = 0; index < Math.min(1000, runs); index++) work(index);
  for (let round = 0; round < rounds; round++) {
    for (const { work, samples } of arms) {
      for (let index = 0; index < runs / rounds; index++) {
        const start = performance.now();
        work(round * rounds + index);
        samples.push((performance.now() - start) * 1000);
      }
    }
  }
  const whole = quantile(arms[0]?.samples ?? [], 0.5);
  const allow = quantile(arms[2]?.samples ?? [], 0.5);
  for (const { name, samples } of arms) {
    const [p50, p99] = [quantile(samples, 0.5), quantile(samples, 0.99)];
    const figures = `p50 ${p50.toFixed(0).padStart(5)} µs   p99 ${p99.toFixed(0).padStart(6)} µs`;
    const shares = `${(p50 / whole).toFixed(2)} × whole call, ${(p50 / allow).toFixed(2)} × allow`;
    console.log(`${policies} policies, ${name}`.padEnd(36), figures, ` ${shares}`);
  }
  const fresh = createEngine(module, digest);
  measureOnce(`${policies} policies, snapshot, cold`, () => snapshotOf(fresh, policies));
  measureOnce(`${policies} policies, snapshot, layers known`, () => snapshotOf(fresh, policies));
}
measureOnce('fresh engine instance', () => createEngine(module, digest));

function measureOnce(name: string, work: () => unknown): void {
  const start = performance.now();
  work();
  console.log(`${name.padEnd(36)} once ${(performance.now() - start).toFixed(1)} ms`);
}
