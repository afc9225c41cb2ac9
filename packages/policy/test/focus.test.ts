import type { ActionName, Intent } from '@cordon/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callHead, type Placed, placeAmong } from '../src/decide/focus.ts';
import { createRequest } from '../src/decide/request.ts';
import { createSlice } from '../src/decide/slice.ts';
import type { PolicyJson } from '../src/engine/answer.ts';
import { type Effect, flowFields } from '../src/fact/field.ts';
import type { CompiledPolicy } from '../src/gate/compiled.ts';
import { contextReads } from '../src/gate/reads.ts';
import { sightsOf } from '../src/gate/sights.ts';
import { type Facts, usualFlow } from '../src/index.ts';
import { factsOf, freshEngine, intentOf, principal } from './support/world.ts';

const engine = freshEngine({ memoEntries: 0 });
/** Raised by hand for a long campaign: `FOCUS_SETS=20000 vitest run packages/policy/test/focus.test.ts`. */
const focusSets = Number(process.env['FOCUS_SETS'] ?? 250);

function jsonOf(text: string): PolicyJson {
  const parsed = engine.toJson(text);
  if (parsed.type !== 'success') throw new TypeError(`${text}: ${JSON.stringify(parsed.errors)}`);
  return parsed.json;
}

/** As the load gate makes them, without its refusals: what it would not let in has to come out the same too. */
function compiled(id: string, text: string): CompiledPolicy {
  const json = jsonOf(text);
  const { action, resource, effect } = json;
  const duties = {
    bytes: null,
    lifeMs: null,
    lease: null,
    approvers: null,
    permit: null,
    rate: null,
    durable: false,
    unkept: [],
  };
  const read = { reads: contextReads(json), sights: sightsOf(json), scope: { action, resource } };
  return { id, effect, text, digest: text, duties, code: null, source: null, reach: null, ...read };
}

const principals = [
  'principal',
  'principal',
  'principal',
  'principal == Cordon::Session::"ses_1"',
  'principal in Cordon::Agent::"fixer"',
  'principal in Cordon::Agent::"other"',
  'principal in Cordon::Tenant::"local"',
  'principal is Cordon::Session',
  'principal is Cordon::Session in Cordon::Person::"ada"',
];
const actions = [
  'action',
  'action',
  'action in Cordon::Action::"any"',
  'action in Cordon::Action::"egress"',
  'action == Cordon::Action::"http.request"',
  'action == Cordon::Action::"http.tunnel"',
  'action == Cordon::Action::"file.open"',
  'action in [Cordon::Action::"http.request", Cordon::Action::"mcp.call"]',
  'action in [Cordon::Action::"peer.call"]',
];
const resources = [
  'resource',
  'resource',
  'resource == Cordon::Origin::"https://a.b.example:443"',
  'resource == Cordon::Origin::"tls://a.b.example:443"',
  'resource in Cordon::Origin::"https://a.b.example:443"',
  'resource in Cordon::Host::"a.b.example"',
  'resource in Cordon::Domain::"b.example"',
  'resource in Cordon::Domain::"example"',
  'resource in Cordon::Domain::"other"',
  'resource is Cordon::Origin',
  'resource is Cordon::Origin in Cordon::Domain::"example"',
  'resource is Cordon::Path in Cordon::Path::"work:/a"',
  'resource in Cordon::Path::"work:/"',
  'resource in Cordon::Service::"mail"',
  'resource == Cordon::Agent::"fixer"',
  'resource in Cordon::Tenant::"local"',
];
const conditions = [
  'true',
  'true',
  'context.http.method == "GET"',
  'context.http.route like "/0:a/*"',
  'context.http == context.http && context.http.bytes < 100',
  'context.effect == Cordon::Effect::"read"',
  'context.breaker == 0 || context.http.bytes < 100',
  'context.flow.argConf <= context.flow.clearance',
  'context.flow == context.flow && context.flow.leakOk',
  'context.approval.quorum >= 1',
  'context == context && context.live',
  'if context.live then context.minuteOfWeek < 5000 else context.covered',
  'context.checks.contains("x")',
  'context.args.hasTag("/to") && context.args.getTag("/to").contains("ada")',
  'context.args.getTag("/to").contains("ada")',
  'context.nums.hasTag("/amount#max") && context.nums.getTag("/amount#max") < 10',
  'Cordon::Args::"".hasTag("/to")',
  'Cordon::Host::"a.b.example" in Cordon::Domain::"example"',
  'resource in Cordon::Domain::"example"',
  'resource in [Cordon::Domain::"other", Cordon::Host::"a.b.example"]',
  'resource in Cordon::Agent::"fixer" || resource in Cordon::Tenant::"local"',
  'resource is Cordon::Origin in Cordon::Domain::"b.example"',
  'resource == Cordon::Origin::"https://a.b.example:443"',
  '[Cordon::Path::"work:/a/b"].contains(resource)',
  'principal in Cordon::Agent::"fixer"',
  'principal in resource',
  'resource in principal',
  '(if context.live then principal else resource) in Cordon::Tenant::"local"',
  'action in Cordon::Action::"egress"',
  'action == Cordon::Action::"mcp.call" || action in [Cordon::Action::"http.tunnel"]',
  'context.tunnel.port == 443',
  '{"in": resource in Cordon::Domain::"example", x: true}["in"]',
  '!(resource in Cordon::Domain::"example")',
];

