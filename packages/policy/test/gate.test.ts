import { describe, expect, it } from 'vitest';
import { ceilingFor, compileLayer, coreCeiling, openTenant, schemaText } from '../src/index.ts';
import { freshEngine } from './support/world.ts';

const engine = freshEngine();
const codesOf = (text: string, id = 'tenant/x', checks: readonly string[] = []) => {
  const result = compileLayer(engine, { name: 'tenant', policies: { [id]: text } }, { checks: new Set(checks) });
  return result.ok ? [] : [...new Set(result.problems.map((each) => each.code))];
};
const permitWhen = (condition: string) => `permit (principal, action, resource) when { ${condition} };`;
const permitUnless = (condition: string) => `permit (principal, action, resource) unless { ${condition} };`;
const forbidWhen = (condition: string) => `forbid (principal, action, resource) when { ${condition} };`;
const forbidUnless = (condition: string) => `forbid (principal, action, resource) unless { ${condition} };`;

describe('the load gate passes', () => {
  it('what is shipped', () => {
    for (const layer of [coreCeiling, ceilingFor([{ quorum: 2, strong: true }]), openTenant])
      expect(compileLayer(engine, layer).ok, layer.name).toBe(true);
    expect(schemaText).toContain('action "http.request", "http.upgrade", "http.message" in ["egress"]');
  });

  it.each([
    'permit (principal, action, resource);',
    'permit (principal in Cordon::Agent::"fixer", action == Cordon::Action::"http.request", resource in Cordon::Domain::"example.com");',
    permitWhen('context.effect == Cordon::Effect::"read" && context.boundary >= 2'),
    permitWhen('context.args.hasTag("/to/*") && ["a@x.example"].containsAll(context.args.getTag("/to/*"))'),
    forbidUnless('context.args.hasTag("/to/*") && ["a@x.example"].containsAll(context.args.getTag("/to/*"))'),
    permitWhen('context.nums.hasTag("/amount#max") && context.nums.getTag("/amount#max") < 100'),
    permitWhen('if context.live then context.breaker == 0 else false'),
    permitWhen('principal is Cordon::Session in Cordon::Agent::"x" && context.minuteOfWeek > -1'),
    '@source("a.yaml:1") @bytes("65536") @rate("30/1m") @redact("secrets,links") @delay("5s") @notify("g") @approvers("g") @lease("a,b") @durable("disk") @readback("") permit (principal, action, resource);',
  ])('%s', (text) => {
    expect(codesOf(text)).toEqual([]);
  });

  it('a check that is known, where its absence denies', () => {
    const has = 'context.checks.contains("mail-inside")';
    for (const text of [permitWhen(has), permitUnless(`!${has}`), forbidUnless(has), forbidUnless(`!(!${has})`)]) {
      expect(codesOf(text, 'tenant/x', ['mail-inside']), text).toEqual([]);
    }
  });
});

