import { isDeepStrictEqual } from 'node:util';
import { parseJson } from '../../packages/policy/src/json/parse.ts';
import { must, type Target, text } from '../engine/target.ts';

export const target: Target = {
  name: 'json',
  about: 'JSON that an agent sends, as policy reads it',
  oracle:
    'what is accepted is what JSON.parse reads, and written again it is accepted as the same; what JSON.parse refuses is refused',
  lengthMax: 512,
  shortRuns: 30_000,
  dictionary: [
    '"__proto__":',
    '\\ud800',
    '\\u0000',
    '1e400',
    '-0',
    '0.1',
    'true',
    'null',
    '[[',
    '{"a":',
    ',',
    '\ufeff',
    '9007199254740993',
  ],
  seeds: () =>
    ['{"a":[1,2.5,"x\\u00e9"],"b":{"c":null,"d":true}}', '[]', '-1.5e3', '"\\ud83d\\ude00"', '{"a":1,"a":2}'].map(text),
  run(input, feedback) {
    for (const profile of ['arguments', 'document'] as const) {
      const read = parseJson(input, profile);
      feedback.note(read.ok ? `${profile} ok` : `${profile} ${read.error.code}`);
      if (!read.ok) {
        must(read.error.offset >= 0 && read.error.offset <= 1 << 30, 'a problem that is nowhere', read.error);
        continue;
      }
      const bytes = Buffer.from(input);
      must(Buffer.from(bytes.toString('utf8')).equals(bytes), 'accepted, but not UTF-8');
      const other: unknown = JSON.parse(bytes.toString('utf8'));
      // In a document odd values are kept as "not read" and never compared.
      if (profile === 'document') continue;
      must(isDeepStrictEqual(plain(read.value), plain(other)), 'JSON.parse reads another value', read.value, other);
      const again = parseJson(Buffer.from(JSON.stringify(other)), profile);
      must(again.ok && isDeepStrictEqual(plain(again.value), plain(other)), 'written again, another value', again);
    }
  },
};

/** Without prototypes, which differ by design. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  return Object.entries(value).map(([name, member]) => [name, plain(member)]);
}
