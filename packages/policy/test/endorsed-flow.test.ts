import type { Intent } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import {
  compileGrants,
  createAskingProvenance,
  createContextProvenance,
  createEndorsedProvenance,
  createLabel,
  flowOf,
  type Grant,
  LeakMeter,
  namedByOrder,
  sinksOf,
} from '../src/index.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const context = createLabel({ integrity: 0, confidentiality: 2, readers: ['ada'], sources: ['test'] });
const secret = createLabel({ integrity: 0, confidentiality: 3, readers: ['ada'], sources: ['test'] });

interface Asked {
  readonly named?: readonly string[];
  readonly label?: typeof context;
  readonly body?: string;
}

/** The whole way of a poisoned session with private data: labels with these names endorsed, and the shipped rules. */
function ask(grants: readonly Grant[], intent: Intent, { named = [], label = context, body = '' }: Asked = {}) {
  const compiled = compileGrants(grants, { layer: 'session', source: 'test', preset: false });
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  const world = { session: compiled.policies, origins: compiled.origins };
  const snapshot = snapshotOf(engine, world, { rungs: [{ quorum: 1, strong: false }] });
  const base = createContextProvenance(label, namedByOrder([]));
  const unnamed = new Set<string>();
  const { flow, critical } = flowOf({
    intent,
    provenance: createAskingProvenance(createEndorsedProvenance(base, named), unnamed),
    sinks: sinksOf(snapshot, intent),
    meter: new LeakMeter(),
    ownCredential: false,
    body: Buffer.from(body),
  });
  const { args, nums } = critical;
  const { outcome, record } = decide(snapshot, intent, { flow, args, nums });
  return { said: `${outcome} ${record.code}`, destInteg: flow.destInteg, unnamed: [...unnamed].sort() };
}

const post = (origin: string, path: string, method = 'POST'): Intent =>
  intentOf(`https://${origin}:443`, method, path, { payload: { sha256: '0'.repeat(64), bytes: 2, kind: 'json' } });
const forge: Grant = { allow: 'api.github.com/repos/**', methods: ['POST', 'DELETE'], clearance: 'private' };

describe('names that people stand for', () => {
  it('are asked for where nobody has named them, and let through what waited for nothing else', () => {
    const intent = post('api.github.com', '/repos/acme/app/issues');
    expect(ask([forge], intent)).toEqual({
      said: 'hold flow-R1',
      destInteg: 0,
      unnamed: ['account github/acme'],
    });
    const named = ['account github/acme'];
    expect(ask([forge], intent, { named })).toEqual({ said: 'hold flow-R6', destInteg: 3, unnamed: [] });
    const plain = { ...intent, payload: { ...intent.payload, bytes: 0, kind: 'none' as const } };
    expect(ask([forge], plain, { named })).toMatchObject({ said: 'allow allowed' });
    expect(ask([forge], plain, { named: ['account github/acmes'] })).toMatchObject({ said: 'hold flow-R1' });
  });

  it('each for its purpose: a target is no account, and a recipient is no destination', () => {
    const mail: Grant = {
      ...{ allow: '*.mail.example/send', methods: ['POST'], clearance: 'private' },
      critical: { '/to': 'email' },
    };
    const body = '{"to":"x@y.example"}';
    const intent = post('a.mail.example', '/send');
    const wanted = ['destination https://a.mail.example:443', 'email x@y.example'];
    expect(ask([mail], intent, { body })).toMatchObject({ said: 'hold flow-R1', destInteg: 0, unnamed: wanted });
    expect(ask([mail], intent, { body, named: wanted })).toMatchObject({ said: 'allow allowed', destInteg: 3 });
    const wrong = ['origin https://a.mail.example:443', 'email x@y.example'];
    expect(ask([mail], intent, { body, named: wrong })).toMatchObject({ said: 'hold flow-R3', destInteg: 2 });
    const deletes = post('api.github.com', '/repos/acme/app', 'DELETE');
    const account = ['account github/acme'];
    const target = 'target https://api.github.com:443/repos/acme/app';
    expect(ask([forge], deletes, { named: account })).toMatchObject({ unnamed: [target], destInteg: 0 });
    expect(ask([forge], deletes, { named: [...account, target] })).toMatchObject({ destInteg: 3 });
  });

  it('are no grant, no clearance, no account that cannot be told, and nothing for secrets', () => {
    const named = ['account github/acme', 'destination https://api.github.com:443', 'account pastes/x'];
    const intent = {
      ...post('api.github.com', '/repos/acme/app'),
      payload: { sha256: '', bytes: 0, kind: 'none' as const },
    };
    const elsewhere: Grant = { allow: 'other.example/**', methods: ['POST'] };
    expect(ask([elsewhere], intent, { named })).toMatchObject({ said: 'deny no-grant', destInteg: 0 });
    const { clearance: _, ...uncleared } = forge;
    expect(ask([uncleared], intent, { named })).toMatchObject({ said: 'hold flow-R2', destInteg: 3 });
    const paste: Grant = { allow: 'pastebin.com/**', methods: ['POST'], clearance: 'private' };
    expect(ask([paste], post('pastebin.com', '/x'), { named })).toMatchObject({ said: 'hold flow-R1', destInteg: 0 });
    expect(ask([forge], intent, { named, label: secret })).toMatchObject({ said: 'deny flow-R2' });
    const forbidden: Grant = { deny: 'api.github.com/repos/acme/**' };
    expect(ask([forge, forbidden], intent, { named })).toMatchObject({ said: 'deny forbidden' });
  });
});
