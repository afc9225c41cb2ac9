import { describe, expect, it } from 'vitest';
import { compileGrants, diffSpace, nearestAllowed, noApproval, type SpaceDiff } from '../src/index.ts';
import { anyone, flowCeiling } from './support/flow-rules.ts';
import { factsOf, freshEngine, intentOf, snapshotOf, type World } from './support/world.ts';

const engine = freshEngine({ memoEntries: 100_000 });
const ceiling = { name: 'ceiling' as const, policies: flowCeiling };
const solo = [{ quorum: 1, strong: false }];

function diff(before: World, after: World, rungs = [solo, solo]): SpaceDiff {
  const work = diffSpace(
    snapshotOf(engine, { ceiling, ...before }, { rungs: rungs[0] ?? [] }),
    snapshotOf(engine, { ceiling, ...after }, { rungs: rungs[1] ?? [] }),
  );
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}

function grants(...allow: string[]): Readonly<Record<string, string>> {
  const compiled = compileGrants(
    allow.map((target) => ({ allow: target, methods: ['GET', 'POST'] })),
    { layer: 'tenant', source: 'grants' },
  );
  if (!compiled.ok) throw new TypeError('grants');
  return compiled.policies;
}
const tenant = (policies: Readonly<Record<string, string>>): World => ({ tenant: { name: 'tenant', policies } });

describe('a diff of the finite space', { timeout: 120_000 }, () => {
  it('is empty where nothing changes, whatever the texts are called', () => {
    const same = diff(tenant({ 'tenant/a': anyone }), tenant({ 'tenant/a': anyone, 'tenant/b': anyone }));
    expect(same).toMatchObject({ changes: [], terms: [], widening: false, complete: true });
  });

  it('names a new grant as widening, with what is allowed and what is held', () => {
    const { changes, widening } = diff(
      tenant(grants('api.example.com/a/**')),
      tenant(grants('api.example.com/a/**', 'api.example.com/b/**')),
    );
    expect(widening).toBe(true);
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual(['deny allow', 'deny hold']);
    expect(changes[0]?.example).toBe('http.request GET https://api.example.com:443/b by agent fixer, effect read');
    expect(changes[0]?.policies).toContain('tenant/grants/2');
    expect(changes[0]?.before).toEqual(['tenant']);
  });

  it('names a removed grant as narrowing', () => {
    const { changes, widening } = diff(
      tenant(grants('api.example.com/a/**', 'api.example.com/b/**')),
      tenant(grants('api.example.com/a/**')),
    );
    expect(widening).toBe(false);
    expect(changes.map(({ from, to }) => `${from} ${to}`).sort()).toEqual(['allow deny', 'hold deny']);
  });

  it('finds a rule that lost one word, where only odd facts show it', () => {
    const rule = (body: string) => ({
      'tenant/a': anyone,
      'tenant/no': `forbid (principal, action, resource) when { ${body} };`,
    });
    const { changes } = diff(
      tenant(rule('context.boundary < 2 && context.anomaly >= 2')),
      tenant(rule('context.boundary < 2 && context.anomaly >= 3')),
    );
    expect(changes[0]).toMatchObject({ from: 'deny', to: 'allow', widening: true });
    expect(changes[0]?.example).toMatch(/anomaly 2$/);
    const back = diff(
      tenant(rule('context.boundary < 2 && context.anomaly >= 3')),
      tenant(rule('context.boundary < 2 && context.anomaly >= 2')),
    );
    expect(back.widening).toBe(false);
    expect(back.changes[0]).toMatchObject({ from: 'allow', to: 'deny' });
  });

  it('sees what an approval no longer has to be given for, and what can no longer be approved', () => {
    const less = { ...flowCeiling };
    delete (less as Record<string, string>)['ceiling/core/R4'];
    const opened = diff({}, { ceiling: { name: 'ceiling', policies: less } });
    expect(opened.changes.map(({ from, to }) => `${from} ${to}`)).toContain('hold allow');
    expect(opened.widening).toBe(true);
    const closed = diff({}, {}, [solo, []]);
    expect(closed.terms).toEqual(['approvals: none, where they were 1']);
  });

  it('names other limits, and addresses that were not allowed before', () => {
    const limited = (bytes: string) => ({ 'tenant/a': `@bytes("${bytes}")\n${anyone}` });
    expect(diff(tenant(limited('100')), tenant(limited('1000'))).terms[0]).toMatch(
      /requires bytes:1000, where it required bytes:100$/,
    );
    const origin = {
      origin: 'https://db.example.com:443',
      addresses: ['10.0.0.0/8'],
      trusted: true,
      bodyOnRead: false,
      encodedSlash: false,
    };
    const { terms, widening } = diff({}, { tenantOrigins: [origin] });
    expect(widening).toBe(true);
    expect(terms).toEqual(["https://db.example.com:443: may be at 10.0.0.0/8, may be this host's own"]);
  });
});

describe('the nearest facts that would allow', { timeout: 120_000 }, () => {
  const snapshot = snapshotOf(engine, { ceiling }, { rungs: solo });
  const upload = intentOf('https://x.example:443', 'POST', '/');
  const flow = {
    argConf: 0,
    argInteg: 2,
    clearance: 2,
    ctxConf: 0,
    ctxInteg: 2,
    destInteg: 3,
    leakOk: false,
    linksOk: true,
    readersOk: false,
  };

  it('are none for what is allowed', () => {
    expect(nearestAllowed(snapshot, upload, factsOf(upload, { flow }), noApproval)).toEqual([]);
  });

  it('are one, each by itself', () => {
    const facts = factsOf(upload, { flow: { ...flow, destInteg: 0 } });
    const found = nearestAllowed(snapshot, upload, facts, noApproval).map((changes) =>
      changes.map(({ fact, from, to }) => `${fact} ${from} ${to}`).join(),
    );
    expect(found).toContain('flow.destInteg 0 2');
    expect(found).toContain('approval.quorum 0 1');
    expect(found).not.toContain('flow.destInteg 0 1');
  });

  it('are two where one does not do', () => {
    const facts = factsOf(upload, { live: false, flow: { ...flow, destInteg: 0 } });
    const found = nearestAllowed(snapshot, upload, facts, noApproval);
    expect(found.length).toBeGreaterThan(0);
    for (const changes of found) {
      expect(changes).toHaveLength(2);
      expect(changes.map((change) => change.fact)).toContain('live');
    }
  });

  it('are none where a grant is missing', () => {
    const none = snapshotOf(engine, { ceiling, session: {} }, { rungs: solo });
    expect(nearestAllowed(none, upload, factsOf(upload, { flow }), noApproval)).toEqual([]);
  });
});
