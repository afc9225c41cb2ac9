import type { ActionName } from '@cordon/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CompiledGrants,
  compileGrants,
  exactGrant,
  type Grant,
  parseAllow,
  rulesFor,
  suggestGrant,
  transportFor,
} from '../src/index.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const options = { layer: 'session', source: 'cordon.yaml' } as const;

function compiled(grants: readonly Grant[]): CompiledGrants {
  const result = compileGrants(grants, options);
  if (!result.ok) throw new TypeError(JSON.stringify(result.problems));
  return result;
}
const problemOf = (grant: Grant) => {
  const result = compileGrants([grant], options);
  return result.ok ? null : (result.problems[0]?.message ?? '');
};
const allows = (grants: readonly Grant[], origin: string, method: string, path: string) => {
  const { policies, origins } = compiled(grants);
  return decide(snapshotOf(engine, { session: policies, origins }), intentOf(origin, method, path)).outcome === 'allow';
};
const github = 'https://api.github.com:443';

describe('a grant', () => {
  it('becomes the Cedar text of the design', () => {
    const { policies } = compiled([
      {
        allow: 'api.github.com/repos/acme/*/issues/**',
        methods: ['POST'],
        clearance: 'private',
        limits: { bytes: '64KiB', rate: '30/1m' },
        line: 7,
      },
    ]);
    expect(policies).toEqual({
      'session/cordon.yaml/1': [
        '@source("cordon.yaml:7") @bytes("65536") @rate("30/1m")',
        'permit (principal, action == Cordon::Action::"http.request", resource == Cordon::Origin::"https://api.github.com:443")',
        'when { context.http.method == "POST" && context.http.route like "/0:repos/1:acme/2:*/3:issues/*" };',
      ].join('\n'),
    });
  });

  it('with `approval` waits for so many people; a deny and a tunnel cannot', () => {
    const grants: Grant[] = [
      { allow: 'a.example/pay/**', methods: ['POST'], approval: 2 },
      { allow: 'wss://b.example/feed', approval: 1 },
      { allow: 'c.example/**', websocket: true, approval: 1 },
      { allow: 'c.example/free' },
    ];
    const { policies, describe: words } = compiled(grants);
    expect(policies['session/cordon.yaml/1']).toContain(' && context.approval.quorum >= 2 };');
    expect(words[0]).toContain('waits until 2 people agree');
    expect(words[1]).toContain('waits until a person agrees');
    const rungs = [1, 2].map((quorum) => ({ quorum, strong: false }));
    const snapshot = snapshotOf(engine, { session: policies }, { rungs });
    const outcome = (resource: string, method: string, path: string, action: ActionName = 'http.request') => {
      const { record } = decide(snapshot, intentOf(resource, method, path, { action }));
      return record.outcome === 'hold' ? `hold ${record.rung?.quorum}` : record.outcome;
    };
    expect(outcome('https://a.example:443', 'POST', '/pay/x')).toBe('hold 2');
    expect(outcome('https://a.example:443', 'GET', '/pay/x')).toBe('deny');
    expect(outcome('https://b.example:443', 'GET', '/feed', 'http.upgrade')).toBe('hold 1');
    // Only what was opened with an approval has messages.
    expect(outcome('https://b.example:443', 'GET', '/feed', 'http.message')).toBe('allow');
    expect(outcome('https://c.example:443', 'GET', '/x')).toBe('hold 1');
    expect(outcome('https://c.example:443', 'GET', '/x', 'http.upgrade')).toBe('hold 1');
    expect(outcome('https://c.example:443', 'GET', '/x', 'http.message')).toBe('allow');
    expect(outcome('https://c.example:443', 'GET', '/free')).toBe('allow');
    expect(problemOf({ deny: 'a.example', approval: 1 })).toContain('a deny is a deny');
    expect(problemOf({ allow: 'tcp://a.example:5432', approval: 1 })).toContain('tunnel');
    for (const approval of [0, 17, 1.5, -1]) {
      expect(problemOf({ allow: 'a.example', approval })).toContain('how many people');
    }
  });

  it('without a path is for all of the host, GET and HEAD, https and its port alone', () => {
    const grant = [{ allow: 'a.example' }];
    expect(allows(grant, 'https://a.example:443', 'GET', '/')).toBe(true);
    expect(allows(grant, 'https://a.example:443', 'HEAD', '/x/y')).toBe(true);
    expect(allows(grant, 'https://a.example:443', 'POST', '/')).toBe(false);
    expect(allows(grant, 'https://a.example:443', 'OPTIONS', '/')).toBe(false);
    expect(allows(grant, 'http://a.example:80', 'GET', '/')).toBe(false);
    expect(allows(grant, 'https://a.example:8443', 'GET', '/')).toBe(false);
    expect(allows(grant, 'https://b.a.example:443', 'GET', '/')).toBe(false);
    expect(allows(grant, 'https://ba.example:443', 'GET', '/')).toBe(false);
    expect(allows([{ allow: 'http://a.example' }], 'http://a.example:80', 'GET', '/')).toBe(true);
    expect(allows([{ allow: 'a.example:8443/x' }], 'https://a.example:8443', 'GET', '/x')).toBe(true);
    expect(allows([{ allow: '[::1]:8443' }], 'https://[::1]:8443', 'GET', '/')).toBe(true);
    expect(allows([{ allow: '10.0.0.1' }], 'https://10.0.0.1:443', 'GET', '/')).toBe(true);
  });

  it('takes an escaped star for the character, and no other backslash', () => {
    const grant = [{ allow: String.raw`a.example/x/\*` }];
    expect(allows(grant, 'https://a.example:443', 'GET', '/x/*')).toBe(true);
    expect(allows(grant, 'https://a.example:443', 'GET', '/x/y')).toBe(false);
    expect(allows(grant, 'https://a.example:443', 'GET', String.raw`/x/\*`)).toBe(false);
    const below = [{ allow: String.raw`a.example/\*\*/*/b\*c/**` }];
    expect(allows(below, 'https://a.example:443', 'GET', '/**/any/b*c/d')).toBe(true);
    expect(allows(below, 'https://a.example:443', 'GET', '/xx/any/b*c/d')).toBe(false);
    expect(allows(below, 'https://a.example:443', 'GET', '/**/any/bxc/d')).toBe(false);
    expect(compiled(grant).describe).toEqual([String.raw`allow GET, HEAD https://a.example/x/\*`]);
    for (const bad of [
      String.raw`a.example/\**`,
      String.raw`a.example/\x`,
      String.raw`a.example/\\*`,
      'a.example/b*c',
    ]) {
      expect(problemOf({ allow: bad }), bad).not.toBeNull();
    }
    expect(exactGrant(intentOf('https://a.example:443', 'GET', '/x/*'))).toEqual({
      allow: String.raw`a.example/x/\*`,
      method: 'GET',
      encodedSlash: false,
    });
  });

  it('of a wildcard is for names strictly below, in one scheme and port', () => {
    const grant = [{ allow: '*.example.com', methods: ['GET', 'PUT'] }];
    expect(allows(grant, 'https://a.example.com:443', 'PUT', '/')).toBe(true);
    expect(allows(grant, 'https://b.a.example.com:443', 'GET', '/')).toBe(true);
    expect(allows(grant, 'https://example.com:443', 'GET', '/')).toBe(false);
    expect(allows(grant, 'https://notexample.com:443', 'GET', '/')).toBe(false);
    expect(allows(grant, 'https://a.example.com.evil.net:443', 'GET', '/')).toBe(false);
    expect(allows(grant, 'http://a.example.com:80', 'GET', '/')).toBe(false);
    expect(allows(grant, 'http://a.example.com:443', 'GET', '/')).toBe(false);
    expect(allows(grant, 'https://a.example.com:8443', 'GET', '/')).toBe(false);
    expect(allows([{ allow: 'http://*.example.com:8080' }], 'http://a.example.com:8080', 'GET', '/')).toBe(true);
  });

  it.each(['*.com', '*.co.uk', '*.github.io', '*.s3.amazonaws.com', '*.localhost', '*.ck', '*.foo.ck', '*.pages.dev'])(
    'of %s would be a grant for strangers',
    (allow) => {
      expect(problemOf({ allow })).toMatch(/open to everybody/);
      expect(problemOf({ deny: allow })).toBe(null);
    },
  );

  it.each<[string, string, boolean]>([
    ['/a/**', '/a', true],
    ['/a/**', '/a/', true],
    ['/a/**', '/a/b/c', true],
    ['/a/**', '/ab', false],
    ['/a/**', '/', false],
    ['/a', '/a', true],
    ['/a', '/a/', false],
    ['/a', '/a/b', false],
    ['/a/', '/a/', true],
    ['/a/', '/a', false],
    ['/*', '/x', true],
    ['/*', '/x/y', false],
    ['/a/*', '/a/x', true],
    ['/a/*', '/a/x/y', false],
    ['/a/*', '/a', false],
    ['/a/*/c', '/a/b/c', true],
    ['/a/*/c', '/a/b/b/c', false],
    ['/a/*/c', '/a/b/c/c', false],
    ['/a/*/c', '/a/b/2:c/c', false],
    ['/*/*', '/a/b', true],
    ['/*/*', '/a/b/c', false],
    ['/a/*/**', '/a/b', true],
    ['/a/*/**', '/a', false],
    ['/app/**', '/application', false],
    ['/%61/b', '/a/b', true],
    ['/a b', '/a%20b', true],
    ['/', '/', true],
    ['/', '/a', false],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(allows([{ allow: `api.github.com${pattern}` }], github, 'GET', path)).toBe(expected);
  });

  it('permits exactly what a simple reference matcher accepts', () => {
    const segment = fc.constantFrom('a', 'ab', '1:b', '2:', 'b', '*', "a'b", 'a.b', '%5C', '%22', 'ü');
    const pattern = fc.tuple(fc.array(segment, { maxLength: 4 }), fc.constantFrom('', '/', '/**'));
    const patterns = fc
      .sample(pattern, { numRuns: 150, seed: 11 })
      .map(([parts, end]) => `/${parts.join('/')}${parts.length === 0 && end === '/' ? '' : end}`.replace('//', '/'));
    const plain = fc.constantFrom('a', 'ab', '1:b', '2:', 'b', "a'b", 'a.b', '%22', '%C3%BC', 'x');
    const path = fc
      .tuple(fc.array(plain, { maxLength: 5 }), fc.boolean())
      .map(([parts, slash]) => `/${parts.join('/')}${slash && parts.length > 0 ? '/' : ''}`);
    const usable = patterns.filter((each) => problemOf({ allow: `api.github.com${each}` }) === null);
    expect(usable.length).toBeGreaterThan(80);
    const snapshots = new Map(
      usable.map((each) => [
        each,
        snapshotOf(engine, { session: compiled([{ allow: `api.github.com${each}` }]).policies }),
      ]),
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.constantFrom(...usable), path, (each, tried) => {
        const snapshot = snapshots.get(each);
        const expected = matches(each, tried);
        if (expected) accepted++;
        expect(snapshot && decide(snapshot, intentOf(github, 'GET', tried)).outcome === 'allow').toBe(expected);
      }),
      { numRuns: 3000, seed: 5 },
    );
    expect(accepted).toBeGreaterThan(100);
    // Thousands of questions, each denied one asked twice.
  }, 120_000);

  it('is refused with the field and the mend', () => {
    expect(problemOf({})).toMatch(/exactly one/);
    expect(problemOf({ allow: 'a.example', deny: 'b.example' })).toMatch(/exactly one/);
    for (const allow of [
      '',
      '*',
      '*.*.example.com',
      'a*.example.com',
      '*.1.2.3.4',
      'ftp://a.example',
      'a.example:',
      'a.example:0',
      'a.example:99999',
      'u@a.example',
      '127.1',
      'a.example/a*',
      'a.example/**/b',
      'a.example//x',
      'a.example/../x',
      'a.example/%2f',
      'a.example/x?y',
      'a.example/x#y',
      'a.example /x',
      '2130706433',
    ]) {
      expect(problemOf({ allow }), allow).toMatch(/^allow: /);
    }
    for (const methods of [[], ['get'], ['CONNECT'], ['TRACE'], ['GET POST'], ['G"ET']]) {
      expect(problemOf({ allow: 'a.example', methods })).toMatch(/^methods: /);
    }
    for (const limits of [
      { bytes: '64kb' },
      { bytes: -1 },
      { bytes: 1.5 },
      { rate: '30' },
      { rate: '0/1m' },
      { rate: '30/1d' },
      { rate: '1/1m")' },
    ]) {
      expect(problemOf({ allow: 'a.example', limits })).toMatch(/^limits: /);
    }
    for (const cidr of ['10.0.0.0/', '10.0.0', '10.0.0.0/33', '10/8', 'fd00::/129', 'localhost/8', '10.0.0.0/08']) {
      expect(problemOf({ allow: 'a.example', addresses: [cidr] })).toMatch(/^addresses: /);
    }
    const result = compileGrants([{ allow: 'a.example', methods: ['get'], line: 9 }], options);
    expect(result).toMatchObject({ ok: false, problems: [{ file: 'cordon.yaml', line: 9, mend: 'GET' }] });
    expect(compileGrants(Array(257).fill({ allow: 'a.example' }), options).ok).toBe(false);
  });

  it('cannot smuggle Cedar in by its source', () => {
    const result = compileGrants([{ allow: 'a.example' }], {
      layer: 'session',
      source: 'x") permit (principal, action, resource); //\n',
    });
    if (!result.ok) throw new TypeError('refused');
    const snapshot = snapshotOf(engine, { session: result.policies });
    expect(decide(snapshot, intentOf('https://a.example:443', 'GET', '/')).outcome).toBe('allow');
    expect(decide(snapshot, intentOf('https://b.example:443', 'GET', '/')).outcome).toBe('deny');
  });
});