describe('the load gate refuses', () => {
  const has = 'context.checks.contains("mail-inside")';
  const tag = 'context.args.hasTag("/to")';
  it.each([
    [permitWhen('context.breaker + 1 < 3'), 'arithmetic'],
    [permitWhen('context.depth * 2 < 3'), 'arithmetic'],
    [permitWhen('-context.depth < 3'), 'arithmetic'],
    [permitWhen('context has live'), 'optional-field'],
    [permitWhen('context.flow has argInteg'), 'optional-field'],
    [permitWhen('decimal("1.5").lessThan(decimal("2.0"))'), 'extension-type'],
    [permitWhen('ip("10.0.0.1").isLoopback()'), 'extension-type'],
    [permitWhen('datetime("2026-01-01") < datetime("2027-01-01")'), 'extension-type'],
    [permitWhen('duration("1d") < duration("2d")'), 'extension-type'],
    [forbidWhen(tag), 'absence-allows'],
    [forbidWhen(`!${tag}`), 'absence-allows'],
    [forbidWhen(has), 'absence-allows'],
    [forbidUnless(`!${tag}`), 'absence-allows'],
    [forbidUnless(`!${has}`), 'absence-allows'],
    [forbidUnless(`${has} == false`), 'absence-allows'],
    [permitWhen(`!${has}`), 'absence-allows'],
    [permitUnless(has), 'absence-allows'],
    [permitUnless(tag), 'absence-allows'],
    [permitWhen(`if ${tag} then false else true`), 'absence-allows'],
    [permitWhen('context.args.hasTag(context.http.method)'), 'not-literal'],
    [permitWhen('context.args.hasTag("to")'), 'not-literal'],
    [permitWhen('context.checks == ["mail-inside"]'), 'not-literal'],
    [permitWhen('{ a: context.checks }.a.contains("mail-inside")'), 'not-literal'],
    [permitWhen('["mail-inside"].containsAll(context.checks)'), 'not-literal'],
    [permitWhen('context.checks.isEmpty()'), 'not-literal'],
    ['@bites("65536") permit (principal, action, resource);', 'annotation-unknown'],
    ['@__proto__("x") permit (principal, action, resource);', 'annotation-unknown'],
    ['@bytes("many") permit (principal, action, resource);', 'annotation-invalid'],
    ['@rate("0/1m") permit (principal, action, resource);', 'annotation-invalid'],
    ['@durable("maybe") permit (principal, action, resource);', 'annotation-invalid'],
    ['@bytes("1") forbid (principal, action, resource);', 'annotation-misplaced'],
    ['@code("flow-R0") forbid (principal, action, resource);', 'annotation-misplaced'],
    ['permit (principal == ?principal, action, resource);', 'syntax'],
    ['permit (principal, action, resource)', 'syntax'],
    ['permit (principal, action, resource); forbid (principal, action, resource);', 'syntax'],
    [permitWhen('context.leaf'), 'validation'],
    [permitWhen('context.live == 1'), 'validation'],
    [permitWhen('context.http.method == "GET"'), 'validation'],
    ['permit (principal, action == Cordon::Action::"http.fly", resource);', 'validation'],
    ['permit (principal, action, resource in Cordon::Galaxy::"x");', 'validation'],
    ['permit (principal, action == Cordon::Action::"http.request", resource == Cordon::Tool::"x");', 'validation'],
    [permitWhen('context.args.getTag("/to").contains("x")'), 'validation'],
    [permitWhen('context.effect == Cordon::Effect::"raed"'), 'validation'],
    // A warning of Cedar: mixed scripts in one word, which a reader takes for another word.
    [permitWhen('resource == Cordon::Agent::"exаmple"'), 'validation'],
    [permitWhen(Array(200).fill('context.live').join(' && ')), 'too-deep'],
  ])('%s: %s', (text, code) => {
    expect(codesOf(text, 'tenant/x', ['mail-inside'])).toContain(code);
  });

  it('a check that nobody knows', () => {
    expect(codesOf(permitWhen('context.checks.contains("other")'), 'tenant/x', ['mail-inside'])).toEqual([
      'check-unknown',
    ]);
  });

  it.each(['x', 'session/x', 'tenant', 'tenant/', 'tenant/a b', 'tenant/../x/', 'tenant/a/b/c/d/e', 'tenant/x\n'])(
    'the id %j',
    (id) => {
      expect(codesOf('permit (principal, action, resource);', id)).toEqual(['id-invalid']);
    },
  );

  it('texts and layers that are too long', () => {
    expect(codesOf(`permit (principal, action, resource);${' '.repeat(20_000)}`)).toEqual(['policy-too-long']);
    const many = Object.fromEntries(
      Array.from({ length: 2001 }, (_, index) => [`tenant/${index}`, 'permit (principal, action, resource);']),
    );
    expect(compileLayer(engine, { name: 'tenant', policies: many })).toMatchObject({
      ok: false,
      problems: [{ code: 'too-many' }],
    });
  });
});

describe('problems', () => {
  it('say where in the policy', () => {
    const result = compileLayer(engine, {
      name: 'tenant',
      policies: { 'tenant/x': '// ä\npermit (principal, action, resource)\nwhen { context.leaf };' },
    });
    expect(result).toMatchObject({ ok: false, problems: [{ file: 'tenant/x', line: 3, column: 8 }] });
  });
});
