import type { ActionName, Intent, RecordValue } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import {
  type CompiledGrants,
  canonicalTunnel,
  compileGrants,
  defaultEffect,
  type Grant,
  parseAllow,
  suggestGrant,
} from '../src/index.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const options = { layer: 'session', source: 'cordon.yaml' } as const;

function compiled(grants: readonly Grant[]): CompiledGrants {
  const result = compileGrants(grants, options);
  if (!result.ok) throw new TypeError(JSON.stringify(result.problems));
  return result;
}

const problemOf = (grant: Grant): string | null => {
  const result = compileGrants([grant], options);
  return result.ok ? null : (result.problems[0]?.message ?? '');
};

function intentFor(action: ActionName, resource: string, args: { readonly [name: string]: RecordValue } = {}): Intent {
  const base = intentOf();
  return { ...base, action, resource, args: { ...base.args, path: '/', ...args } };
}

const outcome = (grants: readonly Grant[], intent: Intent): string => {
  const { policies, origins } = compiled(grants);
  const { record } = decide(snapshotOf(engine, { session: policies, origins }), intent);
  return record.code;
};
const tunnel = (grants: readonly Grant[], resource: string) => outcome(grants, intentFor('http.tunnel', resource));
const web = 'https://a.example:443';
const message = (path = '/', direction = 'out') => intentFor('http.message', web, { path, direction, opcode: 'text' });
const upgrade = (path = '/') => intentFor('http.upgrade', web, { path });

