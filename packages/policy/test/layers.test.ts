import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callHead } from '../src/decide/focus.ts';
import { createRequest } from '../src/decide/request.ts';
import { createSlice } from '../src/decide/slice.ts';
import { createSnapshot, noApproval, type PolicySnapshot } from '../src/index.ts';
import { decide, factsOf, freshEngine, intentOf, policiesOf, principal, snapshotOf } from './support/world.ts';

const engine = freshEngine({ memoEntries: 0 });
/** Raised by hand for a long campaign: `LAYER_SETS=100000 vitest run packages/policy/test/layers.test.ts`. */
const layerSets = Number(process.env['LAYER_SETS'] ?? 2000);

const conditions = [
  'true',
  'true',
  'true',
  'context.http.bytes < 2000',
  'context.http.method == "GET"',
  'context.http.method == "POST"',
  'context.http.route like "/0:a/*"',
  'context.http.route == "/0:b/"',
  'context.http.bytes < 100',
  'context.effect == Cordon::Effect::"read"',
  'context.boundary >= 2',
];
const resources = [
  'resource',
  'resource',
  'resource',
  'resource == Cordon::Origin::"https://a.example:443"',
  'resource in Cordon::Host::"b.example"',
  'resource in Cordon::Domain::"example"',
];
const policy = fc
  .record({
    effect: fc.constantFrom('permit', 'permit', 'permit', 'permit', 'permit', 'forbid'),
    resource: fc.constantFrom(...resources),
    when: fc.constantFrom(...conditions),
  })
  .map(
    ({ effect, resource, when }) =>
      `${effect} (principal, action == Cordon::Action::"http.request", ${resource}) when { ${when} };`,
  );
/** Layers from a pool, so that each passes the load gate once and the sets of them are many. */
const pool = fc.sample(fc.array(policy, { minLength: 0, maxLength: 4 }), { numRuns: 60, seed: 20260304 });
const layer = fc.constantFrom(...pool);
const request = fc
  .record({
    origin: fc.constantFrom('https://a.example:443', 'https://b.example:443', 'http://c.other:80'),
    method: fc.constantFrom('GET', 'POST'),
    path: fc.constantFrom('/a', '/a/x', '/b', '/'),
    bytes: fc.constantFrom(0, 1000),
  })
  .map(({ origin, method, path, bytes }) =>
    intentOf(origin, method, path, {
      payload: { ...intentOf().payload, bytes, kind: bytes === 0 ? 'none' : 'opaque' },
    }),
  );

function named(prefix: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text, index) => [`${prefix}/${index}`, text]));
}

/** What the merged evaluation must equal: each layer judged alone, by Cedar alone. */
function separately(snapshot: PolicySnapshot, intent: ReturnType<typeof intentOf>): boolean {
  const facts = factsOf(intent);
  const slice = createSlice(principal, intent.action, intent.resource, facts);
  const request = slice === null ? null : createRequest(intent, facts, noApproval, slice);
  return snapshot.layers.every((each) => {
    const texts = Object.fromEntries(each.policies.map((one) => [one.id, one.text]));
    if (slice === null || request === null) return false;
    const all = { digest: JSON.stringify(texts), texts, view: null };
    const evaluation = engine.evaluate(callHead(all, intent.action, slice, slice.json.entities), request.context(null));
    return evaluation.ok && evaluation.allowed && evaluation.failed.length === 0;
  });
}

describe('layers', () => {
  it(`intersect: merged equals one evaluation per layer (${layerSets} random sets)`, () => {
    const seen = { allow: 0, deny: 0, hold: 0 };
    fc.assert(
      fc.property(
        layer,
        layer,
        fc.option(layer, { nil: null }),
        layer,
        request,
        (ceiling, tenant, person, session, intent) => {
          const snapshot = snapshotOf(engine, {
            ceiling: { name: 'ceiling', policies: named('ceiling', ceiling) },
            tenant: { name: 'tenant', policies: named('tenant', tenant) },
            ...(person === null ? {} : { person: { name: 'person' as const, policies: named('person', person) } }),
            session: named('session', session),
          });
          const { outcome } = decide(snapshot, intent);
          seen[outcome]++;
          expect(outcome === 'allow').toBe(separately(snapshot, intent));
        },
      ),
      { numRuns: layerSets },
    );
    expect(Math.min(seen.allow, seen.deny)).toBeGreaterThan(layerSets / 50);
  }, 600_000);

  it('no session layer turns what the ceiling denies', () => {
    const ceiling = {
      name: 'ceiling' as const,
      policies: {
        'ceiling/a': 'permit (principal, action, resource) when { context.effect == Cordon::Effect::"read" };',
      },
    };
    fc.assert(
      fc.property(layer, (session) => {
        const snapshot = snapshotOf(engine, { ceiling, session: named('session', session) });
        expect(decide(snapshot, intentOf('https://a.example:443', 'POST', '/a')).outcome).toBe('deny');
      }),
      { numRuns: 100 },
    );
  });

  it('that hold no permit deny by name', () => {
    expect(decide(snapshotOf(engine, { session: {} }), intentOf()).record).toMatchObject({
      code: 'no-grant',
      reasons: ['session'],
    });
    const none = {
      ceiling: { name: 'ceiling' as const, policies: {} },
      tenant: { name: 'tenant' as const, policies: {} },
      session: {},
    };
    expect(decide(snapshotOf(engine, none), intentOf()).record).toMatchObject({
      code: 'no-grant',
      reasons: ['ceiling', 'session', 'tenant'],
    });
    const person = { name: 'person' as const, policies: {} };
    expect(decide(snapshotOf(engine, { person }), intentOf()).record).toMatchObject({
      code: 'no-grant',
      reasons: ['person'],
    });
  });

  it('must be there, each once, each with its own ids, the session last', () => {
    const { tenant, session } = policiesOf({});
    const [ceiling, own] = tenant.layers;
    if (ceiling === undefined || own === undefined) throw new TypeError('no layers');
    const wrong = [
      { ...tenant, layers: [own] },
      { ...tenant, layers: [ceiling] },
      { ...tenant, layers: [ceiling, own, own] },
      { ...tenant, layers: [ceiling, own, { ...session.layer }] },
      {
        ...tenant,
        layers: [
          ceiling,
          { name: 'tenant' as const, policies: { 'session/x': 'permit (principal, action, resource);' } },
        ],
      },
      { ...tenant, tenant: 'other' },
      ...['never', '2027', '2027-01-01T00:00:00Z', '2027-01-01T00:00:00.000+01:00', '9'].map((expires) => ({
        ...tenant,
        expires,
      })),
    ];
    for (const each of wrong) expect(createSnapshot(engine, each, session).ok).toBe(false);
    const twoSessions = createSnapshot(engine, tenant, { ...session, layer: own });
    expect(twoSessions.ok).toBe(false);
  });

  it('are shared by the sessions that have them, and named by digest', () => {
    const first = snapshotOf(engine);
    const second = snapshotOf(engine);
    expect(second.layers[0]).toBe(first.layers[0]);
    expect(second.digest).toBe(first.digest);
    const other = snapshotOf(engine, { session: { 'session/open': 'permit (principal, action, resource) ;' } });
    expect(other.digest).not.toBe(first.digest);
    expect(snapshotOf(engine, { stopped: true }).digest).not.toBe(first.digest);
    expect(snapshotOf(engine, { expires: '2030-01-01T00:00:00.000Z' }).digest).not.toBe(first.digest);
  });
});
