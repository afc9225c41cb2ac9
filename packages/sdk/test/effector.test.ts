import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type PermitClaims, permitSigningInput, permitToken } from '@cordon/protocol';
import { FakeClock } from '@cordon/testkit';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsedPermitsFile } from '../src/effector/file.ts';
import {
  type EffectorOptions,
  type EffectorRequest,
  headerPairs,
  PermitKeys,
  type PermitMark,
  type VerifiedPermit,
  verifyPermit,
} from '../src/effector/index.ts';
import { limits } from '../src/limits.ts';

// The request's digest is written out here by hand, so that sender and receiver are not one piece of code.
const sha256 = (text: string): string => hash('sha256', text);
const quoted = (list: readonly string[]): string => JSON.stringify(list);
function requestDigest(
  lines: readonly (readonly [string, string])[],
  body: string,
  credentials: string[] = [],
): string {
  const headers = JSON.stringify(lines);
  const payload = `{"bytes":${Buffer.byteLength(body)},"sha256":"${sha256(body)}"}`;
  const record = `{"credentials":${quoted(credentials)},"destination":"https://pay.example:443","headers":${headers},"method":"POST","payload":${payload},"target":"/pay?x=1","v":"request/1"}`;
  return `sha256:${sha256(`cordon/request/1\n${record}`)}`;
}

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
const kid = hash('sha256', JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }), 'base64url');
const jwk = { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' };
const id = (kind: string, letter: string): string => `${kind}_0${letter.repeat(25)}`;
const body = '{"cents":5}';
const sent = [
  ['Accept', '*/*'],
  ['Content-Type', 'application/json'],
] as const;

let folder: string;
let keys: PermitKeys;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'effector-'));
  keys = await PermitKeys.import({ keys: [jwk] });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let stores = 0;
const newStore = (): string => {
  stores += 1;
  return path.join(folder, `used-${stores}.db`);
};

/** An effector of its own, with a clock that stands still. */
function place(more: Partial<EffectorOptions> = {}, file = newStore(), most?: number) {
  const clock = new FakeClock();
  const used = UsedPermitsFile.open(file, most);
  const options: EffectorOptions = {
    keys,
    audience: 'payments',
    destination: 'https://pay.example:443',
    used,
    clock,
    ...more,
  };
  const at = (ms: number): string => new Date(clock.now() + ms).toISOString();
  const claimsOf = (change: Partial<PermitClaims> = {}): PermitClaims => ({
    v: 'permit/1',
    id: id('prm', 'b'),
    aud: 'payments',
    boot: id('bot', 'c'),
    tenant: 'local',
    session: id('ses', 'a'),
    attempt: id('att', 'b'),
    intent: `sha256:${'1'.repeat(64)}`,
    decision: `sha256:${'2'.repeat(64)}`,
    recorded: { writer: 'gw', wseq: 7, tier: 'os' },
    generation: 3,
    revision: 1,
    epoch: 0,
    issued: at(0),
    until: at(60_000),
    destination: 'https://pay.example:443',
    payload: { sha256: sha256(body), bytes: body.length },
    request: requestDigest(
      [
        ['accept', '*/*'],
        ['content-type', 'application/json'],
      ],
      body,
    ),
    credentials: [],
    obligations: [],
    ...change,
  });
  const ask = async (change: Partial<PermitClaims> = {}, request: Partial<EffectorRequest> = {}): Promise<string> => {
    const given = { method: 'POST', target: '/pay?x=1', headers: sent, body: Buffer.from(body), ...request };
    const headers = [...given.headers, ['Cordon-Permit', tokenOf(claimsOf(change))] as const];
    const verified = await verifyPermit({ ...given, headers }, options);
    return verified.ok ? 'ok' : verified.code;
  };
  return { ask, clock, at, used, claimsOf, [Symbol.dispose]: () => used[Symbol.dispose]() };
}

function tokenOf(claims: PermitClaims): string {
  const input = permitSigningInput(kid, claims);
  return permitToken(input, sign('sha256', Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }));
}