describe('a tunnel', () => {
  it.each([
    ['tcp://db.example:5432', 'tcp://db.example:5432'],
    ['TLS://A.example', 'tls://a.example:443'],
    ['tls://a.example:8443', 'tls://a.example:8443'],
    ['tcp://[fd00::1]:22', 'tcp://[fd00::1]:22'],
  ])('%s leads to %s', (text, origin) => {
    expect(canonicalTunnel(text)).toMatchObject({ ok: true, origin });
  });

  it.each([
    'tcp://db.example',
    'tcp://[fd00::1]',
    'tcp://db.example:0',
    'https://a.example:443',
    'tcp://u@db.example:1',
    'tcp://127.1:1',
    'udp://a.example:53',
  ])('%s leads nowhere', (text) => {
    expect(canonicalTunnel(text).ok).toBe(false);
  });

  it('of raw TCP is granted to its very host and port, and is nothing else', () => {
    const grants = [{ allow: 'tcp://db.example:5432' }];
    expect(tunnel(grants, 'tcp://db.example:5432')).toBe('allowed');
    expect(tunnel(grants, 'tcp://db.example:5433')).toBe('no-grant');
    expect(tunnel(grants, 'tcp://x.example:5432')).toBe('no-grant');
    expect(tunnel(grants, 'tls://db.example:5432')).toBe('no-grant');
    expect(outcome(grants, intentOf('https://db.example:5432', 'GET', '/'))).toBe('no-grant');
    expect(outcome(grants, intentOf('http://db.example:5432', 'GET', '/'))).toBe('no-grant');
  });

  it('of opaque TLS is granted by either spelling, to its very host and port', () => {
    for (const grant of [{ allow: 'tls://a.example' }, { allow: 'a.example', tls: 'opaque' as const }]) {
      expect(tunnel([grant], 'tls://a.example:443')).toBe('allowed');
      expect(tunnel([grant], 'tls://a.example:8443')).toBe('no-grant');
      expect(tunnel([grant], 'tls://b.a.example:443')).toBe('no-grant');
      expect(tunnel([grant], 'tcp://a.example:443')).toBe('no-grant');
      // What could be decided by content is not granted along with what cannot.
      expect(outcome([grant], intentOf(web, 'GET', '/'))).toBe('no-grant');
    }
  });

  it('is not granted by a grant for requests, whatever it permits there', () => {
    const all = [{ allow: 'a.example', methods: ['GET', 'POST'], websocket: true }];
    expect(tunnel(all, 'tls://a.example:443')).toBe('no-grant');
    expect(tunnel(all, 'tcp://a.example:443')).toBe('no-grant');
  });

  it('is denied where anything that it could carry is denied', () => {
    const both = (deny: Grant) => [{ allow: 'tcp://a.example:443' }, { allow: 'tls://a.example' }, deny];
    const denies = (deny: Grant) =>
      ['tcp://a.example:443', 'tls://a.example:443'].map((resource) => tunnel(both(deny), resource) === 'forbidden');
    expect(denies({ deny: 'a.example' })).toEqual([true, true]);
    expect(denies({ deny: '*.example' })).toEqual([true, true]);
    expect(denies({ deny: 'https://a.example' })).toEqual([true, true]);
    expect(denies({ deny: 'http://a.example:443' })).toEqual([true, false]);
    expect(denies({ deny: 'a.example', methods: ['POST'] })).toEqual([true, true]);
    expect(denies({ deny: 'a.example/admin/**' })).toEqual([true, true]);
    expect(denies({ deny: 'wss://a.example/x' })).toEqual([true, true]);
    expect(denies({ deny: 'tls://a.example' })).toEqual([true, true]);
    expect(denies({ deny: 'tcp://a.example:443' })).toEqual([true, false]);
    expect(denies({ deny: 'tcp://*.example:443' })).toEqual([true, false]);
    expect(denies({ deny: 'https://*.example:443' })).toEqual([true, true]);
    expect(denies({ deny: 'https://*.example:8443' })).toEqual([false, false]);
    expect(denies({ deny: 'b.example' })).toEqual([false, false]);
    expect(denies({ deny: 'a.example:8443' })).toEqual([false, false]);
  });

  it('has readable Cedar, and a socket in the sandbox when it is raw', () => {
    const {
      policies,
      tcp,
      hosts,
      describe: lines,
      origins,
    } = compiled([
      { allow: 'tcp://db.example:5432', limits: { bytes: '1MiB', life: '2h', rate: '5/1m' }, clearance: 'private' },
      { allow: 'a.example', tls: 'opaque' },
    ]);
    expect(policies).toEqual({
      'session/cordon.yaml/1':
        '@source("cordon.yaml") @bytes("1048576") @rate("5/1m") @life("2h")\npermit (principal, action == Cordon::Action::"http.tunnel", resource == Cordon::Origin::"tcp://db.example:5432");',
      'session/cordon.yaml/2':
        '@source("cordon.yaml")\npermit (principal, action == Cordon::Action::"http.tunnel", resource == Cordon::Origin::"tls://a.example:443");',
    });
    expect(tcp).toEqual(['tcp://db.example:5432']);
    expect(hosts).toEqual(['a.example']);
    expect(origins.map((rule) => rule.origin)).toEqual(['tcp://db.example:5432', 'tls://a.example:443']);
    expect(lines).toEqual([
      'allow raw TCP to db.example:5432; what goes through it is not decided, only counted; at most 1048576 bytes a connection, both ways; at most 5/1m; for at most 2h each; may receive private data',
      'allow opaque TLS to a.example:443; what goes through it is not decided, only counted; what is sent there leaves the sandbox',
    ]);
  });

  it('has limits among its obligations', () => {
    const { policies, origins } = compiled([
      { allow: 'tcp://db.example:5432', limits: { bytes: '1KiB', life: '90s' } },
    ]);
    const decision = decide(
      snapshotOf(engine, { session: policies, origins }),
      intentFor('http.tunnel', 'tcp://db.example:5432'),
    );
    expect(decision.outcome === 'allow' && decision.obligations).toMatchObject({ bytes: 1024, lifeMs: 90_000 });
    expect(decision.record.obligations).toEqual(['bytes:1024', 'life:90000ms']);
  });

  it.each<[Grant, RegExp]>([
    [{ allow: 'tcp://db.example' }, /needs its port/],
    [{ allow: 'tcp://db.example:5432/x' }, /no path/],
    [{ allow: 'a.example/x', tls: 'opaque' }, /no path/],
    [{ allow: 'tcp://*.example.com:5432' }, /to one host/],
    [{ allow: '*.example.com', tls: 'opaque' }, /to one host/],
    [{ allow: 'http://a.example', tls: 'opaque' }, /spoken to with TLS/],
    [{ allow: 'tcp://a.example:1', tls: 'opaque' }, /spoken to with TLS/],
    [{ allow: 'tcp://db.example:5432', methods: ['GET'] }, /no methods/],
    [{ allow: 'tcp://db.example:5432', websocket: true }, /not read/],
    [{ allow: 'tls://a.example', body: true }, /no body/],
    [{ allow: 'tls://a.example', encodedSlash: true }, /no path/],
    [{ allow: 'tcp://db.example:5432', limits: { life: '2 hours' } }, /no duration/],
    [{ allow: 'a.example', limits: { life: '2h' } }, /tunnels and WebSockets/],
    [{ deny: 'a.example', tls: 'opaque' }, /by their scheme/],
    [{ allow: 'ftp://a.example' }, /not of the form/],
  ])('%j is refused', (grant, why) => {
    expect(problemOf(grant)).toMatch(why);
  });
});

