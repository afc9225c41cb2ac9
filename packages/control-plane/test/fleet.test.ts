import type { FleetBreaker } from '@cordon/protocol';
import type { IndexedDecision } from '@cordon/store';
import { beforeEach, describe, expect, it } from 'vitest';
import { breakerRoutes } from '../src/api/routes/breakers.ts';
import { alarmWords, Fleet, type RaisedAlarm } from '../src/fleet/fleet.ts';
import { FleetWatch } from '../src/fleet/watch.ts';
import { limits } from '../src/limits.ts';
import { SessionFeed } from '../src/sessions/feed.ts';

const host = 'https://api.example.com:443';
const noon = Date.parse('2026-11-21T12:00:00.000Z');
const second = 1000;

const denial = (session: number, agent: string, at = noon, resource = host) => ({
  session: `ses_${session}`,
  agent,
  resource,
  at,
});

describe('one resource, denied all over', () => {
  let watch: FleetWatch;
  beforeEach(() => {
    watch = new FleetWatch();
  });

  const raised = (denials: readonly ReturnType<typeof denial>[]) =>
    denials.map((each) => watch.note(each)).filter(Boolean);

  it('in five sessions of two agents within five minutes is an alarm about these', () => {
    const last = noon + limits.fleetWindowMs - 1;
    expect(raised([1, 2, 3, 4].map((each) => denial(each, 'fixer', noon)))).toEqual([]);
    expect(raised([denial(5, 'nightly', last)])).toEqual([
      {
        ...{ resource: host, at: last, agents: ['fixer', 'nightly'] },
        sessions: ['ses_1', 'ses_2', 'ses_3', 'ses_4', 'ses_5'],
      },
    ]);
    // What has raised one begins anew.
    expect(raised([denial(6, 'fixer', last), denial(7, 'nightly', last)])).toEqual([]);
  });

  it.each([
    ['four sessions', [1, 2, 3, 4, 4, 4, 3].map((each) => denial(each, each % 2 === 0 ? 'fixer' : 'nightly'))],
    ['one agent', [1, 2, 3, 4, 5, 6, 7, 8].map((each) => denial(each, 'fixer'))],
    ['six minutes', [1, 2, 3, 4, 5].map((each) => denial(each, `agent${each}`, noon + each * 75 * second))],
    ['six minutes backwards', [1, 2, 3, 4, 5].map((each) => denial(each, `agent${each}`, noon - each * 75 * second))],
    ['two resources', [1, 2, 3, 4, 5].map((each) => denial(each, `agent${each}`, noon, `${host}${each % 2}`))],
  ])('%s are none', (_name, denials) => {
    expect(raised(denials)).toEqual([]);
  });

  it('forgets no resource for one that was denied longer ago, and keeps no more than it may', () => {
    for (let i = 0; i < limits.fleetResourcesMax; i++) watch.note(denial(1, 'fixer', noon, `${host}/${i}`));
    for (const each of [2, 3, 4]) watch.note(denial(each, 'nightly', noon, `${host}/0`));
    watch.note(denial(1, 'fixer', noon, 'https://new.example.com:443'));
    expect(raised([denial(5, 'nightly', noon, `${host}/0`)])).toHaveLength(1);
    expect(raised([2, 3, 4, 5].map((each) => denial(each, 'nightly', noon, `${host}/1`)))).toEqual([]);
  });
});

