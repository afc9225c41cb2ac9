import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differences, type Earlier, kindOf, type View, viewLines, viewPages } from '../src/index.ts';

interface Request {
  readonly body?: string | null;
  readonly base64?: boolean;
  readonly headers?: ReadonlyArray<readonly [string, string]>;
  readonly search?: string | null;
  readonly more?: Readonly<Record<string, unknown>>;
}

function viewOf({
  body = null,
  base64 = false,
  headers = [['accept', '*/*']],
  search = null,
  more = {},
}: Request): View {
  return {
    ...{
      v: 'view/1',
      hold: 'hld_1',
      effect: 'spend',
      undoable: false,
      code: 'approval-required',
      rules: [],
      unnamed: [],
    },
    intent: {
      ...{ v: 'intent/1', tenant: 'local', session: 'ses_1', agent: 'robot', chain: 'c', salt: 's' },
      ...{ action: 'http.request', resource: 'https://pay.example:443' },
      args: { method: 'POST', path: '/pay', query: [], search, headers, ...more } as unknown as View['intent']['args'],
      payload: { sha256: `of ${body}`, bytes: body?.length ?? 0, kind: 'json' },
    },
    payload: body === null ? null : { encoding: base64 ? 'base64' : 'utf8', data: body },
    flow: {
      ...{ argInteg: 0, argConf: 2, ctxInteg: 1, ctxConf: 3, destInteg: 4, clearance: 0 },
      ...{ readersOk: false, linksOk: false, leakOk: false },
    },
    rung: { quorum: 1, strong: false },
    ...{ person: 'ada', agent: 'robot', profile: 'generic', sessionStartedAt: 'then', heldAt: 'now', expires: 'later' },
  };
}
const between = (before: Request, now: Request) => differences(viewOf(before), viewOf(now));
const bodies = (before: string, now: string) => between({ body: before }, { body: now });