const policy = fc
  .record({
    effect: fc.constantFrom('permit', 'permit', 'forbid'),
    principal: fc.constantFrom(...principals),
    action: fc.constantFrom(...actions),
    resource: fc.constantFrom(...resources),
    kind: fc.constantFrom('when', 'when', 'unless'),
    condition: fc.constantFrom(...conditions),
  })
  .map((part) => {
    const scope = `${part.principal}, ${part.action}, ${part.resource}`;
    return `${part.effect} (${scope}) ${part.kind} { ${part.condition} };`;
  });
const pool = [...new Set(fc.sample(policy, { numRuns: 1500, seed: 20_261_122 }))].map((text, index) =>
  compiled(`session/${index}`, text),
);
const set = fc.uniqueArray(fc.constantFrom(...pool), { minLength: 1, maxLength: 12, selector: ({ id }) => id });

const places: readonly (readonly [ActionName, string])[] = [
  ['http.request', 'https://a.b.example:443'],
  ['http.request', 'https://b.example:443'],
  ['http.upgrade', 'https://a.b.example:443'],
  ['http.tunnel', 'tls://a.b.example:443'],
  ['http.tunnel', 'tcp://a.b.example:443'],
  ['mcp.call', 'mcp://mail/send'],
  ['peer.call', 'fixer'],
  ['peer.call', 'other'],
  ['file.open', 'work:/a/b'],
  ['process.exec', '/bin/sh'],
];
const effects: readonly Effect[] = ['read', 'share'];
const ask = fc
  .record({
    place: fc.constantFrom(...places),
    method: fc.constantFrom('GET', 'POST'),
    path: fc.constantFrom('/a', '/a/x', '/b'),
    bytes: fc.constantFrom(0, 50, 5000),
    at: fc.constantFrom('2026-03-02T00:00:00.000Z', '2026-03-06T05:06:07.089Z'),
    effect: fc.constantFrom(...effects),
    breaker: fc.constantFrom(0, 1),
    live: fc.boolean(),
    covered: fc.boolean(),
    checks: fc.constantFrom([], ['x']),
    args: fc.constantFrom({}, {}, { '/to': ['ada'] }, { '/to': ['bob'] }),
    nums: fc.constantFrom({}, {}, { '/amount#max': 5 }, { '/amount#max': 50 }),
    flow: fc.constantFrom(usualFlow, { ...usualFlow, argConf: 3 }, { ...usualFlow, leakOk: false }),
    quorum: fc.constantFrom(0, 1),
  })
  .map(({ place: [action, resource], method, path, bytes, quorum, at, ...facts }) => {
    const payload = { ...intentOf().payload, bytes, kind: bytes === 0 ? 'none' : 'json' } as Intent['payload'];
    const intent = intentOf(resource, method, path, { action, payload });
    const made = factsOf(intent, { ...facts, at, freshUntil: '2026-12-31T00:00:00.000Z' });
    return { intent, facts: made, approval: { quorum, strong: false } };
  });

