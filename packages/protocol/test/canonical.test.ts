import { describe, expect, it } from 'vitest';
import { digestRecord } from '../src/digest.ts';
import { canonicalize, type RecordValue, sealRecord } from '../src/index.ts';

const bytesOf = (text: string) => [...new TextEncoder().encode(text)];

describe('canonical JSON', () => {
  // RFC 8785 §3.2.2–3.2.4, its one example less the numbers that a record may not hold.
  it('writes the example of the RFC, byte for byte', () => {
    const example = JSON.parse(
      '{"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    ) as RecordValue;
    const canonical = canonicalize(example);
    expect(canonical).toBe('{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}');
    const expected =
      '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d';
    expect(Buffer.from(canonical).toString('hex')).toBe(expected);
  });

  // RFC 8785 §3.2.3: keys are sorted by UTF-16 code unit, so a surrogate pair stands before U+FB33.
  it('sorts the keys of the RFC', () => {
    const unsorted = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(Object.values(JSON.parse(canonicalize(unsorted)) as Record<string, string>).sort()).toEqual(
      Object.values(unsorted).sort(),
    );
    const order = [...canonicalize(unsorted).matchAll(/:"([^"]+)"/g)].map((match) => match[1]);
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  // RFC 8785 §3.2.2.2: the short escapes, lower-case hexadecimal for other controls, everything else as it is.
  it('escapes as the RFC says', () => {
    expect(canonicalize('\b\t\n\f\r"\\\u0000\u001f\u007f/\u2028')).toBe(
      '"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f\u007f/\u2028"',
    );
    expect(bytesOf(canonicalize('\u{1f600}é'))).toEqual([0x22, 0xf0, 0x9f, 0x98, 0x80, 0xc3, 0xa9, 0x22]);
  });

  // RFC 8785 appendix B, the rows that are integers.
  it.each<[number, string]>([
    [0, '0'],
    [9007199254740991, '9007199254740991'],
    [-9007199254740991, '-9007199254740991'],
    [1e15, '1000000000000000'],
  ])('writes %d as %s', (value, text) => {
    expect(canonicalize(value)).toBe(text);
  });

  it('nests, keeps the order of arrays, and does not normalise', () => {
    expect(canonicalize({ b: [3, 1, { z: null, a: true }], a: {} })).toBe('{"a":{},"b":[3,1,{"a":true,"z":null}]}');
    expect(canonicalize({ é: 1, 'e\u0301': 2 })).toBe('{"e\u0301":2,"é":1}');
  });

  // Names that look like indices stand in numeric order in an object, whatever order they were written in.
  it.each<RecordValue>([
    { '9': 1, '10': 2 },
    { a: 1, b: [{ '9': 1, '10': 2 }], '\uffff': 1, '\ud83d\ude00': 2 },
    { b: 1, a: sealRecord({ d: 1, c: 2 }) },
  ])('writes what is in order already as what is not (%#)', (value) => {
    const sorted = (part: RecordValue): string =>
      typeof part !== 'object' || part === null
        ? JSON.stringify(part)
        : Array.isArray(part)
          ? `[${part.map(sorted).join(',')}]`
          : `{${Object.entries(part)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([name, member]) => `${JSON.stringify(name)}:${sorted(member as RecordValue)}`)
              .join(',')}}`;
    expect(canonicalize(value)).toBe(sorted(value));
    expect(canonicalize(JSON.parse(sorted(value)) as RecordValue)).toBe(sorted(value));
  });

  it.each<[string, unknown]>([
    ['a float', 0.5],
    ['minus zero', -0],
    ['an integer that is not safe', 2 ** 53],
    ['infinity', Number.POSITIVE_INFINITY],
    ['no number', Number.NaN],
    ['nothing', undefined],
    ['a function', () => 1],
    ['a bigint', 1n],
    ['a symbol', Symbol('x')],
    ['half a surrogate pair', '\ud800'],
    ['half a surrogate pair as a key', { '\udc00': 1 }],
    ['nothing in an object', { a: undefined }],
    ['nothing in an array', [undefined]],
  ])('refuses %s', (_, value) => {
    expect(() => canonicalize(value as RecordValue)).toThrow(expect.objectContaining({ code: 'not-canonical' }));
  });
});

describe('a digest', () => {
  it('has the domain of its kind in it', () => {
    // printf 'cordon/intent/1\n{"a":1}' | sha256sum
    expect(digestRecord('intent', { a: 1 })).toBe(
      'sha256:0ece6a66d7aaefcc841aca2194828cd87230404150b7f7c03b4d4009a657f14f',
    );
    expect(digestRecord('facts', { a: 1 })).not.toBe(digestRecord('intent', { a: 1 }));
  });
});

describe('a sealed record', () => {
  const make = () => ({ b: ['x', { deep: [1] }], a: { c: null } });

  it('has the text of the record, alone and inside of another', () => {
    const sealed = sealRecord(make());
    expect(canonicalize(sealed)).toBe(canonicalize(make()));
    expect(canonicalize({ z: 1, sealed })).toBe(canonicalize({ z: 1, sealed: make() }));
    expect(Object.keys(sealed)).toEqual(['b', 'a']);
    expect(sealed).toEqual(make());
  });

  // A text that outlived a change would let bytes be performed that were never decided about.
  it('cannot change, at any depth', () => {
    const sealed = sealRecord(make());
    expect(() => Object.assign(sealed, { a: 1 })).toThrow(TypeError);
    expect(() => Object.assign(sealed.a, { c: 1 })).toThrow(TypeError);
    expect(() => sealed.b.push('y')).toThrow(TypeError);
    expect(() => (sealed.b[1] as { deep: number[] }).deep.push(2)).toThrow(TypeError);
  });

  it('does not pass its text on to a copy that was changed', () => {
    const sealed = sealRecord(make());
    expect(canonicalize({ ...sealed, a: { c: 'other' } })).toBe('{"a":{"c":"other"},"b":["x",{"deep":[1]}]}');
    expect(canonicalize(structuredClone(sealed))).toBe(canonicalize(make()));
    expect(canonicalize(Object.create(sealed) as RecordValue)).toBe('{}');
  });

  it('has one digest for each kind, and a changed copy has its own', () => {
    const sealed = sealRecord(make());
    for (const kind of ['intent', 'facts', 'intent'] as const) {
      expect(digestRecord(kind, sealed)).toBe(digestRecord(kind, make()));
    }
    const changed = { ...make(), a: { c: 'other' } };
    expect(digestRecord('intent', { ...sealed, a: { c: 'other' } })).toBe(digestRecord('intent', changed));
    expect(digestRecord('intent', { ...sealed, a: { c: 'other' } })).not.toBe(digestRecord('intent', sealed));
  });

  it('refuses what a record may not hold', () => {
    expect(() => sealRecord({ deep: [0.5] })).toThrow('safe integers');
  });
});
