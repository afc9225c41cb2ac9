import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createScrubStream, LeaseSet, Scrubber, Secret, type SecretForm } from '../src/index.ts';

const value = 'sk/live+0123=&<é>"quote\\ end'.replace('é', 'e');
const other = 'ghp_ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';
const leases = (values: Record<string, string>): LeaseSet =>
  new LeaseSet(new Map(Object.entries(values).map(([name, text]) => [name, Secret.from(text)])));

function scrub(
  text: string | Buffer,
  values: Record<string, string> = { key: value },
  cuts: readonly number[] = [],
): { out: string; forms: SecretForm[] } {
  const bytes = Buffer.from(text as string, 'latin1');
  const scrubber = new Scrubber(leases(values));
  const edges = [0, ...cuts, bytes.length];
  const parts = edges.slice(1).map((edge, i) => scrubber.push(bytes.subarray(edges[i], edge)));
  parts.push(scrubber.end());
  return { out: Buffer.concat(parts).toString('latin1'), forms: scrubber.hits.map((hit) => hit.form) };
}

const b64 = (before: string, text: string, after: string): string =>
  Buffer.from(before + text + after).toString('base64');
const percentAll = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const reflections: Array<[SecretForm, string]> = [
  ['raw', value],
  ['json', JSON.stringify(value)],
  ['json', JSON.stringify(value).replaceAll('/', '\\/')],
  ['json', JSON.stringify(value).replace(/[<>&'+=]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)],
  ['percent', encodeURIComponent(value)],
  ['percent', encodeURIComponent(value).replace(/%../g, (triplet) => triplet.toLowerCase())],
  ['percent', encodeURIComponent(value).replaceAll('%20', '+')],
  ['percent', encodeURIComponent(value).replaceAll('%2F', '/')],
  ['percent', percentAll(value)],
  ['percent', percentAll(value).toUpperCase()],
  ...['', 'u', 'us', 'user:', 'x:y'].flatMap(
    (before): Array<[SecretForm, string]> => [
      ['base64', b64(before, value, '')],
      ['base64', b64(before, value, 'z')],
      ['base64', b64(before, value, '\n')],
    ],
  ),
  ['hex', Buffer.from(value).toString('hex')],
  ['hex', Buffer.from(value).toString('hex').toUpperCase()],
];

test('of two secrets of which one begins with the other, no tail of the longer one is left', () => {
  const longer = `${other}-and-more`;
  expect(scrub(`<${longer}>`, { short: other, long: longer }).out).toBe('<cordon:secret:long>');
  expect(scrub(`<${other}>`, { short: other, long: longer }).out).toBe('<cordon:secret:short>');
});

describe('each form', () => {
  test.each(reflections)('%s: %s', (form, text) => {
    const { out, forms } = scrub(`before ${text} after`);
    expect(forms).toEqual([form]);
    expect(out).toContain('cordon:secret:key');
    expect(out.startsWith('before ')).toBe(true);
    expect(out.endsWith(' after')).toBe(true);
    // Of a coded value the characters at its edges stay, which its neighbours colour: less than a byte of it each.
    expect(out.length).toBeLessThanOrEqual('before cordon:secret:key after'.length + 16);
  });

  test('base64url, where it differs', () => {
    const odd = 'aa?>~~~?>zz?>???>>>';
    const coded = Buffer.from(odd).toString('base64url');
    expect(coded).toMatch(/[-_]/);
    expect(scrub(coded, { key: odd }).forms).toEqual(['base64url']);
  });

  test.each(reflections)('%s is found at every cut: %s', (_, text) => {
    const whole = `..${text}..`;
    const expected = scrub(whole).out;
    for (let cut = 0; cut <= whole.length; cut++) expect(scrub(whole, { key: value }, [cut]).out).toBe(expected);
    expect(
      scrub(
        whole,
        { key: value },
        Array.from({ length: whole.length }, (_item, i) => i),
      ).out,
    ).toBe(expected);
  });
});

describe('streams', () => {
  test('the result does not depend on the cuts', () => {
    const values = { a: 'abcabcab', b: 'cabcabcabc', c: 'xyxyxyxyxz', long: `${other}abcabcab` };
    const piece = fc.constantFrom(
      'abc',
      'ab',
      'c',
      'xy',
      'x',
      'z',
      ...Object.values(values),
      Buffer.from(other).toString('hex'),
      '\n',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(200), { maxLength: 8 }), (pieces, cuts) => {
        const text = pieces.join('');
        const sorted = cuts.map((cut) => Math.min(cut, text.length)).sort((x, y) => x - y);
        const cutUp = scrub(text, values, sorted);
        expect(cutUp).toEqual(scrub(text, values));
        for (const secret of Object.values(values)) expect(cutUp.out).not.toContain(secret);
      }),
      { numRuns: 3000 },
    );
  });

  test('ordinary text is not held back, so events of a stream arrive whole', () => {
    const scrubber = new Scrubber(leases({ key: other }));
    const event = Buffer.from('data: {"type":"ping"}\n\n');
    expect(scrubber.push(event).equals(event)).toBe(true);
    expect(scrubber.push(Buffer.from('data: ghp_ABC')).toString()).toBe('data: ');
    expect(scrubber.push(Buffer.from('!')).toString()).toBe('ghp_ABC!');
    expect(scrubber.end().length).toBe(0);
    expect(scrubber.hits).toEqual([]);
  });

  test('binary answers without a value pass unchanged', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        const text = Buffer.from(bytes).toString('latin1');
        expect(scrub(text, { key: other })).toEqual({ out: text, forms: [] });
      }),
    );
  });

  test('as a stream, with several secrets and hits', async () => {
    const values = leases({ key: value, github: other });
    const scrubber = new Scrubber(values);
    const body = Readable.from([
      Buffer.from(`1 ${other}`),
      Buffer.from(` 2 ${value.slice(0, 9)}`),
      Buffer.from(`${value.slice(9)} 3 ${other}`),
    ]);
    const out = await buffer(body.pipe(createScrubStream(scrubber)));
    expect(out.toString()).toBe('1 cordon:secret:github 2 cordon:secret:key 3 cordon:secret:github');
    expect(scrubber.hits.map((hit) => hit.secret)).toEqual(['github', 'key', 'github']);
  });

  test('header values', () => {
    const scrubber = new Scrubber(leases({ key: other }));
    expect(scrubber.text(`Bearer ${other}`)).toBe('Bearer cordon:secret:key');
    expect(scrubber.text('caf\xe9')).toBe('caf\xe9');
    expect(scrubber.hits).toHaveLength(1);
  });

  test('after dispose it refuses: without patterns it would let everything through', () => {
    const scrubber = new Scrubber(leases({ key: other }));
    scrubber[Symbol.dispose]();
    expect(() => scrubber.push(Buffer.from(other))).toThrow(expect.objectContaining({ code: 'secret-disposed' }));
    expect(() => scrubber.text(other)).toThrow(expect.objectContaining({ code: 'secret-disposed' }));
  });

  test('a stream whose scrubber is let go ends in an error, not in clear text', async () => {
    const scrubber = new Scrubber(leases({ key: other }));
    const stream = createScrubStream(scrubber);
    scrubber[Symbol.dispose]();
    stream.end(other);
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'secret-disposed' });
  });

  test('a megabyte of near misses is searched in linear time', () => {
    const near = Buffer.from(`${other.slice(0, -1)}!`.repeat(30_000));
    const scrubber = new Scrubber(leases({ key: other }));
    expect(Buffer.concat([scrubber.push(near), scrubber.end()]).equals(near)).toBe(true);
  });
});