const closest = { omitsMin: 1, keptMax: 99 };

function placedFor(policies: readonly CompiledPolicy[], intent: Intent, facts: Facts, bounds = closest): Placed {
  const slice = createSlice(principal, intent.action, intent.resource, facts);
  if (slice === null) throw new TypeError(`${intent.resource} has no canonical reading`);
  return placeAmong(policies, intent.action, slice, bounds);
}

describe('what Cedar is asked', () => {
  it(`is answered as the whole question is (${focusSets} random sets)`, () => {
    const seen = { allowed: 0, denied: 0, failed: 0, narrowed: 0, whole: 0, fewer: 0 };
    fc.assert(
      fc.property(
        set,
        fc.constantFrom(closest, closest, { omitsMin: 99, keptMax: 99 }, { omitsMin: 1, keptMax: 3 }),
        fc.array(ask, { minLength: 8, maxLength: 16 }),
        (policies, bounds, asks) => {
          const texts = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
          for (const { intent, facts, approval } of asks) {
            const placed = placedFor(policies, intent, facts, bounds);
            const request = createRequest(intent, facts, approval, placed.slice);
            if (request === null) throw new TypeError('no request');
            const all = { digest: JSON.stringify(texts), texts, view: null };
            const head = callHead(all, intent.action, placed.slice, placed.slice.json.entities);
            const whole = engine.evaluate(head, request.context(null));
            expect(engine.evaluate(placed.head, request.context(placed.head.focus.view))).toEqual(whole);
            expect(whole.ok).toBe(true);
            if (!whole.ok) continue;
            seen[whole.allowed ? 'allowed' : 'denied'] += 1;
            seen[placed.head.focus.view === null ? 'whole' : 'narrowed'] += 1;
            if (whole.failed.length > 0) seen.failed += 1;
            if (Object.keys(placed.head.focus.texts).length < policies.length) seen.fewer += 1;
          }
        },
      ),
      { numRuns: focusSets },
    );
    // Each kind of answer must have been compared often enough to mean something.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(focusSets / 4);
  }, 3_600_000);

  it('holds no more than the policies can tell apart', () => {
    const [read, push] = [
      'permit (principal, action == Cordon::Action::"http.request", resource in Cordon::Domain::"example") when { context.http.method == "GET" && context.flow.leakOk };',
      'permit (principal, action == Cordon::Action::"http.request", resource == Cordon::Origin::"https://c.example:443") when { context.args.hasTag("/to") };',
    ].map((text, index) => compiled(`session/${index}`, text));
    if (read === undefined || push === undefined) throw new TypeError('no policies');
    const intent = intentOf('https://a.b.example:443');
    const facts = factsOf(intent, { args: { '/to': ['ada'] } });
    const placed = placedFor([read, push], intent, facts);
    expect(Object.keys(placed.head.focus.texts)).toEqual(['session/0']);
    const request = createRequest(intent, facts, { quorum: 0, strong: false }, placed.slice);
    const context = request?.context(placed.head.focus.view) ?? '';
    expect({ ...JSON.parse(`{${placed.head.text}}`), context: JSON.parse(context) }).toEqual({
      principal: { type: 'Cordon::Session', id: 'ses_1' },
      action: { type: 'Cordon::Action', id: 'http.request' },
      resource: { type: 'Cordon::Origin', id: 'https://a.b.example:443' },
      context: { http: { method: 'GET' }, flow: { leakOk: true } },
      entities: [
        {
          uid: { type: 'Cordon::Origin', id: 'https://a.b.example:443' },
          attrs: {},
          parents: [{ type: 'Cordon::Domain', id: 'example' }],
        },
      ],
    });
  });

  it('leaves out for the place only where that is many, and keeps sets of their own small', () => {
    const policies = [
      ...Array.from(
        { length: 5 },
        (_, i) => `permit (principal, action, resource == Cordon::Origin::"https://c${i}.example:443");`,
      ),
      'permit (principal, action == Cordon::Action::"mcp.call", resource);',
      'permit (principal, action, resource);',
    ].map((text, index) => compiled(`session/${index}`, text));
    const intent = intentOf('https://a.b.example:443');
    const kept = (omitsMin: number, keptMax: number): string => {
      const { texts } = placedFor(policies, intent, factsOf(intent), { omitsMin, keptMax }).head.focus;
      return Object.keys(texts)
        .map((id) => id.slice('session/'.length))
        .join('');
    };
    expect([kept(5, 1), kept(6, 6), kept(6, 5), kept(5, 0)]).toEqual(['6', '012346', '0123456', '0123456']);
  });

  it('is checked against its part of the schema', () => {
    const policies = [compiled('session/0', 'permit (principal, action, resource) when { context.flow.argConf < 3 };')];
    const intent = intentOf('https://a.b.example:443');
    const facts = factsOf(intent);
    const placed = placedFor(policies, intent, facts);
    const asking = (flow: object): ReturnType<typeof engine.evaluate> => {
      const request = createRequest(
        intent,
        { ...facts, flow: { ...usualFlow, ...flow } },
        { quorum: 0, strong: false },
        placed.slice,
      );
      return engine.evaluate(placed.head, request?.context(placed.head.focus.view) ?? '');
    };
    expect(asking({})).toMatchObject({ ok: true, allowed: true });
    for (const argConf of ['1', 1.5, true, null, undefined, {}]) {
      expect(asking({ argConf }), String(argConf)).toEqual({ ok: false, why: 'rejected' });
    }
    // What is not read is not sent.
    expect(Object.keys(flowFields).length).toBeGreaterThan(1);
    expect(asking({ ctxConf: 'x' })).toMatchObject({ ok: true, allowed: true });
  });
});