describe('verifyPermit', () => {
  it('takes a permit for this request, once', async () => {
    using effector = place();
    expect(await effector.ask()).toBe('ok');
    expect(await effector.ask()).toBe('permit-used');
  });

  it('names the first check that fails, in the order of the design', async () => {
    using effector = place({ boot: () => id('bot', 'c'), epoch: () => 0 });
    const { ask, at } = effector;
    const wrong: Array<readonly [Partial<PermitClaims>, string]> = [
      [{ aud: 'other' }, 'permit-audience'],
      [{ boot: id('bot', 'd') }, 'permit-boot'],
      [{ issued: at(limits.permitSkewMsMax + 1), until: at(60_000) }, 'permit-early'],
      [{ issued: at(-60_000), until: at(0) }, 'permit-expired'],
      [{ epoch: 1 }, 'permit-epoch'],
      [{ obligations: ['durable:disk'] }, 'permit-not-durable'],
      [{ obligations: ['redact:all'] }, 'permit-obligation'],
      [{ destination: 'https://pay.example:8443' }, 'permit-destination'],
      [{ payload: { sha256: sha256(body), bytes: 12 } }, 'permit-payload'],
      [{ request: `sha256:${'0'.repeat(64)}` }, 'permit-request'],
    ];
    for (const [i, [change, code]] of wrong.entries()) {
      expect(await ask(change)).toBe(code);
      // With everything after it wrong as well, it is still this one.
      const all = Object.assign(
        {},
        ...wrong
          .slice(i)
          .map(([each]) => each)
          .reverse(),
      ) as Partial<PermitClaims>;
      expect(await ask(all), code).toBe(code);
    }
    // None of these spent it.
    expect(await ask()).toBe('ok');
    expect(await ask({ obligations: ['redact:all'] })).toBe('permit-used');
  });

  it('lives at most a minute, and only until it expires', async () => {
    using effector = place();
    const { ask, clock, at } = effector;
    expect(await ask({ until: at(60_001) })).toBe('permit-expired');
    const claims = { issued: at(0), until: at(60_000) };
    clock.advance(59_999);
    expect(await ask({ ...claims, id: id('prm', 'd') })).toBe('ok');
    clock.advance(1);
    expect(await ask({ ...claims, id: id('prm', 'e') })).toBe('permit-expired');
  });

  it('asks whether the session still runs, where there is somebody to ask', async () => {
    const asked: string[] = [];
    let alive = false;
    using effector = place({
      alive: async ({ session, id: of }) => {
        asked.push(`${session} ${of}`);
        return alive;
      },
    });
    expect(await effector.ask()).toBe('permit-session');
    // Not for what is nobody's permit anyway.
    expect(await effector.ask({ aud: 'other' })).toBe('permit-audience');
    expect(asked).toEqual([`${id('ses', 'a')} ${id('prm', 'b')}`]);
    alive = true;
    expect(await effector.ask()).toBe('ok');
    const silent = async (): Promise<boolean> => {
      throw new Error('nobody answers');
    };
    using other = place({ alive: silent });
    await expect(other.ask()).rejects.toThrow('nobody answers');
  });

  it('demands the record on disk where the effector says so', async () => {
    using effector = place({ tier: 'disk' });
    expect(await effector.ask()).toBe('permit-not-durable');
    expect(await effector.ask({ recorded: { writer: 'gw', wseq: 7, tier: 'disk' } })).toBe('ok');
  });

  it('keeps the obligations that it knows, and refuses the others', async () => {
    using effector = place({ obligations: ['notify:boss'] });
    const { ask } = effector;
    expect(await ask({ obligations: [`bytes:${body.length - 1}`] })).toBe('permit-obligation');
    expect(await ask({ obligations: ['bytes:1e9'] })).toBe('permit-obligation');
    expect(await ask({ obligations: ['notify:all'] })).toBe('permit-obligation');
    expect(await ask({ obligations: [`bytes:${body.length}`, 'notify:boss'] })).toBe('ok');
  });

  it('reads the request as it stands after any proxy: lines joined, names in any case, its own headers left out', async () => {
    using effector = place({ added: ['x-request-id'] });
    const { ask } = effector;
    const lines: Array<readonly [string, string]> = [
      ['a', '1, 2'],
      ['cookie', 'x=1; y=2'],
    ];
    const request = requestDigest(lines, body);
    const n = (letter: string) => ({ request, id: id('prm', letter) });
    const split = [
      ['COOKIE', 'x=1'],
      ['A', ' 1\t'],
      ['Cookie', 'y=2'],
      ['a', '2'],
      ['Host', 'pay.example'],
      ['Content-Length', '11'],
      ['TE', 'trailers'],
      ['X-Request-Id', 'r1'],
    ] as const;
    expect(await ask(n('d'), { headers: split })).toBe('ok');
    expect(
      await ask(n('e'), {
        headers: [
          ['cookie', 'x=1; y=2'],
          ['a', '1, 2'],
        ],
      }),
    ).toBe('ok');
    expect(
      await ask(n('f'), {
        headers: [
          ['cookie', 'y=2; x=1'],
          ['a', '1, 2'],
        ],
      }),
    ).toBe('permit-request');
    expect(
      await ask(n('f'), {
        headers: [
          ['cookie', 'x=1; y=2'],
          ['a', '2, 1'],
        ],
      }),
    ).toBe('permit-request');
    expect(await ask(n('f'), { headers: [...split, ['X-Forwarded-For', '::1']] })).toBe('permit-request');
    expect(await ask(n('f'), { headers: [...split, ['a', '']] })).toBe('permit-request');
  });

  it('leaves credentials out, and wants each exactly once', async () => {
    using effector = place();
    const { ask } = effector;
    const request = requestDigest([], body, ['authorization']);
    const claims = { request, credentials: ['authorization'] };
    expect(await ask(claims, { headers: [] })).toBe('permit-request');
    const doubled = [
      ['Authorization', 'a'],
      ['authorization', 'b'],
    ] as const;
    expect(await ask(claims, { headers: doubled })).toBe('permit-request');
    expect(await ask({ request, credentials: [] }, { headers: [['Authorization', 'a']] })).toBe('permit-request');
    expect(await ask(claims, { headers: [['Authorization', 'Bearer anything']] })).toBe('ok');
  });

  it('takes no other method, target or body', async () => {
    using effector = place();
    const { ask } = effector;
    expect(await ask({}, { method: 'PUT' })).toBe('permit-request');
    expect(await ask({}, { target: '/pay?x=2' })).toBe('permit-request');
    expect(await ask({}, { target: '/pay' })).toBe('permit-request');
    expect(await ask({}, { body: Buffer.from('{"cents":6}') })).toBe('permit-payload');
    expect(await ask({}, { body: Buffer.from(`${body}\n`) })).toBe('permit-payload');
  });

  it('believes no key that is not pinned, and no signature of another', async () => {
    using effector = place();
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const strange = (named: string, using_ = other.privateKey) => {
      const input = permitSigningInput(named, effector.claimsOf());
      return permitToken(input, sign('sha256', Buffer.from(input), { key: using_, dsaEncoding: 'ieee-p1363' }));
    };
    const options = { keys, audience: 'payments', destination: '', used: effector.used, clock: effector.clock };
    const ask = async (token: string) => {
      const headers = [['cordon-permit', token]] as const;
      return await verifyPermit({ method: 'POST', target: '/', headers, body: Buffer.alloc(0) }, options);
    };
    expect(await ask(strange('A'.repeat(43)))).toEqual({ ok: false, code: 'permit-key-unknown' });
    expect(await ask(strange(kid))).toEqual({ ok: false, code: 'permit-signature' });
    expect(await ask(strange(kid, pair.privateKey))).toEqual({ ok: false, code: 'permit-destination' });
  });

  it('loads in a browser', async () => {
    const entry = path.resolve(import.meta.dirname, '../src/effector/index.ts');
    const built = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      platform: 'browser',
      conditions: ['cordon-source'],
      format: 'esm',
      logLevel: 'silent',
    });
    const [file] = built.outputFiles;
    expect(file?.text).toContain('permit-signature');
    expect(file?.text).not.toMatch(/from ?["']node:/);
  });
});

