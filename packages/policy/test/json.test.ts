import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUnread, type Json, type JsonProfile, parseJson } from '../src/index.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const parse = (text: string, profile: JsonProfile = 'arguments') => parseJson(bytesOf(text), profile);
const codeOf = (text: string | Uint8Array, profile: JsonProfile = 'arguments') => {
  const result = parseJson(typeof text === 'string' ? bytesOf(text) : text, profile);
  return result.ok ? null : result.error.code;
};
/** Our objects have no prototype; apart from that they are what JSON.parse gives. */
const plain = (value: unknown) => JSON.stringify(value);

describe('strict JSON', () => {
  it.each([
    '{}',
    '[]',
    '""',
    '0',
    'true',
    'false',
    'null',
    ' [ 1 , {"a" : [ ] } ] \n',
    '{"a":{"b":[1,-1,0.5,1e3,1E-2,1.50]}}',
    '"\\u0041\\n\\t\\"\\\\\\/\\b\\f\\r"',
    '"\\ud83d\\ude00"',
    '"😀ä\u2028"',
    '9007199254740991',
    '-9007199254740991',
    '0.1',
    '1.0',
    '100e-2',
    '0e99',
    '0.000001',
    '{"__proto__":{"x":1},"constructor":2,"":3}',
    '{"10":1,"2":2,"a":3}',
  ])('reads %s as JSON.parse does', (text) => {
    for (const profile of ['arguments', 'document'] as const) {
      const result = parse(text, profile);
      expect(result.ok && plain(result.value)).toBe(plain(JSON.parse(text)));
    }
  });

  it('keeps __proto__ as an ordinary key', () => {
    const result = parse('{"__proto__":{"admin":true}}');
    const value = (result.ok ? result.value : {}) as Record<string, Json>;
    expect(Object.getPrototypeOf(value)).toBe(null);
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(value['admin']).toBe(undefined);
  });

  it.each([
    ['', 0],
    [' ', 1],
    ['{', 1],
    ['[', 1],
    ['[1,]', 3],
    ['[,1]', 1],
    ['[1 2]', 3],
    ['{"a"}', 4],
    ['{"a":}', 5],
    ['{"a":1,}', 7],
    ['{a:1}', 1],
    ["{'a':1}", 1],
    ['{"a":1 "b":2}', 7],
    ['01', 0],
    ['+1', 0],
    ['.5', 0],
    ['1.', 0],
    ['1e', 0],
    ['-', 0],
    ['--1', 0],
    ['NaN', 0],
    ['Infinity', 0],
    ['tru', 0],
    ['nulL', 0],
    ['"a', 2],
    ['"\n"', 1],
    ['"\\x"', 1],
    ['"\\u12"', 1],
    ['"\\u12G4"', 1],
    ['// c\n1', 0],
    ['\u00a01', 0],
    ['ä', 0],
  ])('refuses %j at byte %i', (text, offset) => {
    for (const profile of ['arguments', 'document'] as const) {
      const result = parse(text, profile);
      expect(result).toMatchObject({ ok: false, error: { code: 'json-syntax', offset } });
    }
  });

  it('counts bytes, not characters', () => {
    expect(parse('["ä😀", x]')).toMatchObject({ ok: false, error: { offset: 11 } });
    expect(parseJson(new Uint8Array([0x5b, 0x22, 0x61, 0xff, 0x22, 0x5d]), 'document')).toMatchObject({
      error: { code: 'json-utf8', offset: 3 },
    });
  });

  it.each([
    ['{"a":1,"a":2}', 'json-duplicate-key'],
    ['{"a":1,"\\u0061":2}', 'json-duplicate-key'],
    ['{"__proto__":1,"__proto__":2}', 'json-duplicate-key'],
    ['[{"b":{"x":1,"x":1}}]', 'json-duplicate-key'],
    ['1 2', 'json-trailing'],
    ['{} x', 'json-trailing'],
    ['1\0', 'json-trailing'],
  ])('refuses %s: %s', (text, code) => {
    expect(codeOf(text)).toBe(code);
    expect(codeOf(text, 'document')).toBe(code);
  });

  it('refuses a byte order mark and bytes that are no UTF-8', () => {
    expect(codeOf(new Uint8Array([0xef, 0xbb, 0xbf, 0x31]), 'document')).toBe('json-bom');
    for (const bad of [
      [0x80],
      [0xc0, 0xaf],
      [0xe0, 0x80, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xf0, 0x9f, 0x98],
    ]) {
      expect(codeOf(new Uint8Array([0x22, ...bad, 0x22]), 'document')).toBe('json-utf8');
    }
  });

  it.each([
    ['-0', 'json-number'],
    ['-0.0e5', 'json-number'],
    ['9007199254740992', 'json-number'],
    ['9007199254740993', 'json-number'],
    ['1e300', 'json-number'],
    ['1e400', 'json-number'],
    ['1e-400', 'json-number'],
    ['0.1000000000000000055', 'json-number'],
    ['3.14159265358979323846', 'json-number'],
    ['1e99999999999999999999', 'json-number'],
    ['"\\ud800"', 'json-surrogate'],
    ['"\\ude00\\ud83d"', 'json-surrogate'],
    ['{"\\ud800":1}', 'json-surrogate'],
  ])('%s has no reading that all share: %s in arguments, unread in a document', (text, code) => {
    expect(codeOf(text)).toBe(code);
    const result = parse(`[1,${text}]`, 'document');
    const value = result.ok ? (result.value as readonly Json[])[1] : undefined;
    expect(isUnread(value) && value.why).toBe(code);
  });

  it('has limits of depth, members and bytes', () => {
    const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect([codeOf(deep(32)), codeOf(deep(33))]).toEqual([null, 'json-depth']);
    expect([codeOf(deep(64), 'document'), codeOf(deep(65), 'document')]).toEqual([null, 'json-depth']);
    expect(codeOf('['.repeat(1_000_000), 'document')).toBe('json-depth');
    const wide = (count: number) => `[${Array(count).fill('1').join(',')}]`;
    expect([codeOf(wide(9999)), codeOf(wide(10_000))]).toEqual([null, 'json-nodes']);
    expect([codeOf(`"${'a'.repeat(256 * 1024 - 2)}"`), codeOf(`"${'a'.repeat(256 * 1024 - 1)}"`)]).toEqual([
      null,
      'json-bytes',
    ]);
    expect(parseJson(bytesOf('[1,2]'), 'document', { bytesMax: 4 })).toMatchObject({
      error: { code: 'json-bytes', offset: 4 },
    });
  });

  it('agrees with JSON.parse on whatever it accepts', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6, noUnicodeString: false }), (text) => {
        const result = parse(text);
        if (result.ok) expect(plain(result.value)).toBe(plain(JSON.parse(text)));
        else expect(['json-number', 'json-surrogate']).toContain(result.error.code);
      }),
      { numRuns: 3000 },
    );
  });

  it('accepts nothing that JSON.parse refuses, and reads all else alike', () => {
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '"b"',
      '"\\u0061"',
      '1',
      '-0',
      '1e2',
      '0.5',
      'true',
      'null',
      ' ',
      '"',
      '\\',
      'x',
      '\u0000',
      'é',
      '01',
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(token, { maxLength: 9 }), (tokens) => {
        const text = tokens.join('');
        const result = parse(text);
        if (!result.ok) return;
        accepted++;
        expect(plain(result.value)).toBe(plain(JSON.parse(text)));
      }),
      { numRuns: 40_000, seed: 7 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('never throws on bytes, and ends within them', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.constantFrom<JsonProfile>('arguments', 'document'),
        (bytes, profile) => {
          const result = parseJson(bytes, profile);
          if (!result.ok) expect(result.error.offset).toBeLessThanOrEqual(bytes.length);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
