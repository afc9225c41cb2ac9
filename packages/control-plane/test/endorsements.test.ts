import { usualFlow } from '@cordon/policy';
import {
  type ApprovalRecord,
  approvalType,
  canonicalize,
  createId,
  type Endorsement,
  type EndorsementRecord,
  type EndorsementUse,
  endorsementType,
  type HeldDetail,
  type Intent,
  type RecordValue,
  sealRecord,
  systemClock,
  systemRandom,
} from '@cordon/protocol';
import { digestBytes, digestRecord } from '@cordon/protocol/digest';
import { openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { describe, expect, test } from 'vitest';
import { AnswerPace } from '../src/approvals/pace.ts';
import { FakeGateway } from './fake-gateway.ts';
import { Harness, until } from './harness.ts';

const zeros = `sha256:${'0'.repeat(64)}`;
const flow = { ...usualFlow, destInteg: 0 };
const rung = { quorum: 1, strong: false };
const unnamed = ['account github/acme'];

/** A session, its gateway, and what the gateway would hold. */
class Rig implements AsyncDisposable {
  readonly harness: Harness;
  readonly gateway: FakeGateway;
  readonly session: string;

  private constructor(harness: Harness, gateway: FakeGateway, session: string) {
    this.harness = harness;
    this.gateway = gateway;
    this.session = session;
  }

  static async start(): Promise<Rig> {
    const harness = await Harness.start();
    const gateway = await FakeGateway.connect(harness.controlSocket);
    const reply = await harness.post('/v1/sessions', harness.order());
    if (reply.status !== 201) throw new TypeError(reply.text);
    return new Rig(harness, gateway, (reply.json as { id: string }).id);
  }

  #asked(body: string) {
    const session = this.gateway.sessions.get(this.session);
    const tenant = this.gateway.tenants.at(-1);
    if (session === undefined || tenant === undefined) throw new TypeError('the gateway was told nothing');
    const { agent, chain, salt, revision } = session;
    const intent: Intent = sealRecord({
      ...{ v: 'intent/1' as const, tenant: 'local', session: this.session, agent, chain, salt },
      ...{ action: 'http.request' as const, resource: 'https://api.github.com:443' },
      args: { method: 'POST', path: '/repos/acme/app/issues', query: [], headers: [] },
      payload: { sha256: digestBytes(body).slice(7), bytes: Buffer.byteLength(body), kind: 'form' as const },
    });
    const policy = { generation: tenant.generation, revision, digest: zeros, engine: zeros };
    return { session: this.session, intent, flow, policy, rung, groups: [], unnamed };
  }

  async hold(body = 'a'): Promise<string> {
    const { hold } = await this.gateway.channel.call('hold.open', {
      ...this.#asked(body),
      ...{ attempt: 'att_1', payload: { encoding: 'utf8', data: body }, effect: 'share', undoable: false },
      ...{ code: 'flow-R1', reasons: ['ceiling/core/R1-share'] },
    });
    return hold;
  }

  take(body: string, change: Partial<EndorsementUse> = {}) {
    return this.gateway.channel.call('endorsement.use', { ...this.#asked(body), attempt: `att_${body}`, ...change });
  }

  async endorse(hold: string, change: Partial<EndorsementRecord> = {}) {
    const { record } = (await this.harness.get(`/v1/approvals/${hold}`)).json as HeldDetail;
    const now = Date.now();
    const given = {
      ...{ v: 'endorsement/1', id: createId('endorsement', systemClock, systemRandom), tenant: 'local', hold },
      ...{ scope: { session: this.session }, destinations: unnamed, uses: 2, bytes: 9000, via: 'operator-key' },
      record: digestRecord('hold', record as unknown as RecordValue),
      ...{ from: new Date(now).toISOString(), expires: new Date(now + 3_600_000).toISOString() },
      person: (await this.harness.get('/v1/whoami')).json.person as EndorsementRecord['person'],
      ...change,
    } as unknown as RecordValue;
    const envelope = this.#signed(endorsementType, given);
    return await this.harness.post(`/v1/approvals/${hold}/endorsements`, { envelope });
  }

  async answer(hold: string, verdict: 'approve' | 'deny') {
    const { record } = (await this.harness.get(`/v1/approvals/${hold}`)).json as HeldDetail;
    const { intent, policy, nonce, view, expires } = record;
    const { person } = (await this.harness.get('/v1/whoami')).json as ApprovalRecord;
    const given = { v: 'approval/1', hold, intent, policy, nonce, view, verdict, person, uses: 1, expires };
    const envelope = this.#signed(approvalType, { ...given, via: 'operator-key' } as unknown as RecordValue);
    return await this.harness.post(`/v1/approvals/${hold}/verdicts`, { envelope });
  }

  async list(query = ''): Promise<Endorsement[]> {
    return (await this.harness.get(`/v1/endorsements${query}`)).json.endorsements as Endorsement[];
  }

  #signed(type: string, record: RecordValue) {
    return signEnvelope(type, canonicalize(record), [openSigningKey(this.harness.operatorKey.privatePem)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.harness[Symbol.asyncDispose]();
  }
}

describe('an endorsement', () => {
  test('is made, used, listed and watched over the API, and withdrawn by it', async () => {
    await using rig = await Rig.start();
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { event, data } of rig.harness.events('/v1/endorsements?follow=true', stop.signal)) {
        seen.push(`${event} ${String(data['state'])} ${(data['used'] as { uses: number }).uses}`);
      }
    })();
    const hold = await rig.hold();
    const { view } = (await rig.harness.get(`/v1/approvals/${hold}`)).json as HeldDetail;
    expect(view?.unnamed).toEqual(unnamed);
    expect(await rig.take('b')).toBeNull();
    const made = await rig.endorse(hold);
    expect([made.status, made.json.state], made.text).toEqual([201, 'active']);
    await until(() => seen.length === 1);
    const { id, terms } = made.json as Endorsement;
    expect(terms).toMatchObject({ hold, destinations: unnamed, uses: 2, scope: { session: rig.session } });
    expect(await rig.take('b')).toMatchObject({ record: { id: hold }, endorsements: [{}] });
    await until(() => seen.length === 2);
    expect(await rig.list('?state=active')).toMatchObject([
      { id, used: { uses: 1 }, signed: [{ person: { sub: 'ada' } }] },
    ]);
    expect((await rig.harness.get(`/v1/endorsements/${id}`)).json).toMatchObject({ id, state: 'active' });
    const ended = await rig.harness.send('DELETE', `/v1/endorsements/${id}`);
    expect([ended.status, ended.json.state, ended.json.reason]).toEqual([200, 'withdrawn', 'by ada']);
    expect(await rig.take('c')).toBeNull();
    expect((await rig.harness.send('DELETE', `/v1/endorsements/${id}`)).json.code).toBe('hold-settled');
    await until(() => seen.length === 3);
    stop.abort();
    await watching;
    expect(seen).toEqual(['endorsement active 0', 'endorsement active 1', 'endorsement withdrawn 1']);
    expect((await rig.harness.entries('endorsement')).map(({ act }) => act)).toEqual(['sign', 'withdrawn']);
    expect(await rig.harness.entries('endorsement.used')).toMatchObject([{ id, use: 1, attempt: 'att_b' }]);
  });

  test('is refused under its code, and found under its id alone', async () => {
    await using rig = await Rig.start();
    const hold = await rig.hold();
    const wrong = await rig.endorse(hold, { destinations: ['account github/evil'] });
    expect([wrong.status, wrong.json.code]).toEqual([422, 'endorsement-other-place']);
    expect((await rig.endorse(hold, { uses: 0 })).json.code).toBe('endorsement-malformed');
    for (const id of ['x', `end_0${'a'.repeat(25)}`]) {
      expect((await rig.harness.get(`/v1/endorsements/${id}`)).status).toBe(404);
      expect((await rig.harness.send('DELETE', `/v1/endorsements/${id}`)).status).toBe(404);
    }
    await rig.answer(hold, 'deny');
    expect((await rig.endorse(hold)).json.code).toBe('hold-settled');
    expect(await rig.list()).toEqual([]);
  });

  test('is void at a stop, a lift and a new generation, and is no answer to what a person has refused', async () => {
    await using rig = await Rig.start();
    const no = await rig.hold('no');
    await rig.answer(no, 'deny');
    const scope = { session: rig.session };
    const { id } = (await rig.endorse(await rig.hold())).json as Endorsement;
    expect(await rig.take('no')).toBeNull();
    expect(await rig.take('b')).not.toBeNull();
    await rig.harness.post('/v1/stops', { scope, strength: 'freeze' });
    await expect(rig.take('c')).rejects.toMatchObject({ code: 'session-stopped' });
    await rig.harness.post('/v1/lifts', { scope });
    expect(await rig.take('c')).toBeNull();
    await until(async () => (await rig.list())[0]?.state === 'void');
    expect((await rig.list())[0]).toMatchObject({ id, reason: 'session-stopped' });
    const agents = { scope: { agent: 'generic' } };
    expect((await rig.endorse(await rig.hold('again'), agents)).json.state).toBe('active');
    rig.harness.policyFile('more.yaml', 'denies:\n  - deny: evil.example\n');
    await rig.harness.post('/v1/policy/reload');
    await until(async () => (await rig.list())[0]?.state === 'void');
    expect(await rig.take('c')).toBeNull();
  });
});