describe('a WebSocket', () => {
  it('must be said: a grant for requests permits neither handshake nor message', () => {
    const plain = [{ allow: 'a.example', methods: ['GET', 'POST'] }];
    expect(outcome(plain, upgrade())).toBe('no-grant');
    expect(outcome(plain, message())).toBe('no-grant');
  });

  it('is granted beside the requests, on the same paths', () => {
    const grants = [{ allow: 'a.example/live/*', methods: ['POST'], websocket: true }];
    expect(outcome(grants, upgrade('/live/x'))).toBe('allowed');
    expect(outcome(grants, message('/live/x', 'in'))).toBe('allowed');
    expect(outcome(grants, upgrade('/live/x/y'))).toBe('no-grant');
    expect(outcome(grants, message('/other'))).toBe('no-grant');
    expect(outcome(grants, intentOf(web, 'POST', '/live/x'))).toBe('allowed');
    expect(outcome(grants, intentOf(web, 'GET', '/live/x'))).toBe('no-grant');
  });

  it('alone is granted by wss and ws, and no request with it', () => {
    expect(outcome([{ allow: 'wss://a.example/x' }], upgrade('/x'))).toBe('allowed');
    expect(outcome([{ allow: 'wss://a.example/x' }], intentOf(web, 'GET', '/x'))).toBe('no-grant');
    expect(outcome([{ allow: 'ws://a.example/x' }], upgrade('/x'))).toBe('no-grant');
    const plain = intentFor('http.upgrade', 'http://a.example:80', { path: '/x' });
    expect(outcome([{ allow: 'ws://a.example/x' }], plain)).toBe('allowed');
    expect(outcome([{ allow: 'wss://*.example.com' }], intentFor('http.upgrade', 'https://b.example.com:443'))).toBe(
      'allowed',
    );
    expect(outcome([{ allow: 'wss://*.example.com' }], intentFor('http.upgrade', 'http://b.example.com:80'))).toBe(
      'no-grant',
    );
  });

  it('is denied alone by a deny of wss, and with everything by a deny of the host', () => {
    const grants = (deny: Grant) => [{ allow: 'a.example', websocket: true }, deny];
    expect(outcome(grants({ deny: 'wss://a.example' }), upgrade())).toBe('forbidden');
    expect(outcome(grants({ deny: 'wss://a.example' }), message())).toBe('forbidden');
    expect(outcome(grants({ deny: 'wss://a.example' }), intentOf(web, 'GET', '/'))).toBe('allowed');
    expect(outcome(grants({ deny: 'wss://a.example/x' }), upgrade('/y'))).toBe('allowed');
    expect(outcome(grants({ deny: 'a.example/x' }), upgrade('/x'))).toBe('forbidden');
  });

  it('has readable Cedar and its own line', () => {
    const { policies, describe: lines } = compiled([
      { allow: 'a.example/live', websocket: true, limits: { bytes: '64KiB', life: '1h' } },
      { allow: 'wss://b.example/x' },
    ]);
    const socket = 'action in [Cordon::Action::"http.upgrade", Cordon::Action::"http.message"]';
    expect(policies).toMatchObject({
      'session/cordon.yaml/1-websocket': `@source("cordon.yaml") @bytes("65536") @life("1h")\npermit (principal, ${socket}, resource == Cordon::Origin::"https://a.example:443")\nwhen { context.http.route == "/0:live/" };`,
      'session/cordon.yaml/2': `@source("cordon.yaml")\npermit (principal, ${socket}, resource == Cordon::Origin::"https://b.example:443")\nwhen { context.http.route == "/0:x/" };`,
    });
    expect(policies['session/cordon.yaml/1']).not.toContain('@life');
    expect(lines[0]).toBe(
      'allow GET, HEAD and WebSocket https://a.example/live; each message both ways is decided and recorded; at most 65536 bytes a request or message; for at most 1h each; what is sent there leaves the sandbox',
    );
    expect(lines[1]).toBe(
      'allow WebSocket https://b.example/x; each message both ways is decided and recorded; what is sent there leaves the sandbox',
    );
  });

  it('shares what goes out and reads what comes in', () => {
    expect(defaultEffect(upgrade())).toBe('share');
    expect(defaultEffect(message('/', 'out'))).toBe('share');
    expect(defaultEffect(message('/', 'in'))).toBe('read');
    expect(defaultEffect(intentFor('http.message', web, {}))).toBe('share');
  });

  it('keeps the size of each message', () => {
    const { policies, origins } = compiled([{ allow: 'wss://a.example', limits: { bytes: 10 } }]);
    const snapshot = snapshotOf(engine, { session: policies, origins });
    const sized = (bytes: number) => ({
      ...message(),
      payload: { ...message().payload, bytes, kind: 'text' as const },
    });
    expect(decide(snapshot, sized(10)).record.code).toBe('allowed');
    expect(decide(snapshot, sized(11)).record.code).toBe('over-limit');
  });
});