/** Compiled, never called: what has an effect takes a permit that was verified, and nothing else is one. */
export function misuse(claims: PermitClaims, act: (permit: VerifiedPermit) => void): void {
  // @ts-expect-error an effect takes a permit
  act();
  // @ts-expect-error claims that nobody verified are none
  act(claims);
  // @ts-expect-error nor is a copy of them
  act({ ...claims });
  // @ts-expect-error nor is a token
  act(tokenOf(claims));
}

describe('the keys of an effector', () => {
  it.each([
    ['no set', [jwk]],
    ['none', { keys: [] }],
    ['too many', { keys: Array.from({ length: limits.permitKeysMax + 1 }, () => jwk) }],
    ['a private key', { keys: [{ ...jwk, d: 'A'.repeat(43) }] }],
    ['another algorithm', { keys: [{ ...jwk, alg: 'HS256' }] }],
    ['a symmetric key', { keys: [{ kty: 'oct', k: 'AAAA', kid, alg: 'ES256', use: 'sig' }] }],
    ['another curve', { keys: [{ ...jwk, crv: 'P-384' }] }],
    ['another name', { keys: [{ ...jwk, kid: 'A'.repeat(43) }] }],
    [
      'no point',
      {
        keys: [
          {
            ...jwk,
            x: 'A'.repeat(43),
            kid: hash('sha256', JSON.stringify({ crv: 'P-256', kty: 'EC', x: 'A'.repeat(43), y }), 'base64url'),
          },
        ],
      },
    ],
  ])('are refused: %s', async (_, set) => {
    await expect(PermitKeys.import(set)).rejects.toMatchObject({ code: 'permit-keys' });
  });
});