describe('an answer', () => {
  test('that comes sooner than anybody reads, or is one of too many in an hour, is flagged', () => {
    const pace = new AnswerPace();
    const asked = Date.parse('2026-01-01T00:00:00.000Z');
    const at = (ms: number, sub = 'ada') => pace.take({ iss: 'x', sub }, new Date(asked).toISOString(), asked + ms);
    expect([at(1999), at(2000), at(0, 'bob')]).toEqual([['quick'], [], ['quick']]);
    for (let count = 2; count < 20; count += 1) expect(at(3000)).toEqual([]);
    expect([at(4000), at(4001), at(4002, 'bob')]).toEqual([['many'], ['many'], []]);
    expect(at(1500)).toEqual(['quick', 'many']);
    expect(at(60 * 60 * 1000 + 5000)).toEqual([]);
  });

  test('counts all the same; the flag is in the ledger and in the list', async () => {
    await using rig = await Rig.start();
    const answered: string[] = [];
    for (let count = 0; count < 21; count += 1) {
      const hold = await rig.hold(`body ${count}`);
      expect((await rig.answer(hold, count % 2 === 0 ? 'approve' : 'deny')).status).toBe(201);
      answered.push(hold);
      if (answered.length % 10 === 0) {
        // A session has places for sixteen questions at once.
        await rig.harness.post('/v1/stops', { scope: { session: rig.session }, strength: 'freeze' });
        await rig.harness.post('/v1/lifts', { scope: { session: rig.session } });
      }
    }
    const flags = (await rig.harness.entries('approval')).map((entry) => (entry['flags'] as string[]).includes('many'));
    expect(flags).toEqual([...Array.from({ length: 20 }, () => false), true]);
    const { hold } = (await rig.harness.get(`/v1/approvals/${answered.at(-1)}`)).json as HeldDetail;
    expect(hold).toMatchObject({ state: 'approved', answers: [{ verdict: 'approve' }] });
    expect(hold.answers[0]?.flags).toContain('many');
  });

  test('of before is remembered by who starts anew', () => {
    const pace = new AnswerPace();
    const now = Date.parse('2026-01-01T00:00:00.000Z');
    const signed = signEnvelope(
      approvalType,
      canonicalize({
        ...{ v: 'approval/1', hold: `hld_0${'a'.repeat(25)}`, intent: zeros, nonce: '0'.repeat(32), view: zeros },
        policy: { generation: 1, revision: 1, digest: zeros, engine: zeros },
        ...{ verdict: 'approve', person: { iss: 'x', sub: 'ada' }, via: 'operator-key', uses: 1 },
        expires: '2026-01-01T00:15:00.000Z',
      }),
      [],
    );
    const answers = Array.from({ length: 20 }, () => ({ envelope: signed, at: '2025-12-31T23:30:00.000Z' }));
    pace.recall([...answers, { envelope: {}, at: '2025-12-31T23:30:00.000Z' }], now);
    expect(pace.take({ iss: 'x', sub: 'ada' }, '2025-12-31T23:59:00.000Z', now)).toEqual(['many']);
    expect(pace.take({ iss: 'x', sub: 'eve' }, '2025-12-31T23:59:00.000Z', now)).toEqual([]);
  });
});
