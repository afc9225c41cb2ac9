import type { SecretBinding } from '@cordon/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  findPlaceholders,
  isSecretName,
  matchesPath,
  parseBasic,
  planSecrets,
  type RequestPlace,
  type SecretPlan,
} from '../src/index.ts';

const github: SecretBinding = {
  name: 'github',
  to: ['https://api.github.com'],
  at: { header: 'authorization', form: 'Bearer {}' },
  methods: ['GET', 'POST'],
  paths: ['/repos/acme/**'],
  require: false,
};
const model: SecretBinding = {
  name: 'anthropic',
  to: ['https://api.anthropic.com:443'],
  at: { header: 'x-api-key', form: '{}' },
  methods: null,
  paths: null,
  require: false,
};
const git: SecretBinding = {
  name: 'git',
  to: ['https://github.com'],
  at: { basic: 'password' },
  methods: null,
  paths: null,
  require: false,
};
const registry: SecretBinding = {
  name: 'registry',
  to: ['https://registry.example'],
  at: { header: 'Authorization', form: 'Bearer {}' },
  methods: ['GET'],
  paths: null,
  require: true,
};
const bindings = [github, model, git, registry];
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`, 'latin1').toString('base64')}`;
const request = (change: Partial<RequestPlace> = {}): RequestPlace => ({
  origin: 'https://api.github.com:443',
  method: 'GET',
  path: '/repos/acme/app',
  query: [],
  headers: [
    ['Accept', '*/*'],
    ['Authorization', 'Bearer cordon:secret:github'],
  ],
  ...change,
});
const plan = (change: Partial<RequestPlace> = {}): SecretPlan => {
  const made = planSecrets(request(change), bindings);
  if (made.refused) throw new Error(made.detail);
  return made;
};
const refused = (change: Partial<RequestPlace>): string | null => {
  const made = planSecrets(request(change), bindings);
  return made.refused ? made.code : null;
};

describe('where it is bound', () => {
  test('a header in its exact form', () => {
    expect(plan()).toEqual({
      refused: false,
      uses: [{ name: 'github', header: 1, form: 'plain' }],
      headers: [
        ['Accept', '*/*'],
        ['Authorization', 'Bearer cordon:secret:github'],
      ],
    });
    expect(plan({ headers: [['AUTHORIZATION', 'Bearer cordon:secret:github']] }).uses).toHaveLength(1);
    expect(
      plan({
        origin: 'https://api.anthropic.com:443',
        path: '/v1/messages',
        method: 'POST',
        headers: [['X-Api-Key', 'cordon:secret:anthropic']],
      }).uses,
    ).toHaveLength(1);
  });
  test('a Basic password, with any user', () => {
    for (const user of ['x-access-token', '', 'u\xe9']) {
      const made = plan({
        origin: 'https://github.com:443',
        headers: [['Authorization', basic(user, 'cordon:secret:git')]],
      });
      expect(made.uses).toEqual([{ name: 'git', header: 0, form: 'basic' }]);
    }
  });
  test('a request without placeholders is not touched, its own credentials included', () => {
    const headers = [
      ['Cookie', 'a=b'],
      ['Range', 'bytes=0-1'],
      ['Authorization', 'Bearer mine'],
    ] as const;
    expect(plan({ headers })).toEqual({ refused: false, uses: [], headers });
  });
});

