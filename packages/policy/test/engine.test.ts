import { describe, expect, it } from 'vitest';
import { sampleRequest } from '../src/engine/sample.ts';
import { plantedPolicies } from '../src/engine/self-test.ts';
import { authorize, compileEngine, compileLayer, createEngine, noApproval, PolicyError } from '../src/index.ts';
import { limits } from '../src/limits.ts';
import {
  anything,
  decide,
  engineCode,
  factsOf,
  freshEngine,
  intentOf,
  principal,
  snapshotOf,
} from './support/world.ts';

/** Brackets beyond what the engine's stack holds: a real trap of the real engine. */
const trap = `permit (principal, action, resource) when { ${'('.repeat(3000)}true${')'.repeat(3000)} };`;

describe('the engine', () => {
  it('refuses code that it does not know', () => {
    expect(() => compileEngine(new Uint8Array([1, 2, 3]))).toThrow(PolicyError);
    const empty = compileEngine(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    expect(() => createEngine(empty.module, empty.digest)).toThrow(PolicyError);
  });

  it('says which policies failed', () => {
    const evaluation = freshEngine().evaluateOnce({ 'x/open': anything, ...plantedPolicies }, sampleRequest);
    expect(evaluation).toMatchObject({ ok: true, allowed: true, failed: ['self-test/forbid', 'self-test/permit'] });
  });

  it('after a trap denies everything until it is renewed, and decides as before afterwards', () => {
    const engine = freshEngine();
    const snapshot = snapshotOf(engine);
    const before = decide(snapshot, intentOf());
    expect(before.outcome).toBe('allow');
    expect(engine.evaluateOnce({ 'x/trap': trap }, sampleRequest)).toEqual({ ok: false, why: 'failed' });
    expect(engine.usable).toBe(false);
    // The very request that is in the memo, and one that is not.
    expect(decide(snapshot, intentOf()).record).toMatchObject({
      outcome: 'deny',
      code: 'request-invalid',
      reasons: ['engine-failed'],
    });
    expect(decide(snapshot, intentOf(undefined, 'GET', '/other')).outcome).toBe('deny');
    expect(engine.renew()).toBe(true);
    expect(decide(snapshot, intentOf()).digest).toBe(before.digest);
  });

  it('is not stopped by a policy text that breaks it', () => {
    const engine = freshEngine();
    const snapshot = snapshotOf(engine);
    const result = compileLayer(engine, { name: 'tenant', policies: { 'tenant/trap': trap, 'tenant/ok': anything } });
    expect(result).toMatchObject({ ok: false, problems: [{ file: 'tenant/trap', code: 'engine-failed' }] });
    expect(decide(snapshot, intentOf()).outcome).toBe('allow');
  });

  it('keeps more policy sets apart than it has slots', () => {
    const engine = freshEngine({ memoEntries: 0 });
    const count = limits.engineSlotsMax + 20;
    const snapshots = Array.from({ length: count }, (_, index) =>
      snapshotOf(engine, {
        session: {
          [`session/${index}`]: `permit (principal, action, resource == Cordon::Origin::"https://h${index}.example:443");`,
        },
      }),
    );
    for (const step of [1, count - 1]) {
      for (let index = 0; index < count; index++) {
        const own = decide(snapshots[index] ?? snapshotOf(engine), intentOf(`https://h${index}.example:443`));
        const foreign = decide(
          snapshots[index] ?? snapshotOf(engine),
          intentOf(`https://h${(index + step) % count}.example:443`),
        );
        expect([own.outcome, own.record.reasons[1], foreign.outcome]).toEqual(['allow', `session/${index}`, 'deny']);
      }
    }
  });
});

describe('the memo', () => {
  it('changes no byte of a decision, and is bounded', () => {
    const intents = Array.from({ length: 40 }, (_, index) =>
      intentOf(undefined, index % 3 === 0 ? 'POST' : 'GET', `/p${index % 10}`),
    );
    const session = {
      'session/read': 'permit (principal, action, resource) when { context.effect == Cordon::Effect::"read" };',
    };
    const digests = [0, 5, 1000].map((memoEntries) => {
      const snapshot = snapshotOf(freshEngine({ memoEntries }), { session });
      return [...intents, ...intents].map((intent) => decide(snapshot, intent).digest);
    });
    expect(digests[1]).toEqual(digests[0]);
    expect(digests[2]).toEqual(digests[0]);
  });

  it('does not carry an answer over to another set, fact or approval', () => {
    const engine = freshEngine();
    const open = snapshotOf(engine);
    const shut = snapshotOf(engine, { session: {} });
    const intent = intentOf();
    expect([decide(open, intent).outcome, decide(shut, intent).outcome, decide(open, intent).outcome]).toEqual([
      'allow',
      'deny',
      'allow',
    ]);
    expect(decide(open, intent, { live: false }).outcome).toBe('deny');
    const asks = snapshotOf(engine, {
      session: { 'session/a': 'permit (principal, action, resource) when { context.approval.quorum >= 1 };' },
    });
    expect(decide(asks, intent).outcome).toBe('hold');
    expect(authorize(asks, principal, intent, factsOf(intent), { quorum: 1, strong: false }).outcome).toBe('allow');
    expect(decide(asks, intent).outcome).toBe('hold');
    expect(authorize(asks, principal, intent, factsOf(intent), noApproval).outcome).toBe('hold');
  });

  it('answers for the digest of the engine, which every decision names', () => {
    expect(decide(snapshotOf(freshEngine()), intentOf()).record.policy.engine).toBe(engineCode.digest);
  });
});