describe('a deny', () => {
  const with_ = (deny: Grant) => [
    { allow: 'a.example' },
    { allow: 'http://a.example' },
    { allow: '*.a.example' },
    deny,
  ];
  it('of a host is for every scheme, port and method there', () => {
    const grants = with_({ deny: 'a.example' });
    expect(allows(grants, 'https://a.example:443', 'GET', '/')).toBe(false);
    expect(allows(grants, 'http://a.example:80', 'GET', '/')).toBe(false);
    expect(allows(grants, 'https://b.a.example:443', 'GET', '/')).toBe(true);
  });

  it('of a scheme, a path, a method or a wildcard is for that alone', () => {
    expect(allows(with_({ deny: 'http://a.example' }), 'http://a.example:80', 'GET', '/')).toBe(false);
    expect(allows(with_({ deny: 'http://a.example' }), 'https://a.example:443', 'GET', '/')).toBe(true);
    expect(allows(with_({ deny: 'a.example/admin/**' }), 'https://a.example:443', 'GET', '/admin')).toBe(false);
    expect(allows(with_({ deny: 'a.example/admin/**' }), 'https://a.example:443', 'GET', '/administer')).toBe(true);
    expect(allows(with_({ deny: 'a.example', methods: ['HEAD'] }), 'https://a.example:443', 'HEAD', '/')).toBe(false);
    expect(allows(with_({ deny: 'a.example', methods: ['HEAD'] }), 'https://a.example:443', 'GET', '/')).toBe(true);
    expect(allows(with_({ deny: '*.a.example' }), 'https://b.a.example:443', 'GET', '/')).toBe(false);
    expect(allows(with_({ deny: '*.a.example' }), 'https://a.example:443', 'GET', '/')).toBe(true);
  });
});