describe('what an alarm does', () => {
  let says: FleetBreaker;
  let now: number;
  let frozen: string[];
  let entries: { type: string; data: unknown }[];
  let told: RaisedAlarm[];
  let fleet: Fleet;
  const feed = new SessionFeed();

  const decision = (session: number, agent: string, more: Partial<IndexedDecision> = {}) =>
    ({
      ...denial(session, agent),
      at: new Date(noon).toISOString(),
      ...{ outcome: 'deny', code: 'no-grant', data: { by: 'policy', reasons: [] } },
      ...more,
    }) as unknown as IndexedDecision;
  const all = [decision(1, 'a'), decision(2, 'a'), decision(3, 'a'), decision(4, 'b'), decision(5, 'b')];
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    [says, now, frozen, entries, told, fleet] = ['page', noon, [], [], [], new Fleet()];
  });

  function begin(): void {
    const record = async (entry: { type: string; data: unknown }) => entries.push(entry);
    fleet.begin({
      recorder: { record } as never,
      clock: { now: () => now, monotonic: () => now },
      log: { warn: () => undefined, fault: () => undefined } as never,
      feed,
      says: () => says,
      tell: (alarm) => told.push(alarm),
      isAlive: (session) => session !== 'ses_2',
      freeze: async (session, reason) => {
        if (session === 'ses_3') throw new TypeError('it ended meanwhile');
        frozen.push(`${session}: ${reason}`);
      },
    });
  }

  it('tells people and freezes nobody, unless the policy says so', async () => {
    begin();
    fleet.denied(all);
    await settled();
    const sessions = [1, 2, 3, 4, 5].map((each) => `ses_${each}`);
    const data = { act: 'fleet', resource: host, sessions, agents: ['a', 'b'], frozen: [], windowMs: 300_000 };
    expect(entries).toEqual([{ type: 'breaker', session: null, data }]);
    expect([frozen, told]).toMatchObject([[], [{ resource: host, sessions, frozen: [] }]]);
    expect(fleet.alarms().map(alarmWords)).toEqual([
      `${host} was denied in 5 sessions of 2 agents at 2026-11-21T12:00:00.000Z`,
    ]);
    now += limits.fleetShownMs + 1;
    expect(fleet.alarms()).toEqual([]);
  });

  it('freezes those that were denied themselves and are alive, and nobody else', async () => {
    says = 'freeze';
    begin();
    fleet.denied([decision(9, 'c', { resource: 'https://other.example.com:443' }), ...all]);
    await settled();
    const reason = `${host} was denied in 5 sessions of 2 agents`;
    expect(frozen).toEqual(['ses_1', 'ses_4', 'ses_5'].map((session) => `${session}: ${reason}`));
    expect(told[0]?.frozen).toEqual(['ses_1', 'ses_4', 'ses_5']);
  });

  it('counts no allow, no wait for a person, no outage of ours and nothing that a breaker denied', async () => {
    begin();
    const [first] = all as [IndexedDecision];
    for (const more of [
      { outcome: 'allow' },
      { outcome: 'hold' },
      { code: 'hold-limit' },
      { code: 'stale-policy' },
      { data: { by: 'policy', reasons: ['ceiling/core/R0-breaker'] } },
    ]) {
      fleet.denied([...all.slice(1), { ...first, ...more } as IndexedDecision]);
    }
    await settled();
    expect(entries).toEqual([]);
  });

  it('is listed, and streamed to whoever follows: what was raised before and what comes', async () => {
    begin();
    const gateways = { breakers: async () => ({ sessions: [], destinations: [] }) } as never;
    const [list] = breakerRoutes({ gateways, recorder: {} as never, fleet, feed });
    if (list?.kind !== 'json' || list.follow === null) throw new TypeError('no route to follow');
    const end = new AbortController();
    const request = { query: {}, body: null, params: {}, caller: 'ada', signal: end.signal } as never;
    fleet.denied(all);
    await settled();
    const events = list.follow(request)[Symbol.asyncIterator]();
    expect(await events.next()).toMatchObject({ value: { event: 'fleet', data: { resource: host, frozen: [] } } });
    const next = events.next();
    fleet.denied(all.map((each) => ({ ...each, resource: 'https://other.example.com:443' })));
    expect(await next).toMatchObject({ value: { data: { resource: 'https://other.example.com:443' } } });
    const body = (await list.handle(request)) as { body: { fleet: { resource: string }[] } };
    expect(body.body.fleet.map(({ resource }) => resource)).toEqual([host, 'https://other.example.com:443']);
    end.abort();
    expect(await events.next()).toEqual({ value: undefined, done: true });
  });

  it('keeps what was denied while the control plane was still starting', async () => {
    fleet.denied(all);
    begin();
    await settled();
    expect(entries).toHaveLength(1);
  });
});
