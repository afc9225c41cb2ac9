import { beforeAll, describe, expect, test } from 'vitest';
import { buildLaunch } from '../workspace/support.ts';
import { cgroupsOf, processesWith, TestHost } from './support.ts';

beforeAll(buildLaunch);

describe('kill', () => {
  test('ends what ignores every signal, with the person’s reason, and is confirmed', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order(
      'trap "" TERM INT HUP QUIT; for i in $(seq 50); do (trap "" TERM; while :; do sleep 1; done) & done; echo up; while :; do sleep 1; done',
    );
    await control.call('start', order);
    const client = await host.attach(order.session);
    await expect.poll(() => client.text('stdout')).toContain('up');
    const [report] = await control.call('kill', { sessions: [order.session], reason: 'it misbehaves' });
    expect(report).toMatchObject({ session: order.session, confirmed: true, processesLeft: 0 });
    expect(await client.exit()).toMatchObject({ status: 137, reason: 'killed', detail: 'it misbehaves' });
    expect(client.text('notice')).toContain('it misbehaves');
    await host.tells('session.exited');
    expect(cgroupsOf(order.session)).toEqual([]);
  });

  test('before the start: that session never runs', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('echo ran > proof');
    expect(await control.call('kill', { sessions: [order.session], reason: 'too late' })).toMatchObject([
      { confirmed: true },
    ]);
    await expect(control.call('start', order)).rejects.toMatchObject({ code: 'session-stopped' });
  });

  test('racing with starts: whatever the moment, either it never ran or it is ended; nothing is left', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const orders = Array.from({ length: 12 }, () => host.order('sleep 1000'));
    const outcomes: string[] = [];
    for (const [i, order] of orders.entries()) {
      const start = control.call('start', order).then(
        () => 'ran',
        (error: { code?: string }) => error.code ?? 'fault',
      );
      await new Promise((resolve) => setTimeout(resolve, i * 3));
      const kill = control.call('kill', { sessions: [order.session], reason: 'race' });
      outcomes.push(await start);
      expect(await kill).toMatchObject([{ confirmed: true, processesLeft: 0 }]);
    }
    expect(outcomes.filter((outcome) => outcome !== 'ran' && outcome !== 'session-stopped')).toEqual([]);
    await expect
      .poll(() => orders.flatMap((order) => [...cgroupsOf(order.session), ...processesWith(order.session)]), {
        timeout: 10_000,
      })
      .toEqual([]);
    for (const order of orders)
      await expect(control.call('start', order)).rejects.toMatchObject({ code: 'session-stopped' });
  });

  test('unknown and ended sessions answer as confirmed', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('true');
    await control.call('start', order);
    await host.tells('session.exited');
    const reports = await control.call('kill', { sessions: [order.session, 'ses_unknown'], reason: 'x' });
    expect(reports.map((report) => report.confirmed)).toEqual([true, true]);
  });
});

// Without a cgroup (an ordinary user with none delegated) there is no freezer: then nothing is confirmed.
const canFreeze = process.getuid?.() === 0;

describe('freeze', () => {
  test('stops all that runs, survives a client that goes away, and thaws', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done');
    await control.call('start', order);
    const sessions = [order.session];
    const client = await host.attach(order.session);
    await expect.poll(() => client.offset).toBeGreaterThan(10);
    expect(await control.call('freeze', { sessions })).toMatchObject([{ confirmed: canFreeze }]);
    if (!canFreeze) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const still = client.offset;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(client.offset).toBe(still);
    expect(await control.call('thaw', { sessions })).toMatchObject([{ confirmed: true }]);
    await expect.poll(() => client.offset).toBeGreaterThan(still);
  });

  test('a frozen session is killed as it is, and a killed one is not thawed', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('sleep 1000');
    await control.call('start', order);
    const sessions = [order.session];
    await control.call('freeze', { sessions });
    expect(await control.call('kill', { sessions, reason: 'x' })).toMatchObject([
      { confirmed: true, processesLeft: 0 },
    ]);
    await control.call('thaw', { sessions });
    await host.tells('session.exited');
    expect(cgroupsOf(order.session)).toEqual([]);
  });
});
