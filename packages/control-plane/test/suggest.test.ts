import {
  authorize,
  compileGrants,
  createFacts,
  createSnapshot,
  mergeLayer,
  noApproval,
  usualFlow,
} from '@cordon/policy';
import type { ActionName, Intent, SessionPolicy, Suggestion, TenantPolicy } from '@cordon/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { narrowest } from '../src/suggest/draft.ts';
import { Harness, testEngine, until } from './harness.ts';
import { type Asked, WritingGateway } from './writing-gateway.ts';

const engine = testEngine();
const site = (path: string, more: Partial<Asked> = {}): Asked => ({ resource: 'https://api.test:443', path, ...more });

interface Allows {
  readonly allow: string;
  readonly methods?: string[];
}

const who = { tenant: 'local', session: 'ses_1', agent: 'a', person: 'p', chain: `sha256:${'0'.repeat(64)}` };

function intentOf(asked: Asked): Intent {
  return {
    ...{ v: 'intent/1' as const, ...who, salt: '0'.repeat(32) },
    action: asked.action ?? ('http.request' as ActionName),
    resource: asked.resource,
    args: { method: asked.method ?? 'GET', path: asked.path ?? '/', query: [], headers: [] },
    payload: { sha256: `sha256:${'0'.repeat(64)}`, bytes: asked.bytes ?? 0, kind: 'none' },
  };
}

/** Decides by the grants of a suggestion's text alone, with or without some of its lines. */
function judge(
  suggestion: Pick<Suggestion, 'yaml'>,
  asked: Asked,
  without: (grant: Allows, method: string | null) => boolean = () => false,
) {
  const file = parse(suggestion.yaml) as { grants: Allows[] };
  const grants = file.grants.flatMap((grant) => {
    if (grant.methods === undefined) return without(grant, null) ? [] : [grant];
    const methods = grant.methods.filter((method) => !without(grant, method));
    return methods.length === 0 ? [] : [{ ...grant, methods }];
  });
  const compiled = compileGrants(grants, { layer: 'session', source: 'suggested' });
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  const layer = mergeLayer('session', [compiled.policies]);
  const open = (name: 'ceiling' | 'tenant') => ({
    name,
    policies: { [`${name}/open`]: 'permit (principal, action, resource);' },
  });
  const tenant: TenantPolicy = {
    tenant: 'local',
    generation: 1,
    layers: [open('ceiling'), open('tenant')],
    origins: [],
    expires: null,
  };
  if (!layer.ok) throw new TypeError('two grants of one id');
  const session = {
    ...who,
    salt: '0'.repeat(32),
    revision: 1,
    layer: layer.layer,
    origins: compiled.origins,
    secrets: [],
    stopped: false,
    startedAt: '',
    profile: '',
  } as SessionPolicy;
  const made = createSnapshot(engine, tenant, session);
  if (!made.ok) throw new TypeError(JSON.stringify(made.problems));
  const intent = intentOf(asked);
  const times = { at: '2026-01-01T00:00:00.000Z', freshUntil: '2027-01-01T00:00:00.000Z' };
  const facts = createFacts(intent, { attempt: 'att_1', live: true, flow: usualFlow, ...times });
  return authorize(made.snapshot, made.snapshot.principal, intent, facts, noApproval).outcome;
}

