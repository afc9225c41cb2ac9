import { createHash } from 'node:crypto';
import type { HttpArgs, Intent } from '@cordon/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileGrants,
  createContextProvenance,
  createLabel,
  flowOf,
  type Grant,
  LeakMeter,
  namedByOrder,
  type PolicySnapshot,
  sinksOf,
} from '../src/index.ts';
import { limits } from '../src/limits.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const context = createLabel({ integrity: 2, confidentiality: 2, readers: ['ada'], sources: ['test'] });
const provenance = createContextProvenance(context, namedByOrder([]));

function snapshotFor(grants: readonly Grant[]): PolicySnapshot {
  const compiled = compileGrants(grants, { layer: 'session', source: 'test', preset: false });
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  return snapshotOf(engine, { session: compiled.policies, origins: compiled.origins }, { rungs: [] });
}

/** All that the far side of a read gets to see, beside when it came. */
interface Seen {
  readonly host: string;
  readonly method: 'GET' | 'HEAD' | 'OPTIONS';
  /** Below what the grant fixes. */
  readonly path: readonly string[];
  readonly search: string | null;
  readonly headers: HttpArgs['headers'];
  readonly body: Buffer;
}

const snapshot = snapshotFor([{ allow: '*.a.example/fixed/**', methods: ['GET', 'HEAD', 'OPTIONS'] }]);

function intentFor({ host, method, path, search, headers, body }: Seen): Intent {
  const query = search === null || search === '' ? [] : search.split('&').map((text) => text.split(/=(.*)/s));
  const pairs = query.map(([name, value = '']) => [name, value]);
  const target = `/fixed/${path.join('/')}`;
  return intentOf(`https://${host}:443`, method, target, {
    args: { method, path: target, query: pairs, search, headers } as unknown as Intent['args'],
    payload: { sha256: '0'.repeat(64), bytes: body.length, kind: body.length === 0 ? 'none' : 'opaque' },
  });
}

/** Sends it as an agent would; says whether it went out. */
function send(meter: LeakMeter, seen: Seen, policy = snapshot): boolean {
  const intent = intentFor(seen);
  const question = { intent, provenance, sinks: sinksOf(policy, intent), meter, ownCredential: false, body: seen.body };
  const { flow, leaks } = flowOf(question);
  if (decide(policy, intent, { flow }).outcome !== 'allow') return false;
  if (leaks !== null) meter.take(leaks.chosen);
  return true;
}

/**
 * The proof that the meter is a bound: reads, written down in as many bytes as it counted, and rebuilt from those bytes.
 * Written without the code that it tests.
 */
class Description {
  readonly #texts = new Map<string, number>();
  readonly #lists = new Map<string, number>();
  readonly #out: Buffer[] = [];

  static readonly methods = ['GET', 'HEAD', 'OPTIONS'] as const;

  static write(all: readonly Seen[]): Buffer {
    const description = new Description();
    for (const seen of all) description.#read(seen);
    return Buffer.concat(description.#out);
  }

  #read({ host, method, path, search, headers, body }: Seen): void {
    const texts = [...path, ...queryOf(search), host];
    const fields = headers.map(([name, value]) => `${name}: ${value}`);
    const known = fields.length > 0 ? this.#lists.get(JSON.stringify(fields)) : undefined;
    const how = fields.length === 0 ? 0 : known === undefined ? 1 : 2;
    const more = (body.length > 0 ? 16 : 0) | (search === '' ? 32 : 0);
    const flags = Description.methods.indexOf(method) | (how << 2) | more;
    this.#out.push(Buffer.from([flags]));
    this.#list(texts);
    if (how === 1) this.#list(fields);
    if (known !== undefined) this.#word(known);
    if (body.length > 0) {
      this.#word(body.length);
      this.#out.push(body);
    }
    for (const text of [...texts, ...fields]) learn(this.#texts, text);
    learn(this.#lists, JSON.stringify(fields));
  }

  #list(texts: readonly string[]): void {
    for (const [at, text] of texts.entries()) {
      const index = this.#texts.get(text);
      const last = at === texts.length - 1 ? 0x40_00 : 0;
      if (index !== undefined) this.#word(0x80_00 | last | index);
      else {
        this.#word(last | Buffer.byteLength(text));
        this.#out.push(Buffer.from(text));
      }
    }
  }

  #word(value: number): void {
    const word = Buffer.alloc(2);
    word.writeUInt16BE(value);
    this.#out.push(word);
  }
}