describe('--allow', () => {
  it.each<[string, Grant]>([
    ['a.example', { allow: 'a.example' }],
    ['a.example/x', { allow: 'a.example/x' }],
    ['a.example:8443', { allow: 'a.example:8443' }],
    ['a.example:POST', { allow: 'a.example', methods: ['POST'], clearance: 'private' }],
    ['a.example:8443/x:GET,HEAD', { allow: 'a.example:8443/x', methods: ['GET', 'HEAD'] }],
    ['http://a.example/x:PUT', { allow: 'http://a.example/x', methods: ['PUT'], clearance: 'private' }],
    ['[::1]:8443:POST', { allow: '[::1]:8443', methods: ['POST'], clearance: 'private' }],
    ['*.example.com', { allow: '*.example.com' }],
  ])('%s', (text, grant) => {
    expect(parseAllow(text)).toEqual({ ok: true, grant });
    expect(compileGrants([grant], options).ok).toBe(true);
  });

  it.each([
    ['', 'HOST'],
    ['a.example:post', 'METHODS'],
    ['a.example:GET,,POST', 'METHODS'],
    ['a.example:CONNECT', 'METHODS'],
    ['*.com', 'HOST'],
    ['a.example/x*', 'HOST'],
    ['127.1', 'HOST'],
    ['a.example:99999', 'HOST'],
  ])('%j is refused and names the field %s', (text, field) => {
    const result = parseAllow(text);
    expect(result.ok ? '' : result.message).toContain(`: ${field}`);
  });

  it('is suggested for a denied request, permits exactly that, and nothing beside it', () => {
    const method = fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE');
    const origin = fc.constantFrom(
      'https://httpbin.org:443',
      'http://a.example:80',
      'https://a.example:8443',
      'https://10.0.0.1:443',
      'https://[::1]:443',
    );
    const path = fc.constantFrom('/', '/post', '/a/b/', '/a%20b', '/a:b', '/a:POST');
    fc.assert(
      fc.property(origin, method, path, (at, verb, where) => {
        const text = suggestGrant(intentOf(at, verb, where));
        const parsed = parseAllow(text ?? '');
        if (!parsed.ok) throw new TypeError(parsed.message);
        expect(allows([parsed.grant], at, verb, where)).toBe(true);
        expect(allows([parsed.grant], at, verb, `${where}x`)).toBe(false);
        expect(allows([parsed.grant], 'https://other.example:443', verb, where)).toBe(false);
        expect(allows([parsed.grant], at, 'PATCH', where)).toBe(false);
      }),
      { numRuns: 40 },
    );
    expect(suggestGrant(intentOf('https://httpbin.org:443', 'POST', '/post'))).toBe('httpbin.org/post:POST');
    expect(suggestGrant(intentOf('https://httpbin.org:443', 'GET', '/a*b'))).toBe(null);
    expect(suggestGrant(intentOf('https://httpbin.org:443', 'GET', "/a'b"))).toBe(null);
    const google = intentOf('https://g.example:443', 'POST', '/v1/models/m:generateContent');
    expect(suggestGrant(google)).toBe('g.example/v1/models/m:generateContent:POST');
    expect(parseAllow('g.example/v1/models/m:generateContent:POST')).toMatchObject({ grant: { methods: ['POST'] } });
    const pasted = decide(
      snapshotOf(engine, { session: {} }),
      intentOf('https://httpbin.org:443', 'GET', '/a;$(id)&b'),
    );
    expect(pasted.nextSteps[0]).toBe("cordon run --allow 'httpbin.org/a;$(id)&b'");
    const denied = decide(snapshotOf(engine, { session: {} }), intentOf('https://httpbin.org:443', 'POST', '/post'));
    expect(denied.nextSteps).toEqual(['cordon run --allow httpbin.org/post:POST', 'cordon policy explain att_1']);
    expect(denied.record.next).toEqual(['explain', 'grant']);
  });
});