const segment = fc.oneof(
  fc.constantFrom('a', 'b', '*', '**', 'x*y', 'v1', 'GET', '%2A', "it's", 'a:POST', '%22', '%7B%7D', '~', '%23'),
  fc.stringMatching(/^[a-z0-9*:@!$&'()+,;=_-]{1,8}$/),
);
const request = fc.record({
  resource: fc.constantFrom(
    'https://api.test:443',
    'https://b.test:8443',
    'http://api.test:80',
    'https://203.0.113.7:443',
  ),
  path: fc.array(segment, { minLength: 0, maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE', 'PATCH'),
});

describe('the narrowest grants, for any requests', () => {
  const drafted = (asked: readonly Asked[]): Pick<Suggestion, 'yaml'> => {
    const candidates = asked.map((one) => {
      const intent = intentOf(one);
      const seen = { count: 1, first: '', last: '', attempt: null };
      const tried = {
        ...seen,
        session: 's',
        summary: '',
        code: '',
        undialled: false,
        by: 'policy' as const,
        intent,
        facts: null,
      };
      return { tried, intent, place: { kind: 'open' as const } };
    });
    const { drafts, unsayable } = narrowest(candidates);
    expect(unsayable).toEqual([]);
    const grants = drafts.map((draft) => ({ allow: draft.allow, methods: draft.methods }));
    return { yaml: JSON.stringify({ grants }) };
  };

  test('permit every one of them, and nothing that differs in one segment, method, host or scheme', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), request, (asked, other) => {
        const suggestion = drafted(asked);
        const keys = new Set(asked.map(({ resource, path, method }) => `${resource} ${method} ${path}`));
        for (const one of asked) {
          expect(judge(suggestion, one)).toBe('allow');
          const segments = one.path.slice(1).split('/');
          const near: Asked[] = [
            other,
            ...segments.map((_, at) => ({ ...one, path: `/${segments.with(at, 'other').join('/')}` })),
            { ...one, path: `${one.path === '/' ? '' : one.path}/more` },
            { ...one, method: 'OPTIONS' },
            { ...one, resource: one.resource.replace('://', '://sub.').replace('sub.203.0.113.7', '203.0.113.8') },
            { ...one, resource: 'http://api.test:8080' },
          ];
          for (const each of near) {
            const seen = keys.has(`${each.resource} ${each.method} ${each.path}`);
            expect(judge(suggestion, each), JSON.stringify([asked, each])).toBe(seen ? 'allow' : 'deny');
          }
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe('policy suggest', () => {
  let harness: Harness;
  let gateway: WritingGateway;
  beforeAll(async () => {
    harness = await Harness.start();
    gateway = await WritingGateway.open(harness);
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await harness[Symbol.asyncDispose]();
  });

  const start = async (change: Record<string, unknown> = {}): Promise<string> =>
    (await harness.post('/v1/sessions', harness.order(change))).json.id as string;
  const suggest = async (session: string, more: Record<string, unknown> = {}): Promise<Suggestion> => {
    const reply = await harness.post('/v1/policy/suggest', { sessions: [session], ...more });
    expect(reply.status, reply.text).toBe(200);
    return reply.json as Suggestion;
  };
  const tried = async (session: string, asked: readonly Asked[]): Promise<void> => {
    for (const one of asked) await gateway.request(session, one);
  };

  test('is one exact grant a path, and every line of it is needed', async () => {
    const session = await start();
    const asked = [
      site('/a', { method: 'GET' }),
      site('/a', { method: 'POST', bytes: 5000 }),
      site('/b/c', { method: 'DELETE' }),
      { resource: 'http://api.test:8080', path: '/a' },
      site('/a', { method: 'GET' }),
    ];
    await tried(session, asked);
    const suggestion = await suggest(session);
    expect(
      suggestion.grants.map(({ allow, methods, limits, effect, count }) => [
        allow,
        methods,
        limits?.bytes ?? null,
        effect,
        count,
      ]),
    ).toEqual([
      ['api.test/a', ['GET', 'POST'], '8KiB', 'share', 3],
      ['api.test/b/c', ['DELETE'], null, 'destroy', 1],
      ['http://api.test:8080/a', ['GET'], null, 'read', 1],
    ]);
    expect(suggestion.denied).toEqual({ attempts: 5, requests: 4, permittedNow: 0 });
    expect(suggestion.verified).toEqual({ allowed: 5, others: 0 });
    expect(suggestion.yaml).toContain(
      'With these grants 5 of the 5 would be allowed, and nothing else that was denied.',
    );
    for (const one of asked) expect(judge(suggestion, one)).toBe('allow');
    // Narrower is impossible: without any one line of it one of the requests is denied again.
    for (const grant of suggestion.grants) {
      for (const method of grant.methods ?? []) {
        const without = (each: Allows, its: string | null) => each.allow === grant.allow && its === method;
        expect(
          asked.some((one) => judge(suggestion, one, without) === 'deny'),
          `${grant.allow} ${method}`,
        ).toBe(true);
      }
    }
    // Broader is nothing: another segment, method, host, scheme, port or a larger body stays denied.
    const near: Asked[] = [
      site('/'),
      site('/a/'),
      site('/a/b'),
      site('/b'),
      site('/b/d', { method: 'DELETE' }),
      site('/b/c'),
      site('/a', { method: 'PUT' }),
      site('/a', { method: 'POST', bytes: 8193 }),
      { resource: 'https://b.api.test:443', path: '/a' },
      { resource: 'https://api.test:8443', path: '/a' },
      { resource: 'http://api.test:80', path: '/a' },
      { resource: 'http://api.test:8080', path: '/a', method: 'HEAD' },
    ];
    for (const one of near) expect(judge(suggestion, one), JSON.stringify(one)).toBe('deny');
  });

  test('puts in force what it says: a session with the text is allowed what was denied', async () => {
    const session = await start();
    await tried(session, [site('/x/y'), site('/z', { method: 'PUT', bytes: 10 })]);
    const { yaml } = await suggest(session);
    const again = await start({ policy: { name: 'cordon.yaml', text: yaml } });
    await tried(again, [site('/x/y'), site('/z', { method: 'PUT', bytes: 10 }), site('/x/other')]);
    const { json } = await harness.get(`/v1/decisions?session=${again}&order=asc`);
    expect(json.decisions.map(({ outcome }: { outcome: string }) => outcome)).toEqual(['allow', 'allow', 'deny']);
    // What the policy of now permits is not suggested a second time.
    expect((await suggest(again)).grants.map(({ allow }) => allow)).toEqual(['api.test/x/other']);
  });

  test('lists apart what no grant of a session mends, and whose word it needs', async () => {
    const session = await start();
    harness.policyFile(
      'no.cedar',
      '@id("no-paste") forbid (principal, action, resource in Cordon::Host::"paste.test");\n',
    );
    await until(async () => (await harness.get('/v1/policy')).json.generation > 1);
    await until(() => (gateway.gateway.tenants.at(-1)?.generation ?? 0) > 1);
    const metadata = [
      'http://169.254.169.254:80',
      'https://metadata.google.internal:443',
      'https://[fd00:ec2::254]:443',
    ];
    await tried(session, [
      ...metadata.map((resource) => ({ resource, path: '/latest' })),
      { resource: 'https://paste.test:443', path: '/', method: 'POST', bytes: 1 },
      { resource: 'https://127.0.0.1:443', path: '/' },
      { resource: 'https://api.test:6443', path: '/' },
      { resource: 'https://10.1.2.3:443', path: '/' },
    ]);
    const suggestion = await suggest(session);
    expect(suggestion.grants).toMatchObject([{ allow: '10.1.2.3/', addresses: ['10.1.2.3/32'] }]);
    expect(suggestion.grants[0]?.warnings.join()).toContain('private address');
    const who = Object.fromEntries(suggestion.apart.map((each) => [each.summary, each.who]));
    expect(who).toEqual({
      'GET http://169.254.169.254/latest': 'never',
      'GET https://metadata.google.internal/latest': 'never',
      'GET https://[fd00:ec2::254]/latest': 'never',
      'POST https://paste.test/': 'tenant',
      'GET https://127.0.0.1/': 'tenant',
      'GET https://api.test:6443/': 'tenant',
    });
    expect(suggestion.verified).toEqual({ allowed: 1, others: 0 });
    expect(suggestion.yaml).toContain('no-paste');
    // Nor does a list of decisions send anybody to grant what is not dialled all the same.
    const { decisions } = (await harness.get(`/v1/decisions?session=${session}`)).json as {
      decisions: Array<{ resource: string; next: string[] }>;
    };
    const next = (resource: string) => decisions.find((each) => each.resource === resource)?.next.join('\n') ?? '';
    for (const resource of metadata) expect(next(resource)).toMatch(/^no grant reaches it: (?!.*--allow)/s);
    expect(next('https://10.1.2.3:443')).toMatch(/^a private address needs a grant that names it/);
    expect(next('https://10.1.2.3:443')).not.toContain('--allow');
    expect(next('https://127.0.0.1:443')).toMatch(/--allow.*the tenant's policy has to name it too/s);
  });

  test('suggests what the tenant has opened, of this host too', async () => {
    const session = await start();
    const generation = (await harness.get('/v1/policy')).json.generation;
    harness.policyFile('own.yaml', 'grants:\n  - { allow: "127.0.0.1:9000", addresses: [127.0.0.1/32] }\n');
    await until(async () => (await harness.get('/v1/policy')).json.generation > generation);
    await tried(
      session,
      ['9000', '9001'].map((port) => ({ resource: `https://127.0.0.1:${port}`, path: '/' })),
    );
    const suggestion = await suggest(session);
    expect(suggestion.grants.map(({ allow }) => allow)).toEqual(['127.0.0.1:9000/']);
    expect(suggestion.apart).toMatchObject([{ summary: 'GET https://127.0.0.1:9001/', who: 'tenant' }]);
  });

  test('takes a star, a quote and a hash of the agent for what they are', async () => {
    const session = await start();
    const paths = ['/files/*', '/files/**', "/q'uote", '/colon:GET', '/a%0Ab/%23', '/%22%7D', '/a*b/x'];
    // What is no canonical path never was an intent; the rest is said exactly.
    const asked = paths.map((path) => site(path)).filter(({ path }) => !path?.includes('%0A'));
    await tried(session, asked);
    const suggestion = await suggest(session);
    expect(suggestion.verified).toEqual({ allowed: asked.length, others: 0 });
    for (const one of asked) expect(judge(suggestion, one)).toBe('allow');
    for (const path of ['/files/x', '/files/x/y', '/files/', '/colon', '/axb/x']) {
      expect(judge(suggestion, site(path)), path).toBe('deny');
    }
    expect(suggestion.grants.find(({ allow }) => allow.endsWith('/files/\\*'))?.warnings.join()).toContain('star');
    expect(suggestion.yaml.split('\n').every((line) => /^[ -~·]*$/.test(line))).toBe(true);
  });

  test('marks what to look at twice', async () => {
    const session = await start({ allow: ['known.test'] });
    await gateway.request(session, { resource: 'https://known.test:443', path: '/' });
    await tried(session, [
      { resource: 'https://known.test:443', path: '/in', method: 'POST', bytes: 1 },
      { resource: 'https://new.test:443', path: '/in', method: 'POST', bytes: 1 },
      { resource: 'http://xn--80ak6aa92e.test:80', path: '/' },
    ]);
    const { grants, yaml } = await suggest(session);
    const warnings = Object.fromEntries(grants.map(({ allow, warnings: words }) => [allow, words.join('; ')]));
    expect(warnings['known.test/in']).toBe('');
    expect(warnings['new.test/in']).toContain('sends data to this host');
    expect(warnings['http://xn--80ak6aa92e.test/']).toMatch(/not encrypted.*punycode/);
    expect(yaml).toContain('The session had grants beside its profile');
  });

  test('groups neighbours only when asked, and says what else that allows', async () => {
    const session = await start();
    const asked = ['1', '2', '3', '4'].map((n) => site(`/repos/a/issues/${n}`));
    await tried(session, [...asked, site('/repos/a/pulls/1'), site('/repos/a/issues/9', { method: 'POST', bytes: 2 })]);
    expect((await suggest(session)).grants).toHaveLength(6);
    const suggestion = await suggest(session, { group: true });
    expect(suggestion.grants.map(({ allow, methods }) => [allow, methods])).toEqual([
      ['api.test/repos/a/issues/*', ['GET']],
      ['api.test/repos/a/issues/9', ['POST']],
      ['api.test/repos/a/pulls/1', ['GET']],
    ]);
    expect(suggestion.grants[0]?.also).toContain('any other name in place of');
    expect(suggestion.yaml).toContain('! allows also: GET of any other name in place of');
    expect(suggestion.verified).toEqual({ allowed: 6, others: 0 });
    expect(judge(suggestion, site('/repos/a/issues/77'))).toBe('allow');
    expect(judge(suggestion, site('/repos/a/issues/7/x'))).toBe('deny');
    expect(judge(suggestion, site('/repos/b/issues/1'))).toBe('deny');
  });

  test('proposes an opaque connection for a client that refused our certificate, and for nothing else', async () => {
    const session = await start();
    await gateway.refuse(session, 'tls-client-refused', { resource: 'https://pinned.test:443' });
    await gateway.refuse(session, 'tls-client-refused', { resource: 'https://pinned.test:443' });
    // A program only has to break off a handshake; that leads nobody to grant what is never dialled.
    await gateway.refuse(session, 'tls-client-refused', { resource: 'https://169.254.169.254:443' });
    await gateway.refuse(session, 'tls-client-refused', { resource: 'https://metadata.google.internal:443' });
    await gateway.refuse(session, 'tls-client-refused', { resource: 'https://127.0.0.1:9002' });
    await gateway.refuse(session, 'tls-client-refused', { resource: 'https://10.1.2.3:443' });
    await gateway.refuse(session, 'malformed-request', { resource: 'https://other.test:443' });
    const suggestion = await until(async () => {
      const found = await suggest(session);
      return found.grants.length > 1 ? found : null;
    });
    expect(suggestion.grants).toMatchObject([
      { allow: 'tls://10.1.2.3', addresses: ['10.1.2.3/32'] },
      { allow: 'tls://pinned.test', methods: null, count: 2, attempt: null, addresses: null },
    ]);
    expect(suggestion.grants[1]?.warnings.join()).toContain('unread');
    expect(suggestion.apart.map(({ summary, who }) => `${summary} ${who}`).sort()).toEqual([
      'tls://127.0.0.1:9002 tenant',
      'tls://169.254.169.254:443 never',
      'tls://metadata.google.internal:443 never',
    ]);
    const listed = await harness.get(`/v1/refusals?session=${session}&order=asc`);
    expect(listed.json.refusals.map(({ code }: { code: string }) => code)).toEqual([
      ...Array<string>(6).fill('tls-client-refused'),
      'malformed-request',
    ]);
  });

  test('says tunnels and WebSockets as the grants that permit exactly them', async () => {
    const session = await start();
    const asked: Asked[] = [
      { resource: 'tcp://db.test:5432', action: 'http.tunnel' },
      { resource: 'https://live.test:443', path: '/feed', action: 'http.upgrade' },
    ];
    await tried(session, asked);
    const suggestion = await suggest(session);
    expect(suggestion.grants.map(({ allow, methods }) => [allow, methods])).toEqual([
      ['tcp://db.test:5432', null],
      ['wss://live.test/feed', null],
    ]);
    expect(suggestion.grants[0]?.warnings.join()).toContain('a raw connection');
    expect(suggestion.verified).toEqual({ allowed: 2, others: 0 });
    expect(suggestion.allow).toEqual(['tcp://db.test:5432', 'wss://live.test/feed']);
    expect(judge(suggestion, { resource: 'https://live.test:443', path: '/feed' })).toBe('deny');
    expect(judge(suggestion, { resource: 'https://live.test:443', path: '/other', action: 'http.upgrade' })).toBe(
      'deny',
    );
    expect(judge(suggestion, { resource: 'tcp://db.test:5433', action: 'http.tunnel' })).toBe('deny');
  });

  test('looks at several sessions, at an agent, and at what is recent', async () => {
    const first = await start({ name: 'twin' });
    await tried(first, [site('/old')]);
    const since = new Date(Date.now() + 1).toISOString();
    const second = await start({ name: 'twin' });
    await until(() => Date.now() > Date.parse(since) || null);
    await tried(second, [site('/new')]);
    const both = await harness.post('/v1/policy/suggest', { sessions: [first, second] });
    expect(both.json.grants).toHaveLength(2);
    const agent = await harness.post('/v1/policy/suggest', { agent: 'twin', since });
    expect(agent.json.grants.map(({ allow }: { allow: string }) => allow)).toEqual(['api.test/new']);
    expect(agent.json.sessions).toEqual([second]);
    const nothing = await suggest(await start());
    expect(nothing.yaml).toContain('grants: []');
    expect((await harness.post('/v1/policy/suggest', {})).json.code).toBe('request-invalid');
    const stranger = await harness.post('/v1/policy/suggest', { sessions: ['ses_00000000000000000000000000'] });
    expect(stranger.json.code).toBe('not-found');
  });
});
