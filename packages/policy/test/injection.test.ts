import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalPath, compileGrants, compileLayer, type Grant, suggestGrant } from '../src/index.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();

/** What would end a string, a clause, a comment or a policy if it ever reached Cedar unescaped. */
const hostile = fc.constantFrom(
  '"',
  '\\',
  '\\"',
  '\n',
  '\r',
  '//',
  '/*',
  ';',
  ') ;',
  '{',
  '}',
  ' || true',
  '*',
  '\\*',
  '%22',
  '%5C',
  '\u2028',
  '\u0000',
  '\\u{22}',
  '"); permit(principal, action, resource);//',
  '@',
  ':',
  '?principal',
);
const word = fc.constantFrom(
  'a',
  'api.example.com',
  '*.',
  'v1',
  '/',
  '**',
  'http://',
  'wss://',
  'tcp://',
  'tls://',
  ':8443',
  'GET',
  '10.0.0.0/8',
  '64KiB',
);
const text = fc.array(fc.oneof(hostile, word), { maxLength: 6 }).map((parts) => parts.join(''));
const target = fc.oneof(
  text,
  fc
    .tuple(fc.constantFrom('api.example.com', '*.example.com', 'http://x.example:81', 'wss://x.example'), text)
    .map(([host, path]) => `${host}/${path}`),
  fc.tuple(fc.constantFrom('tcp://db.example:5432', 'tls://x.example'), text).map(([host, more]) => `${host}${more}`),
);
const method = fc.oneof(fc.constantFrom('GET', 'POST', 'M-SEARCH'), text);
const grant: fc.Arbitrary<Grant> = fc
  .tuple(fc.boolean(), target, fc.option(fc.array(method, { maxLength: 3 })), text, fc.boolean(), fc.boolean())
  .map(
    ([allow, where, methods, odd, plain, websocket]): Grant => ({
      ...(allow && websocket ? { websocket } : {}),
      ...(allow ? { allow: where } : { deny: where }),
      ...(methods === null ? {} : { methods }),
      ...(plain ? {} : { limits: { rate: odd, bytes: odd }, addresses: [odd] }),
    }),
  );

describe('a grant of hostile text', () => {
  it('is refused, or is policies of the effect and the place that it says', () => {
    let compiled = 0;
    fc.assert(
      fc.property(grant, text, fc.nat(), (given, source, line) => {
        const result = compileGrants([{ ...given, line }], { layer: 'session', source });
        if (!result.ok) return;
        const [[id] = [''], ...more] = Object.entries(result.policies);
        // A deny that says how, and a grant with WebSockets, have one more each.
        expect(more.map(([name]) => name.slice(id.length))).toEqual(
          more.length === 0 ? [] : [given.deny === undefined ? '-websocket' : '-tunnel'],
        );
        for (const cedar of Object.values(result.policies)) {
          const parts = engine.split(cedar);
          expect(parts).toMatchObject({ type: 'success', policies: [expect.any(String)], policy_templates: [] });
          const parsed = engine.toJson(cedar);
          if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed));
          const { effect, principal, action, resource, annotations, conditions } = parsed.json;
          expect(effect).toBe(given.deny === undefined ? 'permit' : 'forbid');
          expect(principal).toEqual({ op: 'All' });
          expect(action.op).not.toBe('All');
          expect(resource.op).not.toBe('All');
          expect(annotations?.['source']).toBe(`${source}:${line}`);
          expect(conditions.length).toBeLessThanOrEqual(1);
          expect(JSON.stringify(conditions)).not.toContain('"||"');
        }
        // And the load gate takes it: nothing in it is of a kind that the gate refuses.
        if (compiled < 150 && /^session\/[A-Za-z0-9._:@+-]+\/1$/.test(id)) {
          expect(compileLayer(engine, { name: 'session', policies: result.policies })).toMatchObject({ ok: true });
        }
        compiled += 1;
      }),
      { numRuns: 6_000 },
    );
    expect(compiled).toBeGreaterThan(50);
  });
});

describe('the command that a refusal proposes', () => {
  it('is, pasted into a shell, one call with one target, whatever path the agent chose', () => {
    const character = fc.constantFrom(
      ...';$&()`|<>*?!~#{}[]\'"\\ %\n=^:,@',
      '$(id)',
      '`id`',
      ';id',
      "';id;'",
      'a',
      '/b',
    );
    const snapshot = snapshotOf(engine, { session: {} });
    const proposed: { step: string; grant: string }[] = [];
    fc.assert(
      fc.property(fc.array(character, { maxLength: 6 }), fc.constantFrom('GET', 'POST'), (parts, method) => {
        const path = canonicalPath(`/${parts.join('')}`);
        if (!path.ok) return;
        const intent = intentOf('https://api.example.com:443', method, path.path);
        const grant = suggestGrant(intent);
        const step = decide(snapshot, intent).nextSteps[0] ?? '';
        if (grant === null) expect(step).not.toContain('--allow');
        else proposed.push({ step, grant });
      }),
      { numRuns: 1_000 },
    );
    expect(proposed.length).toBeGreaterThan(100);
    // `cordon` only prints what it was called with; anything else that ran would print or fail.
    const script = `set -eu; cordon() { printf '%s\\0' "$#" "$@"; }\n${proposed.map(({ step }) => step).join('\n')}\n`;
    const called = execFileSync('/bin/sh', ['-c', script], { env: { PATH: '/nowhere' } }).toString();
    expect(called).toBe(proposed.map(({ grant }) => `3\0run\0--allow\0${grant}\0`).join(''));
  });
});
