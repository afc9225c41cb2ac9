import type { Decision, RefusedRequest } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import { againText, Denials, denialOfDecision, denialOfRefusal, denialText, footer } from '../src/denial.ts';
import { painter } from '../src/text.ts';

const plain = painter(false);
const decision = (change: Partial<Decision> = {}): Decision => ({
  attempt: 'att_1',
  at: '2026-11-21T14:02:11.100Z',
  session: 'ses_a',
  agent: 'claude',
  action: 'http.request',
  resource: 'https://api.test:443',
  summary: 'POST https://api.test/upload',
  outcome: 'deny',
  code: 'no-grant',
  reasons: ['session'],
  next: ['cordon run --allow api.test/upload:POST', 'cordon policy explain att_1'],
  intent: 'sha256:0',
  generation: 1,
  revision: 1,
  status: null,
  bytesIn: null,
  bytesOut: null,
  result: null,
  ...change,
});
const refusal = (change: Partial<RefusedRequest> = {}): RefusedRequest => ({
  at: '2026-11-21T14:02:11.100Z',
  session: 'ses_a',
  code: 'head-too-large',
  detail: 'The head is over the limit.',
  channel: 'c1',
  resource: null,
  suppressed: 0,
  ...change,
});

describe('a denial, explained', () => {
  it('says what was tried, who said no and why, and what would allow it', () => {
    expect(denialText(denialOfDecision(decision()), plain)).toBe(
      [
        'POST https://api.test/upload  2026-11-21 14:02:11',
        "    no-grant: the session's own grants do not permit it (nothing forbids it)",
        '    → cordon run --allow api.test/upload:POST',
        '    → cordon policy explain att_1',
        '',
      ].join('\n'),
    );
  });

  it.each([
    [{ reasons: ['tenant'] }, "the tenant's policy does not permit it"],
    [{ reasons: ['session', 'tenant'] }, "the session's own grants and the tenant's policy do not permit it"],
    [
      { code: 'forbidden', reasons: ['tenant/no-paste'] },
      'a policy forbids it, and no grant lifts that: tenant/no-paste',
    ],
    [{ code: 'rate-limited', reasons: [] }, 'the rate of the grant was used up'],
    [{ code: 'of-tomorrow', reasons: ['x'] }, 'of-tomorrow: x'],
    [
      { outcome: 'allow' as const, code: 'allowed', result: 'address-forbidden', reasons: ['session/a/1'] },
      'address-forbidden: the address is private, of this host, or reserved; policy had allowed it',
    ],
  ])('in words: %j', (change, words) => {
    const text = denialText(denialOfDecision(decision({ next: [], ...change })), plain);
    expect(text).toContain(words);
    expect(text).toContain('→ cordon policy explain att_1');
  });

  it('of a request that was never decided says so', () => {
    expect(denialText(denialOfRefusal(refusal()), plain)).toBe(
      'refused before a decision  2026-11-21 14:02:11\n    head-too-large: The head is over the limit.\n',
    );
  });

  it('never lets the agent write to the terminal', () => {
    const text = denialText(denialOfDecision(decision({ summary: 'GET \u001b]52;c;QQ==\u0007\n\u202e' })), plain);
    for (const control of ['\u001b', '\u0007', '\u202e']) expect(text).not.toContain(control);
    expect(text.split('\n')[0]).toContain('\\u{1b}');
  });
});

describe('denials that repeat', () => {
  it('are one, counted, with the first and the last time; those that were only counted count too', () => {
    const denials = new Denials();
    expect(denials.add(denialOfDecision(decision())).fresh).toBe(true);
    const again = denials.add(denialOfDecision(decision({ attempt: 'att_2', at: '2026-11-21T14:05:40.000Z' })));
    expect(again).toMatchObject({ fresh: false, kept: { count: 2 } });
    expect(denialText(again.kept, plain)).toContain('×2, 2026-11-21 14:02:11 to 2026-11-21 14:05:40');
    expect(againText(again.kept, 1, plain)).toContain('again ×1 (2 in all): POST https://api.test/upload no-grant');
    expect(denials.add(denialOfDecision(decision({ session: 'ses_b' }))).fresh).toBe(true);
    expect(denials.add(denialOfDecision(decision({ reasons: ['tenant'] }))).fresh).toBe(true);
    denials.add(denialOfRefusal(refusal({ suppressed: 40 })));
    expect(
      denials
        .all()
        .map(({ count }) => count)
        .sort((a, b) => a - b),
    ).toEqual([1, 1, 2, 41]);
  });

  it('end with what to do: a suggestion only where a grant can mend something', () => {
    const mendable = footer([denialOfDecision(decision())]);
    expect(mendable).toContain('1 attempt, 1 different');
    expect(mendable).toContain('cordon policy suggest ses_a');
    expect(footer([denialOfRefusal(refusal())])).not.toContain('suggest');
    expect(footer([denialOfRefusal(refusal({ code: 'tls-client-refused' }))])).toContain('suggest ses_a');
    expect(footer([])).toBe('nothing was denied\n');
  });
});
