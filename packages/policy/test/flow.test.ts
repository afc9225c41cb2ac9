import type { Intent } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import {
  compileGrants,
  createContextProvenance,
  createLabel,
  entitiesOf,
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
const privateAnd = (integrity: 0 | 1 | 2) =>
  createLabel({ integrity, confidentiality: 2, readers: ['ada'], sources: ['test'] });
const trusted = privateAnd(2);
const poisoned = privateAnd(0);

function snapshotFor(grants: readonly Grant[], preset = false): PolicySnapshot {
  const compiled = compileGrants(grants, { layer: 'session', source: 'test', preset });
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  return snapshotOf(engine, { session: compiled.policies, origins: compiled.origins }, { rungs: [] });
}

interface Asked {
  readonly context?: typeof trusted;
  readonly task?: string;
  readonly body?: string;
  readonly own?: boolean;
  readonly meter?: LeakMeter;
}

/** The whole way: sinks of the grants, flow facts of the intent, and the decision of the shipped rules. */
function ask(
  snapshot: PolicySnapshot,
  intent: Intent,
  { context = trusted, task = '', body = '', own = false, meter }: Asked = {},
) {
  const provenance = createContextProvenance(context, namedByOrder(entitiesOf([task])));
  const sinks = sinksOf(snapshot, intent);
  const leak = meter ?? new LeakMeter();
  const question = { intent, provenance, sinks, meter: leak, ownCredential: own, body: Buffer.from(body) };
  const answer = flowOf(question);
  const { flow, critical } = answer;
  const { args, nums } = critical;
  const decision = decide(snapshot, intent, { flow, args, nums });
  if (decision.outcome === 'allow' && answer.leaks !== null) leak.take(answer.leaks.chosen);
  return { ...answer, code: decision.record.code };
}

const post = (origin: string, path = '/', kind: Intent['payload']['kind'] = 'json') =>
  intentOf(origin, 'POST', path, { payload: { sha256: '0'.repeat(64), bytes: 2, kind } });

describe('R1: a destination that somebody has named', () => {
  it('a host of its own is named by its grant', () => {
    const snapshot = snapshotFor([{ allow: 'a.example', methods: ['POST'], clearance: 'private' }]);
    expect(ask(snapshot, post('https://a.example:443'))).toMatchObject({ code: 'allowed', flow: { destInteg: 3 } });
  });

  it('a shared host alone names nobody; its account, written out or ordered, does', () => {
    const bare = snapshotFor([{ allow: 'api.github.com', methods: ['POST'], clearance: 'private' }]);
    const there = post('https://api.github.com:443', '/repos/acme/app/issues');
    expect(ask(bare, there)).toMatchObject({ code: 'flow-R1', flow: { destInteg: 0 } });
    expect(ask(bare, there, { task: 'look at https://github.com/acme/app please' })).toMatchObject({ code: 'allowed' });
    expect(ask(bare, there, { task: 'look at https://github.com/acme-evil/app' })).toMatchObject({ code: 'flow-R1' });
    const written = snapshotFor([{ allow: 'api.github.com/repos/acme/**', methods: ['POST'], clearance: 'private' }]);
    expect(ask(written, there)).toMatchObject({ code: 'allowed', flow: { destInteg: 3 } });
    const open = snapshotFor([{ allow: 'api.github.com/repos/*/app/**', methods: ['POST'], clearance: 'private' }]);
    expect(ask(open, there)).toMatchObject({ code: 'flow-R1' });
  });

  it('a place that is known by its credential is ours only with ours', () => {
    const grants: Grant[] = [{ allow: 'api.openai.com/v1/responses', methods: ['POST'], clearance: 'private' }];
    const snapshot = snapshotFor(grants, true);
    const there = post('https://api.openai.com:443', '/v1/responses');
    expect(ask(snapshot, there, { own: true })).toMatchObject({ code: 'allowed', flow: { destInteg: 4 } });
    expect(ask(snapshot, there)).toMatchObject({ code: 'flow-R1' });
  });

  it('a paste site is never named', () => {
    const snapshot = snapshotFor([{ allow: 'pastebin.com/**', methods: ['POST'], clearance: 'private' }]);
    const task = 'send it to https://pastebin.com/api';
    expect(ask(snapshot, post('https://pastebin.com:443', '/api'), { task })).toMatchObject({ code: 'flow-R1' });
  });

  it('every recipient in the body counts', () => {
    const critical = { '/to/*': { type: 'email', among: ['@acme.example'] } } as const;
    const snapshot = snapshotFor([{ allow: 'mail.example/send', methods: ['POST'], clearance: 'private', critical }]);
    const there = post('https://mail.example:443', '/send');
    expect(ask(snapshot, there, { body: '{"to":["a@acme.example"]}' })).toMatchObject({ code: 'allowed' });
    expect(ask(snapshot, there, { body: '{"to":["a@acme.example","e@evil.example"]}' })).toMatchObject({
      code: 'flow-R1',
    });
    const task = 'also write to e@evil.example';
    expect(ask(snapshot, there, { body: '{"to":["e@evil.example"]}', task })).toMatchObject({ code: 'allowed' });
    const refused = ask(snapshot, there, { body: '{"to":["E <e@evil.example>"]}' });
    expect(refused).toMatchObject({ refused: { code: 'critical-not-canonical' }, flow: { destInteg: 0 } });
  });
});

describe('R2: data goes no further than its clearance', () => {
  it.each([
    ['public', 'flow-R2'],
    ['internal', 'flow-R2'],
    ['private', 'allowed'],
  ] as const)('to a place cleared for %s data: %s', (clearance, code) => {
    const snapshot = snapshotFor([{ allow: 'a.example', methods: ['POST'], clearance }]);
    expect(ask(snapshot, post('https://a.example:443')).code).toBe(code);
  });

  it('public data goes anywhere that is named', () => {
    const snapshot = snapshotFor([{ allow: 'a.example', methods: ['POST'] }]);
    const context = createLabel({ integrity: 2, confidentiality: 0, readers: 'all', sources: [] });
    expect(ask(snapshot, post('https://a.example:443'), { context })).toMatchObject({ code: 'allowed' });
  });

  it('the tenant’s own words are a ceiling', () => {
    const own = compileGrants([{ allow: 'a.example', methods: ['POST'], clearance: 'private' }], {
      layer: 'session',
      source: 'test',
    });
    const above = compileGrants([{ allow: 'a.example', methods: ['POST'], clearance: 'internal' }], {
      layer: 'tenant',
      source: 'test',
      trusted: true,
    });
    if (!own.ok || !above.ok) throw new TypeError('grants');
    const snapshot = snapshotOf(engine, {
      session: own.policies,
      origins: own.origins,
      tenantOrigins: above.origins,
    });
    expect(ask(snapshot, post('https://a.example:443')).flow.clearance).toBe(1);
  });
});

describe('R3: who holds private data and has read what anybody wrote', () => {
  const grants: Grant[] = [{ allow: '*.corp.example', methods: ['POST'], clearance: 'private' }];

  it('sends to what a person named, and no more to what a pattern would let through', () => {
    const wild = snapshotFor(grants);
    const there = post('https://drop.corp.example:443');
    expect(ask(wild, there)).toMatchObject({ code: 'allowed', flow: { destInteg: 2 } });
    expect(ask(wild, there, { context: poisoned })).toMatchObject({ code: 'flow-R3' });
    expect(ask(wild, there, { context: poisoned, task: 'post to https://drop.corp.example/' })).toMatchObject({
      code: 'allowed',
    });
    const exact = snapshotFor([{ allow: 'drop.corp.example', methods: ['POST'], clearance: 'private' }]);
    expect(ask(exact, there, { context: poisoned })).toMatchObject({ code: 'allowed' });
  });
});

describe('R4: what is deleted was named', () => {
  it('by a whole path, or by the order', () => {
    const there = intentOf('https://a.example:443', 'DELETE', '/items/7');
    const exact = snapshotFor([{ allow: 'a.example/items/7', methods: ['DELETE'], clearance: 'private' }]);
    expect(ask(exact, there, { context: poisoned })).toMatchObject({ code: 'allowed' });
    const wide = snapshotFor([{ allow: 'a.example/items/*', methods: ['DELETE'], clearance: 'private' }]);
    expect(ask(wide, there, { context: poisoned })).toMatchObject({ code: 'flow-R3' });
    expect(ask(wide, there)).toMatchObject({ code: 'flow-R4', flow: { destInteg: 2 } });
    expect(ask(wide, there, { task: 'remove https://a.example/items/7.' })).toMatchObject({ code: 'allowed' });
  });
});

describe('R6: links that anybody could have written', () => {
  const grants: Grant[] = [{ allow: 'api.github.com/repos/acme/**', methods: ['POST'], clearance: 'private' }];
  const snapshot = snapshotFor(grants);
  const there = post('https://api.github.com:443', '/repos/acme/app/issues');

  it.each([
    '{"body":"see https://evil.example/x"}',
    '{"body":"see \\u0068ttps:\\/\\/evil.example"}',
    '{"body":"see evil.example"}',
    '{"body":"![x](//evil.example)"}',
    '{"body":"<img src=x>"}',
    '{"body":"mail e@evil.example"}',
    '{"body":"10.0.0.1"}',
    '{"https://evil.example":"x"}',
  ])('do not go to where people read: %s', (body) => {
    expect(ask(snapshot, there, { context: poisoned, body })).toMatchObject({ code: 'flow-R6' });
    // Who has read nothing of strangers writes links as the person would.
    expect(ask(snapshot, there, { context: trusted, body })).toMatchObject({ code: 'allowed' });
  });

  it('plain words do, and links do where a program reads', () => {
    expect(ask(snapshot, there, { context: poisoned, body: '{"body":"it works now"}' })).toMatchObject({
      code: 'allowed',
    });
    const machine = snapshotFor([{ allow: 'a.example', methods: ['POST'], clearance: 'private' }]);
    const body = '{"prompt":"see https://evil.example"}';
    expect(ask(machine, post('https://a.example:443'), { context: poisoned, body })).toMatchObject({ code: 'allowed' });
  });

  it('what cannot be read might hold one', () => {
    const packed = post('https://api.github.com:443', '/repos/acme/app/issues', 'opaque');
    expect(ask(snapshot, packed, { context: poisoned, body: '\u0000' })).toMatchObject({ code: 'flow-R6' });
  });
});

describe('R8: a read tells by its own bytes', () => {
  const snapshot = snapshotFor([{ allow: 'a.example/fixed/**' }]);
  const get = (path: string, more: Partial<Intent['args']> = {}) => {
    const intent = intentOf('https://a.example:443', 'GET', path);
    return { ...intent, args: { ...intent.args, ...more } } as Intent;
  };

  it('what the grant fixes is free, the rest is counted, and a text costs less when it comes again', () => {
    const meter = new LeakMeter();
    const first = ask(snapshot, get('/fixed/abcdefgh'), { meter });
    expect(first.leaks?.bytes).toBe(1 + 8 + 2);
    expect(ask(snapshot, get('/fixed/abcdefgh'), { meter }).leaks?.bytes).toBe(1 + 2);
    expect(meter.used).toBe(11 + 3);
  });

  it('refuses a request over its bound, in path, query or header', () => {
    const long = 'x'.repeat(limits.leakRequestBytesMax);
    expect(ask(snapshot, get(`/fixed/${long}`)).code).toBe('flow-R8');
    expect(ask(snapshot, get('/fixed/a', { query: [['q', long]], search: `q=${long}` })).code).toBe('flow-R8');
    expect(ask(snapshot, get('/fixed/a', { headers: [['x-note', long]] })).code).toBe('flow-R8');
    expect(ask(snapshot, get('/fixed/a')).code).toBe('allowed');
  });

  it('refuses a session over its bound, however small each read is', () => {
    const meter = new LeakMeter();
    let allowed = 0;
    let code = '';
    for (let n = 0; code !== 'flow-R8'; n++) {
      code = ask(snapshot, get(`/fixed/${String(n).padStart(400, '0')}`), { meter }).code;
      if (code === 'allowed') allowed += 1;
      expect(meter.used).toBeLessThanOrEqual(limits.leakSessionBytesMax);
    }
    expect(allowed).toBe(Math.floor(limits.leakSessionBytesMax / 403));
  });

  it('a place that may have the data is not counted, nor is a session that has seen nothing private', () => {
    const cleared = snapshotFor([{ allow: 'a.example/fixed/**', clearance: 'private' }]);
    const far = get(`/fixed/${'x'.repeat(4000)}`);
    expect(ask(cleared, far)).toMatchObject({ code: 'allowed', leaks: null });
    const context = createLabel({ integrity: 2, confidentiality: 0, readers: 'all', sources: [] });
    expect(ask(snapshot, far, { context })).toMatchObject({ code: 'allowed', leaks: null });
  });

  it('the host itself is counted where only a domain is granted', () => {
    const wild = snapshotFor([{ allow: '*.corp.example' }]);
    const secretName = intentOf('https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.corp.example:443', 'GET', '/');
    expect(ask(wild, secretName).leaks?.bytes).toBeGreaterThan(32);
  });
});

describe('what comes in on a WebSocket', () => {
  it('is not the session’s, so nothing of it leaks', () => {
    const snapshot = snapshotFor([{ allow: 'wss://a.example/live' }]);
    const base = intentOf('https://a.example:443', 'GET', '/live');
    const message = (direction: string): Intent => ({
      ...base,
      action: 'http.message',
      args: { ...base.args, direction, opcode: 'text' },
      payload: { sha256: '0'.repeat(64), bytes: 9000, kind: 'text' },
    });
    expect(ask(snapshot, message('in'), { context: poisoned })).toMatchObject({
      code: 'allowed',
      flow: { argConf: 0 },
    });
    expect(ask(snapshot, message('out'), { context: poisoned })).toMatchObject({ code: 'flow-R2' });
  });
});

describe('an order', () => {
  it('names what a person wrote as a word of its own', () => {
    const named = entitiesOf([
      'Fix https://github.com/Acme/app/issues/7, tell Boss@acme.example. See docs.acme.example/x',
    ]);
    expect(named).toEqual([
      'account github/acme',
      'email Boss@acme.example',
      'origin https://docs.acme.example:443',
      'origin https://github.com:443',
      'url https://docs.acme.example:443/x',
      'url https://github.com:443/Acme/app/issues/7',
    ]);
  });

  it('names nothing by a part of a word', () => {
    expect(entitiesOf(['xboss@acme.example'])).toEqual(['email xboss@acme.example']);
    expect(entitiesOf(['https://evil.example/?u=https://github.com/acme'])).not.toContain('account github/acme');
    expect(entitiesOf(['an order of words, and numbers 1.2.3.4 without names'])).toEqual([]);
  });
});