const when = (condition: string): string => `permit (principal, action, resource) when { ${condition} };`;

describe('what a policy sees of the hierarchy', () => {
  const domain = 'Cordon::Domain\nexample';
  it.each<[string, readonly string[] | null]>([
    [when('true'), []],
    [when('resource in Cordon::Domain::"example"'), [domain]],
    [
      when('context.live || !(resource in [Cordon::Domain::"example", Cordon::Host::"h"])'),
      [domain, 'Cordon::Host\nh'],
    ],
    [when('resource is Cordon::Origin in Cordon::Domain::"example"'), [domain]],
    [when('resource == Cordon::Domain::"example"'), []],
    [
      'permit (principal in Cordon::Agent::"a", action, resource in Cordon::Domain::"example");',
      ['Cordon::Agent\na', domain],
    ],
    ['forbid (principal, action, resource is Cordon::Origin in Cordon::Domain::"example");', [domain]],
    [when('context.args.hasTag("/to")'), []],
    [when('Cordon::Args::"".hasTag("/to")'), null],
    [when('(if context.live then context.args else Cordon::Args::"").getTag("/to").contains("x")'), null],
    [when('Cordon::Host::"h" in Cordon::Domain::"example"'), null],
    [when('principal in resource'), null],
    [when('resource in [Cordon::Domain::"example", principal]'), null],
    [when('resource in (if context.live then Cordon::Domain::"example" else Cordon::Domain::"x")'), null],
    [when('(if context.live then principal else resource) in Cordon::Domain::"example"'), null],
    [
      when('resource is Cordon::Origin in (if context.live then Cordon::Domain::"example" else Cordon::Domain::"x")'),
      null,
    ],
  ])('%s', (text, sights) => {
    expect(sightsOf(jsonOf(text))).toEqual(sights);
  });
});
