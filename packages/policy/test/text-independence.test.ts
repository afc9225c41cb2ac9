import type { Intent } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { injections } from '@cordon/testkit/hostile';
import { describe, expect, it } from 'vitest';
import {
  compileGrants,
  createContextProvenance,
  createLabel,
  entitiesOf,
  flowOf,
  type Grant,
  LeakMeter,
  namedByOrder,
  sinksOf,
} from '../src/index.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const grants: readonly Grant[] = [
  { allow: 'news.example' },
  { allow: 'model.example/v1/messages', methods: ['POST'], clearance: 'private', yields: 'derived' },
  { allow: '*.corp.example', methods: ['POST'], clearance: 'private' },
  { allow: 'api.github.com/repos/acme/**', methods: ['POST'], clearance: 'private' },
];
const compiled = compileGrants(grants, { layer: 'session', source: 'test' });
if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
const snapshot = snapshotOf(freshEngine(), { session: compiled.policies, origins: compiled.origins });
const named = namedByOrder(entitiesOf(['summarise https://news.example/today']));

/** The calls of one agent that has read the text; the model is told all of it. */
function calls(text: string): ReadonlyArray<readonly [intent: Intent, body: string]> {
  const sent = (origin: string, path: string, body: string): readonly [Intent, string] => [
    intentOf(origin, 'POST', path, { payload: { sha256: '0'.repeat(64), bytes: 1000, kind: 'json' } }),
    body,
  ];
  return [
    [intentOf('https://news.example:443', 'GET', '/today'), ''],
    sent('https://model.example:443', '/v1/messages', JSON.stringify({ messages: [{ role: 'user', content: text }] })),
    sent('https://drop.corp.example:443', '/take', '{"note":"the private plan"}'),
    sent('https://api.github.com:443', '/repos/acme/app/issues', '{"body":"the tests pass"}'),
    sent('https://api.github.com:443', '/repos/stranger/app/issues', '{"body":"the tests pass"}'),
    [intentOf('https://evil.example:443', 'GET', '/'), ''],
  ];
}

/** Everything that was decided and by what, of a session that had read the text already. */
function decisionsAfter(text: string): string {
  const context = createLabel({
    integrity: 0,
    confidentiality: 2,
    readers: ['ada'],
    sources: ['https://news.example:443'],
  });
  const provenance = createContextProvenance(context, named);
  const meter = new LeakMeter();
  const records = calls(text).map(([intent, body]) => {
    const sinks = sinksOf(snapshot, intent);
    const { flow, critical, leaks } = flowOf({
      ...{ intent, sinks, provenance, meter, ownCredential: false },
      body: Buffer.from(body),
    });
    const decision = decide(snapshot, intent, { flow, args: critical.args, nums: critical.nums });
    if (decision.outcome === 'allow' && leaks !== null) meter.take(leaks.chosen);
    return decision.digest as string;
  });
  return digestRecord('decision', records);
}

describe('what a page says', () => {
  it('moves no decision: of more than 10,000 injected texts each leaves every digest as it was', () => {
    const calm = decisionsAfter('The weather stays fine.');
    const seen = new Set<string>();
    let count = 0;
    for (const { name, text } of injections()) {
      count += 1;
      seen.add(text);
      const after = decisionsAfter(text);
      if (after !== calm) expect.fail(name);
    }
    expect(count).toBeGreaterThanOrEqual(10_000);
    // Different texts, not the same ones under other names.
    expect(seen.size).toBeGreaterThanOrEqual(10_000);
  }, 120_000);

  it('is not what the test is blind to: another label, or another call, is another digest', () => {
    const outcomes = calls('x').map(([intent, body]) => {
      const context = createLabel({ integrity: 2, confidentiality: 2, readers: ['ada'], sources: [] });
      const provenance = createContextProvenance(context, named);
      const question = {
        intent,
        sinks: sinksOf(snapshot, intent),
        provenance,
        meter: new LeakMeter(),
        ownCredential: false,
      };
      return decide(snapshot, intent, { flow: flowOf({ ...question, body: Buffer.from(body) }).flow }).record.code;
    });
    expect(outcomes).toEqual(['allowed', 'allowed', 'allowed', 'allowed', 'no-grant', 'no-grant']);
  });
});
