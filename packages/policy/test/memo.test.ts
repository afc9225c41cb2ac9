import { canonicalize, type Intent, type RecordValue } from '@cordon/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { usualFlow } from '../src/fact/facts.ts';
import { contextReads } from '../src/gate/reads.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const asked = freshEngine({ memoEntries: 0 });
const parser = freshEngine();

function readsOf(text: string): readonly string[] | null {
  const parsed = parser.toJson(text);
  if (parsed.type !== 'success') throw new Error(`not Cedar: ${text}`);
  return contextReads(parsed.json);
}

const when = (condition: string): string =>
  `permit (principal, action == Cordon::Action::"http.request", resource) when { ${condition} };`;

describe('what a policy reads of the context', () => {
  it.each<[string, readonly string[] | null]>([
    ['true', []],
    ['context.http.method == "GET"', ['http.method']],
    ['!(context.http.bytes < 5 || context.effect == Cordon::Effect::"read")', ['effect', 'http.bytes']],
    ['if context.live then context.flow.argConf > 1 else context["covered"]', ['covered', 'flow.argConf', 'live']],
    ['context.flow == context.flow', ['flow']],
    ['[context.http.method, "x"].contains("GET")', ['http.method']],
    ['{a: context.http.route}.a like "/0:a/*"', ['http.route']],
    ['context.checks.contains("x")', ['checks']],
    ['context.args.hasTag("/to/*")', ['args']],
    ['context == context', null],
    ['{a: context}.a.live', null],
    ['(if context.live then context else context).http.method == "GET"', null],
    ['[context].contains(context)', null],
    ['context.http.method == "context.live"', ['http.method']],
  ])('%s', (condition, reads) => {
    expect(readsOf(when(condition))).toEqual(reads);
  });

  it('also what stands in `unless`, and in any clause', () => {
    const text = `${when('context.live').slice(0, -1)} unless { context.pinned } when { context.breaker < 1 };`;
    expect(readsOf(text)).toEqual(['breaker', 'live', 'pinned']);
  });
});

const conditions = [
  'true',
  'context.http.method == "GET"',
  'context.http.bytes < 100',
  'context.http.route like "/0:a/*"',
  'context.http.body == "json"',
  'context.effect == Cordon::Effect::"read"',
  'context.minuteOfWeek < 3000',
  'context.flow.argConf < 2',
  'context.flow == context.flow && context.flow.ctxInteg > 1',
  'context.http == context.http',
  'context == context',
  'context.breaker == 0 || context.http.scheme == "https"',
];
const rule = fc
  .tuple(fc.constantFrom('permit', 'permit', 'permit', 'forbid'), fc.constantFrom(...conditions))
  .map(([effect, condition]) => when(condition).replace('permit', effect));
const sets = fc.sample(fc.array(rule, { minLength: 1, maxLength: 4 }), { numRuns: 40, seed: 20_261_121 });
const ask = fc.record({
  origin: fc.constantFrom('https://a.example:443', 'https://b.example:443', 'http://a.example:80'),
  method: fc.constantFrom('GET', 'POST'),
  path: fc.constantFrom('/a', '/a/x', '/b'),
  bytes: fc.constantFrom(0, 50, 5000),
  kind: fc.constantFrom('json', 'text', 'opaque'),
  facts: fc.record({
    at: fc.constantFrom('2026-03-02T00:00:00.000Z', '2026-03-04T05:06:07.089Z', '2026-03-04T05:06:07.090Z'),
    breaker: fc.constantFrom(0, 1),
    live: fc.boolean(),
    flow: fc.constantFrom(usualFlow, { ...usualFlow, argConf: 3 }, { ...usualFlow, ctxInteg: 0 }),
  }),
});

interface Ask {
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly bytes: number;
  readonly kind: string;
}

function intentFrom({ origin, method, path, bytes, kind }: Ask): Intent {
  const payload = { ...intentOf().payload, bytes, kind: bytes === 0 ? 'none' : kind } as Intent['payload'];
  return intentOf(origin, method, path, { payload });
}

describe('the memo', () => {
  it('never changes a decision: what shares an answer is the same to every policy of the set', () => {
    let hits = 0;
    fc.assert(
      fc.property(fc.constantFrom(...sets), fc.array(ask, { minLength: 10, maxLength: 40 }), (texts, asks) => {
        const world = { session: Object.fromEntries(texts.map((text, index) => [`session/${index}`, text])) };
        const engine = freshEngine();
        // A rung would be one more question for each denial.
        const rungs = { rungs: [] };
        const remembering = snapshotOf(engine, world, rungs);
        const asking = snapshotOf(asked, world, rungs);
        const before = asked.asked;
        for (const each of asks) {
          const intent = intentFrom(each);
          const [one, other] = [remembering, asking].map((snapshot) =>
            canonicalize({ ...decide(snapshot, intent, each.facts).record, policy: null } as unknown as RecordValue),
          );
          expect(one).toBe(other);
        }
        hits += asked.asked - before - engine.asked;
      }),
      { numRuns: 80 },
    );
    // Enough questions must have been answered from memory for the comparison to mean something.
    expect(hits).toBeGreaterThan(100);
    // Every run has an engine of its own, which takes a while where other programs want the processor too.
  }, 120_000);

  it('tells actions apart at one place, whichever was asked first', () => {
    const snapshot = snapshotOf(freshEngine(), {
      session: { 'session/a': 'permit (principal, action == Cordon::Action::"http.request", resource);' },
    });
    const asking = (action: Intent['action']): string =>
      decide(snapshot, intentOf('https://a.example:443', 'GET', '/a', { action })).outcome;
    const actions = ['http.request', 'http.upgrade', 'http.message', 'http.request'] as const;
    expect(actions.map(asking)).toEqual(['allow', 'deny', 'deny', 'allow']);
  });

  it('knows nothing of what no policy reads, and everything of what one reads', () => {
    const engine = freshEngine();
    const snapshot = snapshotOf(engine, { session: { 'session/a': when('context.http.method == "GET"') } });
    const count = (intent: Intent, facts = {}): number => {
      decide(snapshot, intent, facts);
      return engine.asked;
    };
    expect(count(intentOf('https://a.example:443', 'GET', '/a'))).toBe(1);
    expect(count(intentOf('https://a.example:443', 'GET', '/b'), { anomaly: 2 })).toBe(1);
    // A deny is asked about once more: would an approval lift it?
    expect(count(intentOf('https://a.example:443', 'POST', '/a'))).toBe(3);
    expect(count(intentOf('https://b.example:443', 'GET', '/a'))).toBe(4);
  });
});