describe('what differs from the last approved request', () => {
  it('is nothing where all is the same', () => {
    const same = { body: '{"a":1}', search: 'x=1', headers: [['a', 'b']] as const };
    expect(between(same, same)).toEqual([]);
  });

  it('is a header, the target, and whatever else the intent says', () => {
    expect(
      between(
        {
          headers: [
            ['accept', 'a'],
            ['accept', 'b'],
            ['x', '1'],
          ],
          search: 'to=a',
        },
        {
          headers: [
            ['accept', 'a'],
            ['y', '2'],
          ],
          search: 'to=b',
          more: { ttl: 3 },
        },
      ),
    ).toEqual([
      { at: 'target', before: '/pay?to=a', after: '/pay?to=b' },
      { at: 'header accept', before: 'a\nb', after: 'a' },
      { at: 'header x', before: '1', after: null },
      { at: 'header y', before: null, after: '2' },
      { at: 'ttl', before: null, after: '3' },
    ]);
  });

  it('is a field of a JSON body, by its pointer', () => {
    expect(
      bodies(
        '{"to":"alice","amount":100,"lines":[{"n":1},{"n":2}],"memo":null,"a/b~c":true}',
        '{"amount":900,"to":"mallory","lines":[{"n":1},{"n":3}],"more":{},"a/b~c":true}',
      ),
    ).toEqual([
      { at: 'body /to', before: '"alice"', after: '"mallory"' },
      { at: 'body /amount', before: '100', after: '900' },
      { at: 'body /lines/1/n', before: '2', after: '3' },
      { at: 'body /memo', before: 'null', after: null },
      { at: 'body /more', before: null, after: '{}' },
    ]);
  });

  it('is in a number that JavaScript takes for the same, and in a name that stands there twice', () => {
    expect(bodies('{"iban":9007199254740993}', '{"iban":9007199254740992}')).toEqual([
      { at: 'body /iban', before: '9007199254740993', after: '9007199254740992' },
    ]);
    const twice = bodies('{"to":"mallory","n":1}', '{"to":"alice","to":"mallory","n":2}');
    expect(JSON.stringify(twice)).toContain('alice');
    // A text that only looks like a name of its own hides nothing.
    expect(bodies('{"a":"\\"b\\":1"}', '{"a":"\\"b\\":2"}')).toMatchObject([{ at: 'body /a' }]);
  });

  it('is the whole where the same fields are written otherwise', () => {
    expect(bodies('{"a":1}', '{ "a":1}')).toEqual([
      { at: 'body, the same fields written otherwise', before: '{"a":1}', after: '{ "a":1}' },
    ]);
  });

  it('is lines of other text', () => {
    expect(bodies('one\ntwo\nthree\n', 'one\n2\nthree\nfour\n')).toEqual([
      { at: 'body line 2', before: 'two', after: '2' },
      { at: 'body line 4', before: null, after: 'four' },
    ]);
  });

  it('is a size and a digest where no person could read it line by line', () => {
    expect(between({ body: 'AAAA', base64: true }, { body: 'BBBB', base64: true })).toMatchObject([
      { at: 'body', before: '4 bytes, sha256 of AAAA', after: '4 bytes, sha256 of BBBB' },
    ]);
    expect(between({ body: 'AAAA', base64: true }, { body: 'AAAA' })).toMatchObject([{ at: 'body' }]);
    expect(between({}, { body: 'x' })).toMatchObject([{ at: 'body', before: null }]);
    const long = (word: string): string => Array.from({ length: 3000 }, (_, i) => `${word}${i}`).join('\n');
    expect(bodies(long('a'), long('b'))).toMatchObject([{ at: 'body', before: expect.stringContaining('bytes') }]);
    const wide = (n: number): string => JSON.stringify(Array.from({ length: 300 }, (_, i) => i * n));
    expect(bodies(wide(1), wide(2))).toMatchObject([{ at: 'body', before: expect.stringContaining('bytes') }]);
    const deep = '['.repeat(100_000);
    expect(bodies(deep, `${deep}1`)).toHaveLength(1);
  });

  it('is never nothing where a byte differs', () => {
    const json = fc.jsonValue().map((value) => JSON.stringify(value));
    fc.assert(
      fc.property(fc.oneof(json, fc.string()), fc.oneof(json, fc.string()), (a, b) => {
        expect(bodies(a, b).length > 0).toBe(a !== b);
      }),
    );
  });

  it('is asked of the same agent, method, path and place alone', () => {
    const { intent } = viewOf({});
    const kinds = [
      intent,
      { ...intent, agent: 'other' },
      { ...intent, action: 'http.upgrade' as const },
      { ...intent, resource: 'https://other.example:443' },
      { ...intent, args: { ...intent.args, method: 'PUT' } },
      { ...intent, args: { ...intent.args, path: '/other' } },
    ].map(kindOf);
    expect(new Set(kinds).size).toBe(6);
    expect(kindOf({ ...intent, session: 'ses_2', salt: 't', args: { ...intent.args, search: 'x' } })).toBe(kinds[0]);
  });
});

describe('the difference, as a person reads it', () => {
  const before = viewOf({ body: '{"to":"alice"}' });
  const now = viewOf({ body: '{"to":"alic\u0435\u202e","x\\n  - fake":1}' });
  const checked: Earlier = { kind: 'checked', view: { ...before, hold: 'hld_0' }, by: ['ada', 'bob'] };

  it('stands behind the bar, with what would deceive spelt out', () => {
    const text = viewLines(now, checked).join('\n');
    expect(text).toContain('the last one approved of its kind: hld_0, asked now, by ada, bob');
    expect(text).toContain('  | body /to\n  | - "alice"\n  | + "alic\\u{435}\\u{202e}"');
    expect(text).toContain('  | body /x\\u{a}  - fake\n  | + 1');
    expect(text).not.toMatch(/^ {2}- fake/m);
    expect(viewPages(now, checked).join('')).toContain('+ "alic');
  });

  it.each<[Earlier, string]>([
    [{ kind: 'first' }, 'first of its kind'],
    [{ kind: 'unreadable', hold: 'hld_0' }, '(hld_0), and cannot be read any more'],
    [{ kind: 'unsigned', hold: 'hld_0' }, '(hld_0), by nobody who is known here now'],
    [{ kind: 'checked', view: { ...now, hold: 'hld_0' }, by: ['ada'] }, 'no difference'],
  ])('says so where there is none to show: %j', (earlier, words) => {
    expect(viewLines(now, earlier).join('\n')).toContain(words);
  });
});
