import { describe, expect, test } from 'vitest';
import { FakeGateway } from './fake-gateway.ts';
import { Harness, until } from './harness.ts';

const create = async (harness: Harness, change: Record<string, unknown> = {}) => {
  const reply = await harness.post('/v1/sessions', harness.order(change));
  if (reply.status !== 201) throw new TypeError(reply.text);
  return reply.json as { id: string };
};

describe('stops', () => {
  test('freeze and lift one session; the gateway is told both times', async () => {
    await using harness = await Harness.start();
    await using gateway = await FakeGateway.connect(harness.controlSocket);
    const { id } = await create(harness);
    const other = await create(harness);
    const frozen = await harness.post('/v1/stops', { scope: { session: id }, strength: 'freeze', reason: 'look' });
    expect(frozen.status, frozen.text).toBe(201);
    expect(frozen.json.sessions).toEqual([{ session: id, confirmed: true, ms: 1.25, processesLeft: 0 }]);
    expect((await harness.get(`/v1/sessions/${id}`)).json.state).toBe('frozen');
    expect((await harness.get(`/v1/sessions/${other.id}`)).json.state).toBe('running');
    expect(gateway.stops).toEqual([{ session: id, stopped: true }]);
    expect((await harness.post(`/v1/sessions/${id}/exec`, { command: ['ls'] })).json.code).toBe('session-stopped');

    const lifted = await harness.post('/v1/lifts', { scope: { session: id } });
    expect(lifted.json.thawed).toEqual([id]);
    expect((await harness.get(`/v1/sessions/${id}`)).json.state).toBe('running');
    expect(gateway.stops.at(-1)).toEqual({ session: id, stopped: false });
    expect((await harness.post('/v1/lifts', { scope: { session: id } })).status).toBe(404);
  });

  test('a killed session never returns', async () => {
    await using harness = await Harness.start();
    const { id } = await create(harness);
    const killed = await harness.post('/v1/stops', { scope: { session: id }, strength: 'kill', reason: 'enough' });
    expect(killed.json.sessions[0].confirmed).toBe(true);
    expect((await harness.get(`/v1/sessions/${id}`)).json).toMatchObject({
      state: 'ended',
      exit: { reason: 'killed', detail: 'enough' },
    });
    const lift = await harness.post('/v1/lifts', { scope: { session: id } });
    expect([lift.status, lift.json.code]).toEqual([409, 'stop-permanent']);
    expect((await harness.post('/v1/stops', { scope: { session: id }, strength: 'kill' })).status).toBe(404);
  });

  test('a kill does not wait for a supervisor that says nothing: it is ended, and the next one confirms', async () => {
    await using harness = await Harness.start();
    const { id } = await create(harness);
    harness.supervisor.beforeStop = () => new Promise(() => undefined);
    const killed = await harness.post('/v1/stops', { scope: { session: id }, strength: 'kill', reason: 'enough' });
    expect(killed.json.sessions).toMatchObject([{ session: id, confirmed: true }]);
    expect(harness.ended).toEqual([4242]);
    expect((await harness.get(`/v1/sessions/${id}`)).json.state).toBe('ended');
  }, 60_000);

  test('a kill that only takes its time ends no supervisor', async () => {
    await using harness = await Harness.start();
    const { id } = await create(harness);
    const { supervisor } = harness;
    const asked = (): boolean => supervisor.calls.some(({ method }) => method === 'freeze');
    supervisor.beforeStop = async (method) => void (method === 'kill' && (await until(asked)));
    const killed = await harness.post('/v1/stops', { scope: { session: id }, strength: 'kill', reason: 'enough' });
    expect(killed.json.sessions).toMatchObject([{ session: id, confirmed: true }]);
    expect(asked()).toBe(true);
    expect([harness.ended, harness.spawns]).toEqual([[], 0]);
  }, 60_000);

  test('an agent or everything that is stopped takes no new session, also after everything was restarted', async () => {
    await using harness = await Harness.start();
    const { id } = await create(harness, { name: 'nightly' });
    await harness.post('/v1/stops', {
      scope: { agent: 'nightly' },
      strength: 'kill',
      reason: 'posts to an unknown host',
    });
    expect((await harness.get(`/v1/sessions/${id}`)).json.state).toBe('ended');
    const refused = await harness.post('/v1/sessions', harness.order({ name: 'nightly' }));
    expect([refused.status, refused.json.code]).toEqual([409, 'session-stopped']);
    expect(refused.json.next_steps).toEqual(['cordon unfreeze --agent nightly']);
    expect(refused.json.detail).toContain('posts to an unknown host');
    await create(harness, { name: 'other' });
    await harness.post('/v1/stops', { scope: { all: true }, strength: 'freeze' });
    expect((await harness.post('/v1/sessions', harness.order({ name: 'other' }))).status).toBe(409);

    await harness.close();
    await harness.open();
    expect((await harness.post('/v1/sessions', harness.order({ name: 'other' }))).json.code).toBe('session-stopped');
    expect((await harness.get('/v1/status')).json.warnings.join()).toMatch(
      /agent nightly is stopped.*everything is stopped/s,
    );
    expect((await harness.post('/v1/lifts', { scope: { all: true } })).json.lifted).toHaveLength(1);
    await create(harness, { name: 'other' });
    expect((await harness.post('/v1/sessions', harness.order({ name: 'nightly' }))).status).toBe(409);
    await harness.post('/v1/lifts', { scope: { agent: 'nightly' } });
    await create(harness, { name: 'nightly' });
    expect((await harness.get('/v1/stops')).json.stops).toHaveLength(2);
    expect((await harness.get('/v1/stops?active=true')).json.stops).toEqual([]);
  });

  test('a frozen session is frozen again by a control plane that finds it running', async () => {
    await using harness = await Harness.start();
    const { id } = await create(harness);
    await harness.post('/v1/stops', { scope: { session: id }, strength: 'freeze' });
    const alive = harness.supervisor.sessions.get(id);
    if (alive === undefined) throw new TypeError('no session');
    await harness.close();
    await harness.reopenAs(async () => {
      harness.supervisor.sessions.set(id, { ...alive, state: 'running' });
    }, [id]);
    expect(harness.supervisor.calls.at(-1)).toMatchObject({ method: 'freeze', params: { sessions: [id] } });
    expect((await harness.get(`/v1/sessions/${id}`)).json.state).toBe('frozen');
  });

  test('a session that was left frozen between the stop and its record can be lifted', async () => {
    await using harness = await Harness.start();
    const { id } = await create(harness);
    const alive = harness.supervisor.sessions.get(id);
    if (alive === undefined) throw new TypeError('no session');
    await harness.close();
    await harness.reopenAs(async () => {
      harness.supervisor.sessions.set(id, { ...alive, state: 'frozen' });
    }, [id]);
    expect((await harness.get(`/v1/sessions/${id}`)).json.state).toBe('frozen');
    const lifted = await harness.post('/v1/lifts', { scope: { session: id } });
    expect([lifted.status, lifted.json]).toEqual([200, { lifted: [], thawed: [id] }]);
    expect(harness.supervisor.sessions.get(id)?.state).toBe('running');
    expect((await harness.post('/v1/lifts', { scope: { session: id } })).json.code).toBe('not-found');
  });

  test('what nobody confirmed is said to be unconfirmed, and recorded all the same', async () => {
    await using harness = await Harness.start();
    const { id } = await create(harness);
    harness.supervisor.confirms = false;
    const reply = await harness.post('/v1/stops', { scope: { session: id }, strength: 'freeze' });
    expect(reply.status).toBe(201);
    expect(reply.json.sessions).toEqual([{ session: id, confirmed: false, ms: 0, processesLeft: -1 }]);
    expect((await harness.get('/v1/stops?active=true')).json.stops).toHaveLength(1);
  });

  test('a stop wins over a start that it raced with', async () => {
    await using harness = await Harness.start();
    const gate = Promise.withResolvers<void>();
    let starting = '';
    harness.supervisor.beforeStart = async (order) => {
      starting = order.session;
      await gate.promise;
    };
    const creating = harness.post('/v1/sessions', harness.order());
    await until(() => starting !== '');
    const stopping = harness.post('/v1/stops', { scope: { all: true }, strength: 'kill', reason: 'now' });
    await until(() => harness.supervisor.calls.some((call) => call.method === 'kill'));
    gate.resolve();
    await Promise.all([creating, stopping]);
    const ended = await until(async () => {
      const shown = await harness.get(`/v1/sessions/${starting}`);
      return shown.json.state === 'ended' ? shown : null;
    });
    expect(ended.json.exit.reason).toBe('killed');
  });

  test('epochs rise with every stop and lift, in the ledger', async () => {
    await using harness = await Harness.start();
    await harness.post('/v1/stops', { scope: { all: true }, strength: 'freeze', reason: 'drill' });
    await harness.post('/v1/lifts', { scope: { all: true }, reason: 'done' });
    const { entries } = (await harness.get('/v1/ledger/entries?limit=500')).json as {
      entries: { entry: { type: string; data: Record<string, unknown> } }[];
    };
    const stops = entries.map(({ entry }) => entry).filter(({ type }) => ['freeze', 'lift', 'epoch'].includes(type));
    expect(stops.map(({ type }) => type)).toEqual(['epoch', 'freeze', 'epoch', 'lift']);
    expect(stops.map(({ data }) => data['epoch'])).toEqual([1, 1, 2, 2]);
    expect(stops[1]?.data).toMatchObject({ scope: { all: true }, by: 'ada', reason: 'drill' });
  });
});