/** The far side, which knows the grant and nothing else. */
function rebuild(bytes: Buffer): Seen[] {
  const texts = new Map<string, number>();
  const lists = new Map<string, number>();
  let at = 0;
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  const word = (): number => take(2).readUInt16BE();
  const list = (): string[] => {
    const found: string[] = [];
    for (;;) {
      const head = word();
      const length = head & 0x3f_ff;
      if ((head & 0x80_00) !== 0) found.push([...texts.keys()][length] ?? '');
      else found.push(take(length).toString());
      if ((head & 0x40_00) !== 0) return found;
    }
  };
  const all: Seen[] = [];
  while (at < bytes.length) {
    const [flags = 0] = take(1);
    const chosen = list();
    const how = (flags >> 2) & 3;
    const fields = how === 0 ? [] : how === 1 ? list() : (JSON.parse([...lists.keys()][word()] ?? '[]') as string[]);
    const length = (flags & 16) === 0 ? 0 : word();
    const body = Buffer.from(take(length));
    for (const text of [...chosen, ...fields]) learn(texts, text);
    learn(lists, JSON.stringify(fields));
    const host = chosen.at(-1) ?? '';
    const query = chosen.slice(0, -1).filter((text) => text.startsWith('?'));
    all.push({
      host,
      method: Description.methods[flags & 3] ?? 'GET',
      path: chosen.slice(0, -1).filter((text) => !text.startsWith('?')),
      search: query.length === 0 ? ((flags & 32) === 0 ? null : '') : query.map((text) => text.slice(1)).join('&'),
      headers: fields.map((text) => text.split(/: (.*)/s).slice(0, 2) as [string, string]),
      body,
    });
  }
  return all;
}

function learn(known: Map<string, number>, text: string): void {
  if (!known.has(text) && known.size < limits.leakTextsMax) known.set(text, known.size);
}

function queryOf(search: string | null): string[] {
  if (search === null || search === '') return [];
  const pairs = search.split('&');
  return (pairs.every((pair) => pair.includes('=')) ? pairs : [search]).map((text) => `?${text}`);
}

/** Few texts, so that an agent often chooses among those that were sent before. */
const word = fc.constantFrom('a', 'b', 'left-pad', '7', 'x'.repeat(40), '%C3%A9');
const seen: fc.Arbitrary<Seen> = fc.record({
  host: fc.constantFrom('p.a.example', 'q.a.example'),
  method: fc.constantFrom('GET', 'HEAD', 'OPTIONS'),
  path: fc.array(word, { maxLength: 3 }).map((path) => (path.length === 0 ? ['a'] : path)),
  search: fc.option(
    fc.oneof(
      fc.constantFrom('', '&', 'a', 'a=', 'a&&b', '=', 'a=b=c'),
      fc.array(fc.tuple(word, word), { maxLength: 2 }).map((pairs) => pairs.map((pair) => pair.join('=')).join('&')),
    ),
    { nil: null },
  ),
  headers: fc.array(fc.tuple(fc.constantFrom('accept', 'Accept', 'x-a'), word), { maxLength: 3 }),
  body: fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
});

describe('the leak meter is a bound', () => {
  it('whatever the far side saw can be rebuilt from as many bytes as were counted', () => {
    fc.assert(
      fc.property(fc.array(seen, { maxLength: 12 }), (tried) => {
        const meter = new LeakMeter();
        const sent = tried.filter((each) => send(meter, each));
        const description = Description.write(sent);
        expect(description.length).toBeLessThanOrEqual(meter.used);
        expect(rebuild(description)).toEqual(sent);
      }),
      { numRuns: 150 },
    );
  });

  const plain = { host: 'p.a.example', method: 'GET', search: null, headers: [], body: Buffer.alloc(0) } as const;
  /** What an agent wants to get out, without end; the same each time. */
  const secret = (bytes: number): Buffer =>
    Buffer.concat(
      Array.from({ length: Math.ceil(bytes / 32) }, (_, at) => createHash('sha256').update(`secret ${at}`).digest()),
    ).subarray(0, bytes);

  it('an agent that writes a secret into names gets no more out than the bound', () => {
    const meter = new LeakMeter();
    const told: Buffer[] = [];
    const whole = secret(2 * limits.leakSessionBytesMax);
    for (let at = 0; at < whole.length; at += 720) {
      const part = whole.subarray(at, at + 720);
      if (!send(meter, { ...plain, path: [part.toString('base64url')] })) break;
      told.push(part);
    }
    const out = Buffer.concat(told);
    expect(out.equals(whole.subarray(0, out.length))).toBe(true);
    // It does get through: the meter is no wall, it is a number.
    expect(out.length).toBeGreaterThan(limits.leakSessionBytesMax / 2);
    expect(out.length).toBeLessThanOrEqual(limits.leakSessionBytesMax);
  });

  it('an agent that says it by the order of packages that everybody asks for gets no more out', () => {
    const meter = new LeakMeter();
    const names = Array.from({ length: 256 }, (_, at) => `package-${at}`);
    for (const name of names) send(meter, { ...plain, path: [name] });
    const whole = secret(2 * limits.leakSessionBytesMax);
    let out = 0;
    for (let at = 0; at < whole.length; at += 100) {
      const path = [...whole.subarray(at, at + 100)].map((byte) => names[byte] ?? '');
      if (!send(meter, { ...plain, path })) break;
      out += path.length;
    }
    expect(out).toBeGreaterThan(limits.leakSessionBytesMax / 4);
    expect(out).toBeLessThanOrEqual(limits.leakSessionBytesMax);
  });
});