describe('every wrong place is refused', () => {
  const held = 'Bearer cordon:secret:github';
  test.each<[string, Partial<RequestPlace>]>([
    ['another origin', { origin: 'https://evil.example:443' }],
    ['another port', { origin: 'https://api.github.com:8443' }],
    ['a subdomain', { origin: 'https://x.api.github.com:443' }],
    ['plain http', { origin: 'http://api.github.com:80' }],
    ['plain http on 443', { origin: 'http://api.github.com:443' }],
    ['another method', { method: 'DELETE' }],
    ['another path', { path: '/repos/other/app' }],
    ['a path that only starts alike', { path: '/repos/acmeX' }],
    ['another header', { headers: [['X-Token', held]] }],
    ['another form', { headers: [['Authorization', 'token cordon:secret:github']] }],
    ['another case of the form', { headers: [['Authorization', 'bearer cordon:secret:github']] }],
    ['no form', { headers: [['Authorization', 'cordon:secret:github']] }],
    ['text around it', { headers: [['Authorization', `${held} x`]] }],
    ['a longer name', { headers: [['Authorization', `${held}2`]] }],
    ['another case of the name', { headers: [['Authorization', 'Bearer cordon:secret:GitHub']] }],
    ['an unknown name', { headers: [['Authorization', 'Bearer cordon:secret:nobody']] }],
    ['two in one value', { headers: [['Authorization', `${held}, cordon:secret:github`]] }],
    ['nested', { headers: [['Authorization', 'Bearer cordon:secret:cordon:secret:github']] }],
    ['the query', { headers: [], query: [['token', 'cordon:secret:github']] }],
    ['the name of a query pair', { headers: [], query: [['cordon:secret:github', '']] }],
    ['the name of a header', { headers: [['cordon:secret:github', 'x']] }],
    ['Basic where Bearer is bound', { headers: [['Authorization', basic('x', 'cordon:secret:github')]] }],
    [
      'the Basic user',
      { origin: 'https://github.com:443', headers: [['Authorization', basic('cordon:secret:git', 'x')]] },
    ],
    [
      'Basic user and password',
      {
        origin: 'https://github.com:443',
        headers: [['Authorization', basic('cordon:secret:git', 'cordon:secret:git')]],
      },
    ],
    [
      'part of the Basic password',
      { origin: 'https://github.com:443', headers: [['Authorization', basic('x', 'cordon:secret:git!')]] },
    ],
    [
      'Basic in another header',
      { origin: 'https://github.com:443', headers: [['X-Auth', basic('x', 'cordon:secret:git')]] },
    ],
    [
      'Basic bound, sent plain',
      { origin: 'https://github.com:443', headers: [['Authorization', 'cordon:secret:git']] },
    ],
    [
      'right once, wrong once',
      {
        headers: [
          ['Authorization', held],
          ['X-Copy', held],
        ],
      },
    ],
    ['beside a redirect target', { origin: 'https://codeload.github.com:443' }],
  ])('%s', (_, change) => expect(refused(change)).toBe('secret-misplaced'));

  test('two in one value, said as such', () => {
    const two = 'Bearer cordon:secret:github cordon:secret:anthropic';
    expect(planSecrets(request({ headers: [['Authorization', two]] }), bindings)).toMatchObject({
      detail: 'two placeholders stand in one value',
    });
  });

  test('plain http, even where the binding names it', () => {
    const plain: SecretBinding = { ...github, to: ['http://api.github.com:80'] };
    const made = planSecrets(request({ origin: 'http://api.github.com:80' }), [plain]);
    expect(made).toMatchObject({ refused: true, code: 'secret-misplaced' });
    expect(made.refused && made.detail).toContain('plain http');
    expect(
      planSecrets(request({ origin: 'http://api.github.com:80', headers: [] }), [{ ...plain, require: true }]),
    ).toMatchObject({
      uses: [],
    });
  });

  test('the refusal says where it may be used, and never more than names', () => {
    const made = planSecrets(request({ origin: 'https://evil.example:443' }), bindings);
    expect(made).toMatchObject({
      refused: true,
      secret: 'github',
      nextSteps: [
        'github may be used at https://api.github.com below /repos/acme/** with GET, POST in header authorization as "Bearer {}"',
      ],
    });
  });
});

describe('text that is no placeholder', () => {
  test.each([
    'cordon:secret:',
    'cordon:secret',
    'Cordon:secret:github',
    'cordon: secret:github',
    'cordon%3Asecret%3Agithub',
    Buffer.from('cordon:secret:github').toString('base64'),
    'cordon:sec\u200bret:github',
  ])('%j', (text) => expect(plan({ headers: [['X-Text', text]] })).toMatchObject({ uses: [] }));
  test('split over two headers', () => {
    expect(
      plan({
        headers: [
          ['X-A', 'cordon:sec'],
          ['X-B', 'ret:github'],
        ],
      }).uses,
    ).toEqual([]);
  });
});

describe('beside an injected secret', () => {
  test("the agent's own credentials and Range are dropped, and indexes still fit", () => {
    const made = plan({
      headers: [
        ['Cookie', 'a=b'],
        ['X-Api-Key', 'mine'],
        ['PRIVATE_TOKEN', 'mine'],
        ['Accept', '*/*'],
        ['authorization', 'Bearer mine'],
        ['Authorization', 'Bearer cordon:secret:github'],
        ['Range', 'bytes=0-1'],
      ],
    });
    expect(made.headers).toEqual([
      ['Accept', '*/*'],
      ['Authorization', 'Bearer cordon:secret:github'],
    ]);
    expect(made.uses).toEqual([{ name: 'github', header: 1, form: 'plain' }]);
  });
});

