import type { CriticalType } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import { readCritical } from '../src/critical/read.ts';
import { canonicalValue } from '../src/critical/value.ts';
import type { Json } from '../src/json/value.ts';

type Row = readonly [type: CriticalType, given: Json, canonical: string];

const canonical: readonly Row[] = [
  ['url', 'https://a.example/x?y=1', 'https://a.example/x?y=1'],
  ['url', 'HTTPS://A.Example:443', 'https://a.example/'],
  ['origin', 'https://A.example', 'https://a.example:443'],
  ['email', 'Boss@ACME.example', 'Boss@acme.example'],
  ['path', 'src/main.ts', 'src/main.ts'],
  ['argv', ['git', 'push'], '["git","push"]'],
  ['money', 1250, '1250'],
  ['iban', 'DE89370400440532013000', 'DE89370400440532013000'],
  ['phone', '+4930123456', '+4930123456'],
  ['id', 'C024BE91L', 'C024BE91L'],
  ['id', 'команда', 'команда'],
];

/** With the form that is named as the next step; null: there is none. */
const refused: ReadonlyArray<readonly [type: CriticalType, given: Json, mend: string | null]> = [
  ['url', 'https://user@a.example/', null],
  ['url', 'https://a.example/a/../b', 'https://a.example/b'],
  ['url', 'https://a.example/%61', 'https://a.example/a'],
  ['url', 'https:\\\\a.example', null],
  ['url', 'javascript:alert(1)', null],
  ['origin', 'https://a.example/path', null],
  ['email', '"boss"@acme.example', null],
  ['email', 'Boss <boss@acme.example>', null],
  ['email', 'boss(home)@acme.example', null],
  ['email', 'boss%evil.example@acme.example', null],
  ['email', 'evil!boss@acme.example', null],
  ['email', 'a@b.example,c@d.example', null],
  ['email', 'team: a@b.example;', null],
  ['email', 'boss@bücher.example', 'boss@xn--bcher-kva.example'],
  ['email', 'boss@127.0.0.1', null],
  ['path', '../etc/passwd', null],
  ['path', 'a/./b', 'a/b'],
  ['path', 'a//b', 'a/b'],
  ['path', 'a\0b', null],
  ['argv', 'rm -rf /', null],
  ['argv', [], null],
  ['argv', ['a', 1], null],
  ['money', 12.5, null],
  ['money', '12', null],
  ['money', -1, null],
  ['iban', 'DE88370400440532013000', null],
  ['iban', 'de89 3704 0044 0532 0130 00', 'DE89370400440532013000'],
  ['phone', '030 123456', null],
  ['phone', '+49 (30) 123-456', '+4930123456'],
  ['id', 'аdmin', null],
  ['id', 'раураӏ', null],
  ['id', 'сосо', null],
  ['id', 'ad\u200bmin', null],
  ['id', '\u202enimda', null],
  ['id', 'ａdmin', 'admin'],
  ['id', '', null],
  ['id', 42, null],
];

describe('a critical argument', () => {
  it.each(canonical)('%s %j is read as %s', (type, given, value) => {
    expect(canonicalValue(type, given)).toMatchObject({ ok: true, value });
  });

  it.each(refused)('%s %j is refused, with the form that would do: %j', (type, given, mend) => {
    expect(canonicalValue(type, given)).toMatchObject({ ok: false, code: 'critical-not-canonical', mend });
  });

  it('has one canonical form: it is read as itself', () => {
    for (const [type, given] of canonical) {
      const read = canonicalValue(type, given);
      if (!read.ok) throw new TypeError(type);
      const again =
        type === 'money' ? Number(read.value) : type === 'argv' ? (JSON.parse(read.value) as Json) : read.value;
      expect(canonicalValue(type, again)).toMatchObject({ ok: true, value: read.value });
    }
  });

  it('is at most so long', () => {
    expect(canonicalValue('id', 'a'.repeat(257)).ok).toBe(false);
    expect(canonicalValue('url', `https://a.example/${'a'.repeat(2100)}`).ok).toBe(false);
    expect(canonicalValue('argv', ['a'.repeat(2100)]).ok).toBe(false);
  });
});

describe('the critical arguments of a body', () => {
  const rules = [
    { at: '/to/*', type: 'email' as const, among: ['@acme.example'] },
    { at: '/amount', type: 'money' as const, among: [] },
  ];
  const read = (text: string) => readCritical(rules, Buffer.from(text));

  it('are all values at each place, once, sorted; amounts also as numbers', () => {
    const found = read('{"to":["b@acme.example","a@acme.example","b@acme.example"],"amount":7}');
    expect(found).toMatchObject({
      ok: true,
      args: { '/to/*': ['a@acme.example', 'b@acme.example'], '/amount': ['7'] },
      nums: { '/amount#min': 7, '/amount#max': 7 },
    });
  });

  it.each([
    ['no JSON', 'to=a@acme.example'],
    ['a key twice', '{"to":["a@acme.example"],"to":["e@evil.example"]}'],
    ['a key twice, once escaped', '{"to":["a@acme.example"],"\\u0074o":["e@evil.example"]}'],
    ['none of them', '{"subject":"hi"}'],
    ['a list where a text is expected', '{"to":[["a@acme.example"]]}'],
    ['one of many not canonical', '{"to":["a@acme.example","x"]}'],
    ['a float', '{"to":["a@acme.example"],"amount":1.5}'],
    ['too many', JSON.stringify({ to: Array.from({ length: 65 }, (_, n) => `a${n}@acme.example`) })],
  ])('are refused where there is %s', (_what, text) => {
    expect(read(text)).toMatchObject({ ok: false, code: 'critical-not-canonical' });
  });

  it('are not looked for where nothing is critical', () => {
    expect(readCritical([], Buffer.from('no json'))).toMatchObject({ ok: true, values: [] });
  });
});
