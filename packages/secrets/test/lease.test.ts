import { systemClock } from '@cordon/protocol';
import { describe, expect, test } from 'vitest';
import {
  injectSecrets,
  LeaseSet,
  type LeaseSource,
  Leases,
  planSecrets,
  Secret,
  type SecretUse,
} from '../src/index.ts';
import { limits } from '../src/limits.ts';
import { permitFor } from './permit.ts';

const live = new AbortController().signal;
const use = (name: string): SecretUse => ({ name, header: 0, form: 'plain' });
const github = 'https://api.github.com:443';

class Ahead {
  ms = 0;
  now(): number {
    return systemClock.now() + this.ms;
  }
  monotonic(): number {
    return systemClock.monotonic() + this.ms;
  }
}

/** A source that counts, and can be made to wait or fail. */
class Source implements LeaseSource {
  readonly asked: string[] = [];
  readonly given: Secret[] = [];
  lifeMs = 60_000;
  gate: Promise<void> = Promise.resolve();
  clock = new Ahead();
  fail: Error | null = null;

  async lease(request: {
    session: string;
    secret: string;
    destination: string;
  }): Promise<{ value: Secret; expiresAt: string }> {
    this.asked.push(`${request.session} ${request.secret} ${request.destination}`);
    await this.gate;
    if (this.fail !== null) throw this.fail;
    const value = Secret.from(`value-of-${request.secret}-${this.asked.length}`);
    this.given.push(value);
    return { value, expiresAt: new Date(this.clock.now() + this.lifeMs).toISOString() };
  }
}

const create = (): { source: Source; leases: Leases } => {
  const source = new Source();
  return { source, leases: new Leases({ source, clock: source.clock }) };
};
const set = (given: LeaseSet | { refused: true; detail: string }): LeaseSet => {
  if (!(given instanceof LeaseSet)) throw new Error(given.detail);
  return given;
};
const text = (given: LeaseSet, name: string): string => given.value(name).reveal((bytes) => bytes.toString());

describe('lease', () => {
  test('single flight, then the cache; one per session, secret and destination', async () => {
    const { source, leases } = create();
    const sets = await Promise.all(
      Array.from({ length: 20 }, () => leases.lease(permitFor(github), [use('github')], live)),
    );
    expect(source.asked).toHaveLength(1);
    expect(new Set(sets.map((given) => text(set(given), 'github')))).toEqual(new Set(['value-of-github-1']));
    await leases.lease(permitFor('https://other.example:443'), [use('github')], live);
    await leases.lease(permitFor(github, null, 'other'), [use('github')], live);
    await leases.lease(permitFor(github), [use('npm')], live);
    expect(source.asked).toHaveLength(4);
  });

  test('is asked for anew after 80 % of its life, at most of the longest life', async () => {
    const { source, leases } = create();
    source.lifeMs = 10_000;
    await leases.lease(permitFor(github), [use('github')], live);
    source.clock.ms = 7_900;
    await leases.lease(permitFor(github), [use('github')], live);
    expect(source.asked).toHaveLength(1);
    source.clock.ms = 8_001;
    source.lifeMs = 365 * 86_400_000;
    expect(text(set(await leases.lease(permitFor(github), [use('github')], live)), 'github')).toBe('value-of-github-2');
    expect(source.given[0]?.disposed).toBe(true);
    source.clock.ms += (limits.leaseLifeMsMax * 80) / 100 + 1;
    await leases.lease(permitFor(github), [use('github')], live);
    expect(source.asked).toHaveLength(3);
  });

  test('a source that fails, or gives what has ended, is a refusal and asked again next time', async () => {
    const { source, leases } = create();
    source.fail = Object.assign(new Error('down at 10.0.0.1'), { code: 'secret-unknown' });
    const refusal = await leases.lease(permitFor(github), [use('github')], live);
    expect(refusal).toMatchObject({ refused: true, code: 'credential-unavailable', secret: 'github' });
    expect(JSON.stringify(refusal)).not.toContain('10.0.0.1');
    source.fail = null;
    source.lifeMs = -1;
    expect(await leases.lease(permitFor(github), [use('github')], live)).toMatchObject({
      code: 'credential-unavailable',
    });
    expect(source.given[0]?.disposed).toBe(true);
    source.lifeMs = Number.NaN;
    source.lifeMs = 1000;
    expect(await leases.lease(permitFor(github), [use('github')], live)).toBeInstanceOf(LeaseSet);
  });

  test('of two, one that fails takes the other back', async () => {
    const { source, leases } = create();
    const half: LeaseSource = {
      lease: (request) => (request.secret === 'b' ? Promise.reject(new Error('no')) : source.lease(request)),
    };
    const made = new Leases({ source: half, clock: source.clock });
    expect(await made.lease(permitFor(github), [use('a'), use('b')], live)).toMatchObject({
      code: 'credential-unavailable',
    });
    leases[Symbol.dispose]();
  });

  test('what the policy does not lease is not asked for', async () => {
    const { source, leases } = create();
    expect(await leases.lease(permitFor(github, []), [use('github')], live)).toMatchObject({
      code: 'secret-misplaced',
    });
    expect(await leases.lease(permitFor(github, ['npm']), [use('github')], live)).toMatchObject({
      code: 'secret-misplaced',
    });
    expect(await leases.lease(permitFor('http://api.github.com:80'), [use('github')], live)).toMatchObject({
      code: 'secret-misplaced',
    });
    expect(source.asked).toEqual([]);
    expect(await leases.lease(permitFor(github, ['github']), [use('github')], live)).toBeInstanceOf(LeaseSet);
  });

  test('a request without secrets asks for nothing and has no identity', async () => {
    const { source, leases } = create();
    const given = set(await leases.lease(permitFor('http://plain.example:80'), [], live));
    expect(given.identity).toBeNull();
    expect(source.asked).toEqual([]);
  });
});

