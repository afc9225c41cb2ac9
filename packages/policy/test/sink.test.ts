import type { Intent } from '@cordon/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGrants, type Grant, sinksOf } from '../src/index.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const part = fc.constantFrom('a', 'b', 'ab', 'a*b', 'x.y', '1:a');
const pattern = fc
  .tuple(
    fc.array(
      fc.oneof(
        part.map((text) => text.replaceAll('*', '\\*')),
        fc.constant('*'),
      ),
      { maxLength: 3 },
    ),
    fc.boolean(),
  )
  .map(([parts, below]) => `/${[...parts, ...(below ? ['**'] : [])].join('/')}`);
const grant: fc.Arbitrary<Grant> = fc
  .record(
    {
      allow: fc
        .tuple(
          fc.constantFrom('', 'http://', 'wss://'),
          fc.constantFrom('a.example', '*.a.example', 'b.a.example:8443'),
          pattern,
        )
        .map((parts) => parts.join('')),
      methods: fc.subarray(['GET', 'POST', 'DELETE'], { minLength: 1 }),
      websocket: fc.constant(true),
    },
    { requiredKeys: ['allow'] },
  )
  .map(({ allow, methods, websocket }) =>
    allow.startsWith('wss:') ? { allow } : { allow, ...(methods && { methods }), ...(websocket && { websocket }) },
  );
const asked: fc.Arbitrary<Intent> = fc
  .record({
    origin: fc.constantFrom(
      ...['https://a.example:443', 'http://a.example:80', 'https://b.a.example:443', 'https://b.a.example:8443'],
      'https://c.b.a.example:443',
    ),
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'),
    path: fc
      .array(fc.oneof(part, fc.constant('')), { maxLength: 4 })
      .map((parts) => `/${parts.filter((p, i) => p !== '' || i === parts.length - 1).join('/')}`),
    action: fc.constantFrom('http.request' as const, 'http.upgrade' as const),
  })
  .map(({ origin, method, path, action }) => intentOf(origin, method, path, { action }));

describe('what a grant says of labels', () => {
  it('speaks of a request exactly where its permit does, as Cedar reads it', () => {
    let permitted = 0;
    fc.assert(
      fc.property(grant, fc.array(asked, { minLength: 20, maxLength: 40 }), (each, intents) => {
        const compiled = compileGrants([each], { layer: 'session', source: 'test' });
        if (!compiled.ok) return;
        const snapshot = snapshotOf(engine, { session: compiled.policies, origins: compiled.origins });
        for (const intent of intents) {
          // Nothing else stands in the way: what is denied has no permit.
          const allowed = decide(snapshot, intent).outcome === 'allow';
          if (allowed) permitted += 1;
          expect(
            sinksOf(snapshot, intent).length > 0,
            `${JSON.stringify(each)} ${intent.resource} ${JSON.stringify(intent.args)}`,
          ).toBe(allowed);
        }
      }),
      { numRuns: 150 },
    );
    expect(permitted).toBeGreaterThan(50);
  }, 60_000);
});
