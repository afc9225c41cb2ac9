import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLabel, digestLabel, isSameLevel, joinLabels, type Label, lostLabel, parseLabel } from '../src/index.ts';
import { limits } from '../src/limits.ts';

const names = fc.array(fc.constantFrom('ada', 'bob', 'eve', 'root', 'zoe'), { maxLength: 5 });
const label: fc.Arbitrary<Label> = fc
  .record({
    integrity: fc.constantFrom(0, 1, 2, 3, 4),
    confidentiality: fc.constantFrom(0, 1, 2, 3),
    readers: fc.oneof(fc.constant('all' as const), names),
    sources: fc.array(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 100 }),
  })
  .map((parts) => createLabel(parts as Parameters<typeof createLabel>[0]));

function isSubset(a: Label['readers'], b: Label['readers']): boolean {
  return b === 'all' || (a !== 'all' && a.every((reader) => b.includes(reader)));
}

describe('the join of labels', () => {
  it('is commutative, associative and idempotent, digest for digest', () => {
    fc.assert(
      fc.property(label, label, label, (a, b, c) => {
        expect(digestLabel(joinLabels(a, b))).toBe(digestLabel(joinLabels(b, a)));
        expect(digestLabel(joinLabels(a, joinLabels(b, c)))).toBe(digestLabel(joinLabels(joinLabels(a, b), c)));
        expect(digestLabel(joinLabels(a, a))).toBe(digestLabel(a));
      }),
    );
  });

  it('is the label itself when the other adds nothing', () => {
    fc.assert(
      fc.property(label, label, (a, b) => {
        const joined = joinLabels(a, b);
        if (joined.sources.length < limits.labelSourcesMax) expect(joinLabels(joined, b)).toBe(joined);
        const adds = digestLabel(joined) !== digestLabel(a);
        if (adds) expect(joined).not.toBe(a);
        // A full list of sources drops what comes behind it, so there it may be an equal one.
        else if (a.sources.length < limits.labelSourcesMax) expect(joined).toBe(a);
      }),
    );
  });

  it('never raises: it is worth no more, and may be read by no more, than either', () => {
    fc.assert(
      fc.property(label, label, (a, b) => {
        const joined = joinLabels(a, b);
        for (const part of [a, b]) {
          expect(joined.integrity).toBeLessThanOrEqual(part.integrity);
          expect(joined.confidentiality).toBeGreaterThanOrEqual(part.confidentiality);
          expect(isSubset(joined.readers, part.readers)).toBe(true);
        }
      }),
    );
  });
});

describe('a label', () => {
  it('cannot be changed, and its lists are sorted, unique and bounded', () => {
    const many = Array.from({ length: 100 }, (_, n) => `s${String(n).padStart(3, '0')}`);
    const made = createLabel({
      integrity: 2,
      confidentiality: 1,
      readers: ['b', 'a', 'b'],
      sources: many.toReversed(),
    });
    expect(made.readers).toEqual(['a', 'b']);
    expect(made.sources).toEqual(many.slice(0, limits.labelSourcesMax));
    expect(() => Object.assign(made, { integrity: 4 })).toThrow(TypeError);
    expect(() => (made.sources as string[]).push('x')).toThrow(TypeError);
  });

  it('with more readers than are kept may be read by nobody', () => {
    const readers = Array.from({ length: limits.labelReadersMax + 1 }, (_, n) => `p${n}`);
    const parts = { integrity: 0, confidentiality: 2, sources: [] } as const;
    expect(createLabel({ ...parts, readers }).readers).toEqual([]);
    expect(createLabel({ ...parts, readers: readers.slice(1) }).readers).toHaveLength(limits.labelReadersMax);
  });

  it('is read back as it was written, and nothing else is one', () => {
    fc.assert(
      fc.property(label, (made) => {
        const read = parseLabel(JSON.parse(JSON.stringify(made)));
        expect(read === null ? null : digestLabel(read)).toBe(digestLabel(made));
      }),
    );
    const good = { v: 'label/1', integrity: 2, confidentiality: 1, readers: 'all', sources: [] };
    expect(parseLabel(good)).not.toBeNull();
    const broken: unknown[] = [
      null,
      'label/1',
      [],
      { ...good, v: 'label/2' },
      { ...good, integrity: 5 },
      { ...good, integrity: -1 },
      { ...good, integrity: 1.5 },
      { ...good, integrity: '4' },
      { ...good, confidentiality: 4 },
      { ...good, readers: 'everybody' },
      { ...good, readers: [1] },
      { ...good, readers: undefined },
      { ...good, sources: 'x' },
    ];
    for (const value of broken) expect(parseLabel(value), JSON.stringify(value)).toBeNull();
  });

  it('that was lost is untrusted, private and nobody’s', () => {
    expect(lostLabel).toMatchObject({ integrity: 0, confidentiality: 2, readers: [] });
    expect(isSameLevel(lostLabel, createLabel({ ...lostLabel, sources: ['other'] }))).toBe(true);
    expect(isSameLevel(lostLabel, createLabel({ ...lostLabel, readers: ['ada'] }))).toBe(false);
  });
});
