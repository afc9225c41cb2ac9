import { describe, expect, it } from 'vitest';
import { checkPolicyText, compileLayer, explain, factsSchema, mergeLayer, runPolicyTests } from '../src/index.ts';
import { splitPolicies } from '../src/verb/split.ts';
import { anything, factsOf, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();

describe('explain', () => {
  it('names every permit and forbid of every layer, also where Cedar names only the forbids', () => {
    const session = {
      'session/a': anything,
      'session/b': 'permit (principal, action, resource) when { context.effect == Cordon::Effect::"read" };',
      'session/c': 'permit (principal, action, resource) when { context.effect == Cordon::Effect::"spend" };',
      'session/no': 'forbid (principal, action, resource in Cordon::Domain::"github.com");',
    };
    const snapshot = snapshotOf(engine, { session });
    const intent = intentOf();
    const { decision, layers, policies } = explain(snapshot, intent, factsOf(intent, { quotaOk: false }));
    expect(decision.record).toMatchObject({ outcome: 'deny', reasons: ['ceiling/core/R0-quota', 'session/no'] });
    expect(layers).toEqual([
      { layer: 'ceiling', permits: ['ceiling/open'], forbids: ['ceiling/core/R0-quota'] },
      { layer: 'tenant', permits: ['tenant/open'], forbids: [] },
      { layer: 'session', permits: ['session/a', 'session/b'], forbids: ['session/no'] },
    ]);
    expect(policies['session/no']).toBe(session['session/no']);
    expect(Object.keys(policies).sort()).toEqual([
      'ceiling/core/R0-quota',
      'ceiling/open',
      'session/a',
      'session/b',
      'session/no',
      'tenant/open',
    ]);
  });

  it('has no layers to show for what could not be judged', () => {
    const intent = intentOf('nonsense');
    const { decision, layers } = explain(snapshotOf(engine), intent, factsOf(intent));
    expect(decision.record.code).toBe('request-invalid');
    expect(layers.flatMap((layer) => [...layer.permits, ...layer.forbids])).toEqual([]);
  });
});

describe('checking a file', () => {
  const check = (text: string) => checkPolicyText(engine, { name: 'policy/site.cedar', text }, 'tenant');

  it('gives policies by @id, else by number, ready for a layer', () => {
    const text =
      '// first; not a "policy"\n@id("reads")\npermit (principal, action, resource)\nwhen { context.effect == Cordon::Effect::"read" };\n\nforbid (principal, action, resource == Cordon::Origin::"https://x.example:443"); // the end;\n';
    const { problems, policies } = check(text);
    expect(problems).toEqual([]);
    expect(Object.keys(policies)).toEqual(['tenant/site/reads', 'tenant/site/2']);
    expect(compileLayer(engine, { name: 'tenant', policies }).ok).toBe(true);
    expect(check('').policies).toEqual({});
  });

  it.each<[string, string, number, number]>([
    ['permit (principal, action, resource);\npermit (principal, action resource);', 'syntax', 2, 27],
    ['// ä\n\n  permit (principal, action, resource) when { context.lve };', 'validation', 3, 47],
    [
      'permit (principal, action, resource);\n  forbid (principal, action, resource) when { context.breaker + 1 > 1 };',
      'arithmetic',
      2,
      3,
    ],
    ['@bites("1")\npermit (principal, action, resource);', 'annotation-unknown', 1, 1],
    [
      '@id("a")\npermit (principal, action, resource);\n@id("a")\nforbid (principal, action, resource);',
      'id-duplicate',
      3,
      1,
    ],
    ['@id("a b")\npermit (principal, action, resource);', 'id-invalid', 1, 1],
    ['permit (principal == ?principal, action, resource);', 'syntax', 1, 22],
    ['permit (principal, action, resource)', 'syntax', 1, 37],
  ])('%j: %s at %i:%i', (text, code, line, column) => {
    const { problems, policies } = check(text);
    expect(problems[0]).toMatchObject({ file: 'policy/site.cedar', code, line, column });
    expect(policies).toEqual({});
  });

  it('survives a file that breaks the engine', () => {
    const text = `permit (principal, action, resource) when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`;
    expect(check(text).problems[0]?.code).toBe('engine-failed');
    expect(check(anything).problems).toEqual([]);
  });

  it('cuts at semicolons that end a policy, and at no others', () => {
    const text = 'a "x;\\";" ; // b;\n c/d;;e';
    expect(splitPolicies(text)).toEqual([
      { text: 'a "x;\\";" ;', start: 0 },
      { text: 'c/d;', start: 19 },
    ]);
  });
});

describe('tests of policies', () => {
  it('say what was expected and what came', () => {
    const session = {
      'session/a':
        'permit (principal, action == Cordon::Action::"http.request", resource == Cordon::Origin::"https://a.example:443") when { context.http.route like "/0:x/*" };',
    };
    const snapshot = snapshotOf(engine, { session });
    const resource = 'https://a.example:443';
    const results = runPolicyTests(snapshot, [
      { name: 'inside', intent: { resource, path: '/x/y' }, outcome: 'allow' },
      { name: 'outside', intent: { resource, path: '/y' }, outcome: 'deny', code: 'no-grant' },
      {
        name: 'frozen',
        intent: { resource, path: '/x' },
        facts: { live: false },
        outcome: 'deny',
        code: 'session-stopped',
      },
      { name: 'mistaken', intent: { resource, path: '/x' }, outcome: 'deny' },
      { name: 'wrong code', intent: { resource, path: '/y' }, outcome: 'deny', code: 'forbidden' },
      { name: 'tool', intent: { action: 'toolcall.invoke', resource: 'tool://claude/Bash' }, outcome: 'deny' },
    ]);
    expect(results.map((each) => each.ok)).toEqual([true, true, true, false, false, true]);
    expect(results[3]).toEqual({ name: 'mistaken', ok: false, expected: 'deny', got: 'allow allowed' });
    expect(results[4]?.got).toBe('deny no-grant (session)');
  });
});

describe('merging', () => {
  it('refuses two policies of one id', () => {
    expect(mergeLayer('session', [{ 'session/a': 'x' }, { 'session/b': 'y' }])).toMatchObject({ ok: true });
    expect(mergeLayer('session', [{ 'session/a': 'x' }, { 'session/a': 'x' }])).toMatchObject({
      ok: false,
      problems: [{ code: 'id-duplicate' }],
    });
  });
});

describe('the schema of facts', () => {
  it('names the very members that facts have', () => {
    const facts = factsOf(intentOf(), { counters: { noted: 0, own: 0, sink: 0, tick: 0 } });
    expect(Object.keys(factsSchema['properties'] as object).sort()).toEqual(Object.keys(facts).sort());
    const { flow } = factsSchema['properties'] as Record<string, { readonly required?: readonly string[] }>;
    expect(flow?.required?.toSorted()).toEqual(Object.keys(facts.flow).sort());
  });
});