describe('require', () => {
  const at = { origin: 'https://registry.example:443', path: '/x', headers: [['Accept', '*/*']] } as const;
  test('is added where the agent sent nothing, in place of what it sent', () => {
    expect(plan(at).headers).toEqual([
      ['Accept', '*/*'],
      ['Authorization', 'Bearer cordon:secret:registry'],
    ]);
    expect(plan({ ...at, headers: [['authorization', 'Bearer mine']] }).headers).toEqual([
      ['Authorization', 'Bearer cordon:secret:registry'],
    ]);
    expect(plan({ ...at, headers: [['Authorization', 'Bearer cordon:secret:registry']] }).uses).toHaveLength(1);
  });
  test('takes the place of whatever stands in its header', () => {
    const custom: SecretBinding = { ...registry, at: { header: 'X-Acme', form: '{}' } };
    const made = planSecrets(
      request({
        ...at,
        headers: [
          ['x-acme', 'mine'],
          ['X-Other', 'kept'],
        ],
      }),
      [custom],
    );
    expect(made).toMatchObject({
      headers: [
        ['X-Other', 'kept'],
        ['X-Acme', 'cordon:secret:registry'],
      ],
    });
  });
  test('is not added for another method or origin', () => {
    expect(plan({ ...at, method: 'PUT' }).uses).toEqual([]);
    expect(plan({ ...at, origin: 'http://registry.example:80' }).uses).toEqual([]);
    expect(plan({ ...at, origin: 'https://evil.example:443' }).uses).toEqual([]);
  });
});

describe('parts', () => {
  test.each([
    ['/a/**', '/a', true],
    ['/a/**', '/a/', true],
    ['/a/**', '/a/b/c', true],
    ['/a/**', '/ab', false],
    ['/a/*', '/a/b', true],
    ['/a/*', '/a/', false],
    ['/a/*', '/a/b/c', false],
    ['/a/*/c', '/a/b/c', true],
    ['/a', '/a', true],
    ['/a', '/a/', false],
    ['/a', '/A', false],
    ['/**', '/', true],
    ['/**', '/x', true],
    ['/a*', '/ab', false],
    ['/', '/', true],
  ] as const)('path %s, %s: %s', (pattern, path, expected) => expect(matchesPath(pattern, path)).toBe(expected));

  test.each(['a', 'github', 'npm_token-2'])('%s is a name', (name) => expect(isSecretName(name)).toBe(true));
  test.each(['', 'A', '1a', '-a', 'a b', 'a.b', 'a/b', 'a'.repeat(64), 'ä', '__proto__'])('%j is no name', (name) =>
    expect(isSecretName(name)).toBe(false),
  );

  test.each(['Basic', 'Basic ', 'Basic !!', 'Bearer eDp5', 'Basic eA==', 'Basicx eDp5', 'Basic eDp5 x'])(
    '%j is not Basic',
    (value) => expect(parseBasic(value)).toBeNull(),
  );

  test('any request gives a plan or a refusal, and a plan keeps every use in place', () => {
    const word = fc.constantFrom('cordon:secret:', 'github', 'Bearer ', 'cordon:secret:github', ' ', ',', 'x');
    const value = fc.array(word, { maxLength: 4 }).map((words) => words.join(''));
    const header = fc.tuple(fc.constantFrom('Authorization', 'Cookie', 'X-Api-Key', 'Accept'), value);
    fc.assert(
      fc.property(
        fc.array(header, { maxLength: 6 }),
        fc.constantFrom('https://api.github.com:443', 'https://evil.example:443'),
        (headers, origin) => {
          const made = planSecrets(request({ headers, origin }), bindings);
          if (made.refused) return;
          expect(origin === 'https://api.github.com:443' || made.uses.length === 0).toBe(true);
          const places = made.headers.filter(([, text]) => findPlaceholders(text).length > 0);
          expect(places.length).toBe(made.uses.length);
          for (const use of made.uses) expect(made.headers[use.header]?.[1]).toBe('Bearer cordon:secret:github');
        },
      ),
      { numRuns: 2000 },
    );
  });
});