describe('stop', () => {
  test('wipes what is cached and what is in use, of that session alone', async () => {
    const { source, leases } = create();
    const mine = set(await leases.lease(permitFor(github), [use('github')], live));
    const other = set(await leases.lease(permitFor(github, null, 'other'), [use('github')], live));
    leases.dropSession('ses');
    expect(source.given.map((value) => value.disposed)).toEqual([true, false]);
    expect(() => text(mine, 'github')).toThrow(expect.objectContaining({ code: 'secret-disposed' }));
    expect(text(other, 'github')).toBe('value-of-github-2');
  });

  test('ends a lease under way, and a value that comes late is wiped', async () => {
    const { source, leases } = create();
    let release = (): void => undefined;
    source.gate = new Promise((resolve) => {
      release = resolve;
    });
    const waiting = leases.lease(permitFor(github), [use('github')], live);
    leases.dropSession('ses');
    expect(await waiting).toMatchObject({ code: 'credential-unavailable' });
    release();
    await new Promise((resolve) => setImmediate(resolve));
    expect(source.given.map((value) => value.disposed)).toEqual([true]);
  });

  test('one caller that gives up does not end it for the others', async () => {
    const { source, leases } = create();
    let release = (): void => undefined;
    source.gate = new Promise((resolve) => {
      release = resolve;
    });
    const stop = new AbortController();
    const first = leases.lease(permitFor(github), [use('github')], stop.signal);
    const second = leases.lease(permitFor(github), [use('github')], live);
    stop.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    release();
    expect(await second).toBeInstanceOf(LeaseSet);
  });
});

describe('inject', () => {
  const place = (origin: string, headers: Array<[string, string]>): Parameters<typeof planSecrets>[0] => ({
    origin,
    method: 'GET',
    path: '/',
    query: [],
    headers,
  });
  const values = (of: Record<string, string>): LeaseSet =>
    new LeaseSet(new Map(Object.entries(of).map(([name, value]) => [name, Secret.from(value)])));

  test('puts the value in the place of the placeholder, $ patterns included, and leaves the plan as it is', () => {
    const binding = {
      name: 'github',
      to: ['https://a.example'],
      at: { header: 'Authorization', form: 'Bearer {}' },
      methods: null,
      paths: null,
      require: false,
    };
    const plan = planSecrets(
      place('https://a.example:443', [
        ['X', '1'],
        ['Authorization', 'Bearer cordon:secret:github'],
      ]),
      [binding],
    );
    if (plan.refused) throw new Error(plan.detail);
    expect(injectSecrets(plan, values({ github: "a$&$1$'b" }))).toEqual([
      ['X', '1'],
      ['Authorization', "Bearer a$&$1$'b"],
    ]);
    expect(plan.headers[1]?.[1]).toBe('Bearer cordon:secret:github');
  });

  test('Basic is decoded, changed and coded again', () => {
    const binding = {
      name: 'git',
      to: ['https://a.example'],
      at: { basic: 'password' as const },
      methods: null,
      paths: null,
      require: true,
    };
    const plan = planSecrets(place('https://a.example:443', []), [binding]);
    if (plan.refused) throw new Error(plan.detail);
    const header = injectSecrets(plan, values({ git: 'p:w' }))[0]?.[1] ?? '';
    expect(Buffer.from(header.slice(6), 'base64').toString()).toBe('cordon:p:w');
  });

  test('refuses a lease of something else, a wiped one, and headers that were changed meanwhile', () => {
    const plan = {
      refused: false,
      uses: [use('github')],
      headers: [['Authorization', 'Bearer cordon:secret:github']],
    } as const;
    expect(() => injectSecrets(plan, values({ npm: 'x' }))).toThrow(
      expect.objectContaining({ code: 'lease-mismatch' }),
    );
    const gone = values({ github: 'x' });
    gone[Symbol.dispose]();
    expect(() => injectSecrets(plan, gone)).toThrow(expect.objectContaining({ code: 'secret-disposed' }));
    for (const headers of [[], [['Authorization', 'Bearer mine']]] as const) {
      expect(() => injectSecrets({ ...plan, headers }, values({ github: 'x' }))).toThrow(
        expect.objectContaining({ code: 'inject-mismatch' }),
      );
    }
  });
});