describe('--allow for tunnels and WebSockets', () => {
  it.each<[string, Grant]>([
    ['wss://a.example/x', { allow: 'wss://a.example/x', clearance: 'private' }],
    ['ws://a.example:8080', { allow: 'ws://a.example:8080', clearance: 'private' }],
    ['tcp://db.example:5432', { allow: 'tcp://db.example:5432', clearance: 'private' }],
    ['tls://a.example', { allow: 'tls://a.example', clearance: 'private' }],
  ])('%s', (text, grant) => {
    expect(parseAllow(text)).toEqual({ ok: true, grant });
  });

  it.each(['tcp://db.example:5432:GET', 'wss://a.example/x:POST', 'tcp://db.example', 'tls://a.example/x'])(
    '%s is refused',
    (text) => {
      expect(parseAllow(text).ok).toBe(false);
    },
  );

  it.each<[Intent, string]>([
    [intentFor('http.tunnel', 'tcp://db.example:5432'), 'tcp://db.example:5432'],
    [intentFor('http.tunnel', 'tls://a.example:443'), 'tls://a.example'],
    [intentFor('http.tunnel', 'tls://a.example:8443'), 'tls://a.example:8443'],
    [upgrade('/x'), 'wss://a.example/x'],
    [message('/x'), 'wss://a.example/x'],
    [intentFor('http.upgrade', 'http://a.example:8080', { path: '/x' }), 'ws://a.example:8080/x'],
  ])('is suggested as what permits exactly the refused', (intent, text) => {
    expect(suggestGrant(intent)).toBe(text);
    const parsed = parseAllow(text);
    if (!parsed.ok) throw new TypeError(parsed.message);
    expect(outcome([parsed.grant], intent)).toBe('allowed');
  });
});