describe('the file of used permits', () => {
  const mark = (letter: string, more: Partial<PermitMark> = {}): PermitMark => ({
    id: id('prm', letter),
    kid,
    boot: 'bot_1',
    session: 'ses_1',
    epoch: 0,
    issuedMs: 1000,
    untilMs: 61_000,
    ...more,
  });

  it('remembers over a restart', async () => {
    const file = newStore();
    {
      using store = UsedPermitsFile.open(file);
      expect(await store.take(mark('a'), 1000)).toBe('taken');
    }
    using store = UsedPermitsFile.open(file);
    expect(await store.look(mark('a'))).toMatchObject({ used: true });
    expect(await store.take(mark('a'), 1000)).toBe('used');
  });

  it('is shared by all that open it', async () => {
    const file = newStore();
    using one = UsedPermitsFile.open(file);
    using two = UsedPermitsFile.open(file);
    const taken = await Promise.all([one.take(mark('a'), 0), two.take(mark('a'), 0), one.take(mark('a'), 0)]);
    expect([...taken].sort()).toEqual(['taken', 'used', 'used']);
  });

  it('is bounded: full refuses, and the expired make room', async () => {
    using store = UsedPermitsFile.open(newStore(), 2);
    expect(await store.take(mark('a'), 1000)).toBe('taken');
    expect(await store.take(mark('b', { untilMs: 70_000 }), 1000)).toBe('taken');
    expect(await store.take(mark('c'), 1000)).toBe('full');
    // Not before it cannot be good any more on any clock that is near.
    expect(await store.take(mark('c'), 61_000 + limits.permitSkewMsMax)).toBe('full');
    expect(await store.take(mark('c'), 61_001 + limits.permitSkewMsMax)).toBe('taken');
  });

  it('lets no permit of an older epoch of a session through, and no other session suffers', async () => {
    using store = UsedPermitsFile.open(newStore());
    expect(await store.take(mark('a', { epoch: 2 }), 1000)).toBe('taken');
    expect(await store.take(mark('b', { epoch: 1 }), 1000)).toBe('superseded');
    expect(await store.take(mark('c', { epoch: 1, session: 'ses_2' }), 1000)).toBe('taken');
    expect(await store.take(mark('d', { epoch: 1, kid: 'other' }), 1000)).toBe('taken');
    expect(await store.take(mark('e', { epoch: 2 }), 1000)).toBe('taken');
  });

  it('lets no permit of an older start of its signer through', async () => {
    using store = UsedPermitsFile.open(newStore());
    expect(await store.take(mark('a', { boot: 'bot_2', issuedMs: 2000 }), 2000)).toBe('taken');
    expect(await store.take(mark('b', { issuedMs: 1999 }), 2000)).toBe('outlived');
    expect(await store.take(mark('c', { issuedMs: 1999, kid: 'other' }), 2000)).toBe('taken');
    expect(await store.take(mark('d', { boot: 'bot_3', issuedMs: 2001 }), 2001)).toBe('taken');
    expect(await store.take(mark('e', { boot: 'bot_2', issuedMs: 2000 }), 2001)).toBe('outlived');
  });

  it('that is no such file is an error, not an empty memory', () => {
    const file = newStore();
    writeFileSync(file, 'something else entirely, and long enough to be looked at as a header of a file');
    expect(() => UsedPermitsFile.open(file)).toThrow(expect.objectContaining({ code: 'used-permits-failed' }));
    expect(() => UsedPermitsFile.open(path.join(folder, 'no/such/folder/used.db'))).toThrow(
      expect.objectContaining({ code: 'used-permits-failed' }),
    );
  });

  it('that fails says so, and nothing is taken', async () => {
    const store = UsedPermitsFile.open(newStore());
    store[Symbol.dispose]();
    await expect(store.take(mark('a'), 0)).rejects.toMatchObject({ code: 'used-permits-failed' });
  });
});

describe('headerPairs', () => {
  it('reads what node:http gives', () => {
    expect(headerPairs(['A', '1', 'b', '2'])).toEqual([
      ['A', '1'],
      ['b', '2'],
    ]);
  });
});
