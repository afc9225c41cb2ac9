import { describe, expect, it } from 'vitest';
import type { AxisValue } from '../src/space/axis.ts';
import { axesOf } from '../src/space/axis.ts';
import { boardOf, readSnapshot } from '../src/space/board.ts';
import { pointOf } from '../src/space/point.ts';
import { judge, proveAll } from '../src/space/prove.ts';
import { scenesOf } from '../src/space/scene.ts';
import { permits } from '../src/space/search.ts';
import { Tables } from '../src/space/table.ts';
import { anyone, flowCeiling, plants } from './support/flow-rules.ts';
import { freshEngine, snapshotOf } from './support/world.ts';

/** Remembers all, so that a planted mistake costs what is new in it. */
const engine = freshEngine({ memoEntries: 200_000 });
const rungs = [{ quorum: 1, strong: false }];

const withCeiling = (ceiling: Readonly<Record<string, string>>, tenant?: Readonly<Record<string, string>>) =>
  snapshotOf(
    engine,
    {
      ceiling: { name: 'ceiling', policies: ceiling },
      ...(tenant === undefined ? {} : { tenant: { name: 'tenant' as const, policies: tenant } }),
    },
    { rungs },
  );

describe('the proof over the finite part', { timeout: 120_000 }, () => {
  it('holds for the flow rules, and covers all of it', () => {
    const proof = proveAll(withCeiling(flowCeiling));
    expect(proof.findings).toEqual([]);
    expect(proof.complete).toBe(true);
    expect(proof.states).toBeGreaterThan(1_000_000);
    expect(proof.requests).toBeLessThan(20_000);
    expect(proof.sampled).toEqual([]);
  });

  it('is made of twenty planted mistakes', () => {
    expect(plants).toHaveLength(20);
    expect(new Set(plants.map((plant) => plant.name)).size).toBe(20);
  });

  it.each(plants)('finds $name ($property)', ({ rule, tenant, property }) => {
    const ceiling = rule === undefined ? flowCeiling : { ...flowCeiling, [rule[0]]: rule[1] };
    const { findings } = proveAll(withCeiling(ceiling, tenant));
    expect(findings.map((finding) => finding.property)).toContain(property);
    for (const { example, policies } of findings) {
      expect(example).toMatch(/ by agent fixer, effect \w+/);
      expect(policies.length).toBeGreaterThan(0);
    }
  });

  it('finds nothing wrong where another policy makes up for it', () => {
    const policies = {
      'tenant/calm': 'permit (principal, action, resource) when { context.breaker == 0 };',
      'tenant/tripped': 'permit (principal, action, resource) when { context.breaker == 1 };',
    };
    expect(proveAll(withCeiling(flowCeiling, policies)).findings).toEqual([]);
    const { 'tenant/tripped': tripped } = policies;
    const [finding] = proveAll(withCeiling(flowCeiling, { 'tenant/tripped': tripped })).findings;
    expect(finding).toMatchObject({ property: 'T6', policies: ['tenant/tripped'] });
    expect(finding?.why).toBe('breaker 1 is allowed where breaker 0 is not');
  });

  it('finds a mistake that shows only where a layer below permits something odd', () => {
    const ceiling = {
      ...flowCeiling,
      'ceiling/core/R0-live': 'forbid (principal, action, resource) when { context.depth > 4 };',
    };
    const odd = {
      'tenant/odd': 'permit (principal, action, resource) when { context.depth == 3 && context.anomaly < 1 };',
    };
    const { findings } = proveAll(withCeiling(ceiling, odd), { properties: ['T5'] });
    expect(findings[0]?.example).toContain('depth 3');
    expect(findings[0]?.why).toBe('allowed though live is false');
  });

  it('says that it is not complete when the budget does not suffice', () => {
    const huge = Object.fromEntries(
      Array.from({ length: 3 }, (_, index) => [
        `tenant/${index}`,
        `permit (principal, action, resource) when { context.minuteOfWeek == context.depth && context.boundary == context.attested && context.anomaly == context.breaker && context.flow.argConf == context.flow.ctxConf && context.flow.argInteg == context.flow.ctxInteg && context.flow.destInteg == context.flow.clearance && context.approval.quorum == ${index} };`,
      ]),
    );
    expect(proveAll(withCeiling(flowCeiling, huge)).complete).toBe(false);
  });
});

describe('the tables', { timeout: 120_000 }, () => {
  it('say of every request what the judge says', () => {
    const snapshot = withCeiling(flowCeiling, {
      'tenant/a':
        '@bytes("1000000")\npermit (principal, action == Cordon::Action::"http.request", resource in Cordon::Domain::"example.com") when { context.http.method == "POST" && context.http.route like "/0:a/*" && context.http.bytes <= 100 && context.http.body != "opaque" };',
      'tenant/b': 'permit (principal in Cordon::Agent::"builder", action, resource) when { context.boundary >= 2 };',
      'tenant/c': anyone.replace(';', ' when { context.minuteOfWeek >= 480 && context.minuteOfWeek < 1080 };'),
      'tenant/no': 'forbid (principal, action, resource in Cordon::Host::"x.example.com") when { context.depth > 2 };',
    });
    const read = readSnapshot(snapshot);
    const axes = axesOf(read.all);
    const tables = new Tables(engine, axes);
    const { scenes } = scenesOf(read.all, snapshot.principal);
    expect(scenes.length).toBeGreaterThan(30);
    let seed = 20260304;
    const dice = (sides: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % sides;
    };
    const seen = { allow: 0, deny: 0, hold: 0 };
    for (const scene of scenes) {
      const work = boardOf(tables, read, scene);
      let step = work.next();
      while (step.done !== true) step = work.next();
      for (let i = 0; i < 20; i++) {
        const at = axes.map((axis) => (dice(3) === 0 ? dice(axis.values.length) : axis.usual));
        const point = pointOf(scene, axes, at);
        const { outcome } = judge(snapshot, point);
        seen[outcome]++;
        expect(outcome === 'allow', JSON.stringify([...point.values])).toBe(permits(step.value, at));
      }
    }
    expect(Math.min(seen.allow, seen.deny)).toBeGreaterThan(50);
  });

  it('stand at the most dangerous value where nobody looks', () => {
    const snapshot = withCeiling({ 'ceiling/open': anyone });
    const properties = proveAll(snapshot).findings.map((finding) => finding.property);
    expect([...new Set(properties)].sort()).toEqual(['T2', 'T3', 'T4', 'T5', 'T7']);
  });

  it('cut a number into the classes that policies tell apart', () => {
    const snapshot = withCeiling({
      'ceiling/a': 'permit (principal, action, resource) when { context.flow.destInteg >= 2 && context.anomaly != 1 };',
      'ceiling/b': 'permit (principal, action, resource) when { context.minuteOfWeek < 480 };',
      'ceiling/c': 'permit (principal, action, resource) when { context.boundary <= 1 && 2 > context.attested };',
    });
    const values = (path: string): readonly AxisValue[] | undefined =>
      axesOf(readSnapshot(snapshot).all).find((axis) => axis.path === path)?.values;
    expect(values('flow.destInteg')).toEqual([3, 2, 1, 0]);
    expect(values('anomaly')).toEqual([0, 1, 2]);
    expect(values('minuteOfWeek')).toEqual([0, 600]);
    expect(values('boundary')).toEqual([2, 1]);
    expect(values('attested')).toEqual([2, 0]);
    expect(values('flow.argConf')).toBeUndefined();
  });
});