describe('origin rules', () => {
  it('take an address alone for the range of itself', () => {
    const compiled = compileGrants([{ allow: 'a.example', addresses: ['127.0.0.1', '::1', '10.0.0.0/8'] }], {
      layer: 'tenant',
      source: 'x',
    });
    expect(compiled).toMatchObject({ origins: [{ addresses: ['127.0.0.1/32', '::1/128', '10.0.0.0/8'] }] });
  });

  it('speak of their origin or what is below, and a session never makes one trusted', () => {
    const tenant = compileGrants([{ allow: '*.corp.example', addresses: ['10.0.0.0/8'], encodedSlash: true }], {
      layer: 'tenant',
      source: 'x',
      trusted: true,
    });
    const session = compileGrants([{ allow: 'http://a.corp.example:8080', addresses: ['127.0.0.0/8'], body: true }], {
      layer: 'session',
      source: 'y',
      trusted: true,
    });
    if (!tenant.ok || !session.ok) throw new TypeError('refused');
    const snapshot = snapshotOf(engine, { tenantOrigins: tenant.origins, origins: session.origins });
    expect(rulesFor(snapshot, 'https://a.corp.example:443')).toMatchObject([
      { trusted: true, addresses: ['10.0.0.0/8'] },
    ]);
    expect(rulesFor(snapshot, 'http://a.corp.example:8080')).toMatchObject([
      { trusted: false, addresses: ['127.0.0.0/8'] },
    ]);
    expect(rulesFor(snapshot, 'https://corp.example:443')).toEqual([]);
    expect(rulesFor(snapshot, 'https://xcorp.example:443')).toEqual([]);
    expect(transportFor(snapshot, 'https://a.corp.example:443')).toEqual({ bodyOnRead: false, encodedSlash: true });
    expect(transportFor(snapshot, 'http://a.corp.example:8080')).toEqual({ bodyOnRead: true, encodedSlash: false });
    expect(transportFor(snapshot, 'https://b.example:443')).toEqual({ bodyOnRead: false, encodedSlash: false });
  });
});

/** Segment by segment, as a person reads the pattern. */
function matches(pattern: string, path: string): boolean {
  const decode = (text: string) => decodeURIComponent(text);
  const wanted = pattern.slice(1).split('/');
  const given = path.slice(1).split('/').map(decode);
  const below = wanted.at(-1) === '**';
  const fixed = below ? wanted.slice(0, -1) : wanted;
  if (below ? given.length < fixed.length : given.length !== fixed.length) return false;
  return fixed.every((part, index) => part === '*' || decode(part) === given[index]);
}
