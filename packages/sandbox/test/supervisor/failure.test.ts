import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildLaunch } from '../workspace/support.ts';
import { askGateway, cgroupsOf, isAlive, processesIn, TestHost, until } from './support.ts';

beforeAll(buildLaunch);

async function gatewayPid(control: Awaited<ReturnType<TestHost['control']>>): Promise<number> {
  for (;;) {
    const pid = (await control.call('hello', { boot: 'test' })).gateways[0]?.pid;
    if (pid !== undefined) return pid;
  }
}

describe('the gateway', () => {
  test('killed while a connection waits: the next one answers it, on the same socket', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const first = await gatewayPid(control);
    const order = host.order(`${askGateway}; ask /; read go; ask /die; echo; ask /; ask /`);
    await control.call('start', order);
    const client = await host.attach(order.session);
    await expect.poll(() => client.text('stdout')).toContain(`gw-${first}`);
    process.kill(first, 'SIGSTOP');
    client.send('stdin', 'go\n');
    // The connection is made to a gateway that is stopped, so it waits in the backlog; then that gateway dies.
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.kill(first, 'SIGKILL');
    expect((await client.exit()).status).toBe(0);
    const { params } = await host.tells('gateway.down', (down) => down['pid'] === first);
    expect(params['signal']).toBe('SIGKILL');
    const up = await host.tells('gateway.up', (report) => report['pid'] !== first);
    // `/die` ends the second gateway as well, so the last answers come from a third.
    expect(up.params['restarts']).toBe(1);
    expect(client.text('stdout').match(/gw-\d+/g)?.length).toBe(3);
    expect(new Set(client.text('stdout').match(/gw-\d+/g)).size).toBe(2);
  });

  test('that hangs is killed and replaced', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const first = await gatewayPid(control);
    process.kill(first, 'SIGSTOP');
    await host.tells('gateway.down', (down) => down['pid'] === first);
    await host.tells('gateway.up', (report) => report['pid'] !== first);
    expect(isAlive(first)).toBe(false);
  });
});

describe('a gateway that was taken over', () => {
  test('ends itself with a malformed word, and not the supervisor', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const first = await gatewayPid(control);
    const order = host.order(`${askGateway}; ask /null; ask /; echo still here`);
    await control.call('start', order);
    const client = await host.attach(order.session);
    expect((await client.exit()).status).toBe(0);
    await host.tells('gateway.down', (down) => down['pid'] === first);
    expect(client.text('stdout')).toContain('still here');
  });
});

describe('the supervisor', () => {
  test('killed: the sandbox dies with it, and the next start sweeps, proves and tells', async () => {
    await using host = new TestHost();
    const { child } = await host.supervisor();
    const control = await host.control();
    const order = host.order('echo mine > kept; (trap "" TERM HUP; while :; do sleep 1; done) & echo up; sleep 1000');
    await control.call('start', order);
    const client = await host.attach(order.session);
    await expect.poll(() => client.text('stdout')).toContain('up');
    const gateway = await gatewayPid(control);
    const inside = processesIn(order.session);
    // Without a cgroup they cannot be listed from outside; the sweep below proves the same.
    expect(inside.length > 2 || process.getuid?.() !== 0).toBe(true);
    child.kill('SIGKILL');
    await until(() => !isAlive(child.pid ?? 0), 'the supervisor to die');
    // By the kernel and the guard alone: nobody has swept yet.
    await until(() => inside.every((pid) => !isAlive(pid)), 'the sandbox to die with its supervisor');
    await until(() => !isAlive(gateway), 'the gateway to end');
    const next = await host.supervisor();
    expect(next.said).toBe('listening');
    expect(cgroupsOf(order.session)).toEqual([]);
    expect(readdirSync(join(host.home, 'sessions', order.session)).sort()).toEqual(['manifest.json', 'upper']);
    const after = await host.control();
    const { params } = await host.tells('recovered');
    expect(params['sessions']).toMatchObject([{ session: order.session }]);
    const [swept] = params['sessions'] as { swept: { ok: boolean; item: string }[] }[];
    expect(swept?.swept.filter((item) => !item.ok)).toEqual([]);
    // The proposal outlives all of it.
    expect((await after.call('changes', { session: order.session })).map((change) => change.path)).toEqual(['kept']);
    await expect(after.call('start', order)).rejects.toMatchObject({ code: 'session-exists' });
  });

  test('a stopped gateway that outlived its supervisor is ended by the next one', async () => {
    await using host = new TestHost();
    const { child } = await host.supervisor();
    const gateway = await gatewayPid(await host.control());
    process.kill(gateway, 'SIGSTOP');
    child.kill('SIGKILL');
    await until(() => !isAlive(child.pid ?? 0), 'the supervisor to die');
    expect(isAlive(gateway)).toBe(true);
    await host.supervisor();
    await until(() => !isAlive(gateway), 'the old gateway to be killed');
  });

  test('a second one on the same runtime folder refuses and disturbs nothing', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const refused = await Promise.all([host.supervisor(), host.supervisor()]);
    expect(refused.map((one) => one.said)).toEqual(['supervisor-running', 'supervisor-running']);
    const order = host.order('echo fine');
    await control.call('start', order);
    expect((await (await host.attach(order.session)).exit()).status).toBe(0);
  });

  test('of two that start at once on a stale folder exactly one serves', async () => {
    await using host = new TestHost();
    const first = await host.supervisor();
    first.child.kill('SIGKILL');
    await until(() => !isAlive(first.child.pid ?? 0), 'the supervisor to die');
    const said = (await Promise.all([host.supervisor(), host.supervisor()])).map((one) => one.said);
    expect(said.sort()).toEqual(['listening', 'supervisor-running']);
  });

  test('shutdown ends every session and its gateway, and leaves no socket that answers', async () => {
    await using host = new TestHost();
    const { child } = await host.supervisor();
    const control = await host.control();
    const orders = [host.order('sleep 1000'), host.order('sleep 1000')];
    for (const order of orders) await control.call('start', order);
    const gateway = await gatewayPid(control);
    await control.call('shutdown', null);
    await until(() => child.exitCode !== null || child.signalCode !== null, 'the supervisor to end');
    expect(child.exitCode).toBe(0);
    expect(isAlive(gateway)).toBe(false);
    expect(host.told.filter((one) => one.name === 'session.exited').length).toBe(2);
    for (const order of orders) expect(cgroupsOf(order.session)).toEqual([]);
    expect(existsSync(join(host.runtime, 'gateway-local.pid'))).toBe(false);
  });

  // An ordinary user's sessions carry the user's own uid, so there is no uid to find left-overs by.
  test('what cannot be proved gone keeps its tenant from starting, until it is gone', { timeout: 40_000 }, async () => {
    if (process.getuid?.() !== 0) return;
    await using host = new TestHost();
    const { child } = await host.supervisor();
    const control = await host.control();
    const order = host.order('sleep 1000');
    await control.call('start', order);
    const { uid } = JSON.parse(readFileSync(join(host.home, 'sessions', order.session, 'manifest.json'), 'utf8')) as {
      uid: number;
    };
    const left = spawn('setpriv', [`--reuid=${uid}`, '--clear-groups', 'sleep', '1000'], { stdio: 'ignore' });
    child.kill('SIGKILL');
    await until(() => !isAlive(child.pid ?? 0), 'the supervisor to die');
    await host.supervisor();
    const after = await host.control();
    await expect(after.call('start', host.order('true'))).rejects.toMatchObject({ code: 'node-dirty' });
    const other = await after.call('start', host.order('true', { tenant: 'other' }));
    expect(other.state).toBe('running');
    left.kill('SIGKILL');
    await until(() => host.stderr.includes('dirty-lifted'), 'the next proof');
    expect((await after.call('start', host.order('true'))).state).toBe('running');
  });

  test('a folder of a session whose manifest was never written is removed', async () => {
    await using host = new TestHost();
    const folder = join(host.home, 'sessions', host.order('').session);
    mkdirSync(folder, { recursive: true });
    await host.supervisor();
    expect(existsSync(folder)).toBe(false);
  });
});

describe('the control plane', () => {
  test('away: events wait, in order, and come once it is back; unanswered ones come again', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const deaf = await host.control({ record: false });
    const orders = [host.order('exit 1'), host.order('exit 2')];
    for (const order of orders) {
      await deaf.call('start', order);
      await (await host.attach(order.session)).exit();
    }
    deaf.close();
    await host.control();
    const last = await host.tells('session.exited', (params) => params['session'] === orders[1]?.session);
    expect(last.params['exit']).toMatchObject({ status: 2 });
    const exits = host.told.filter((one) => one.name === 'session.exited').map((one) => one.params['session']);
    expect(exits).toEqual(orders.map((order) => order.session));
  });

  test('a newer one replaces the old one; a mere connection does not', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const old = await host.control();
    await host.control({ hello: false });
    await old.call('hello', { boot: 'still here' });
    const fresh = await host.control();
    await until(() => old.closed, 'the old connection to be closed');
    expect((await fresh.call('hello', { boot: 'x' })).pid).toBeGreaterThan(0);
  });

  test('an end that nobody recorded is told by the next supervisor', async () => {
    await using host = new TestHost();
    const { child } = await host.supervisor();
    const deaf = await host.control({ record: false });
    const order = host.order('true');
    await deaf.call('start', order);
    await (await host.attach(order.session)).exit();
    const manifest = join(host.home, 'sessions', order.session, 'manifest.json');
    await until(() => readFileSync(manifest, 'utf8').includes('"state":"ended"'), 'the teardown');
    child.kill('SIGKILL');
    await until(() => !isAlive(child.pid ?? 0), 'the supervisor to die');
    await host.supervisor();
    await host.control();
    const { params } = await host.tells('recovered');
    expect(params['sessions']).toMatchObject([{ session: order.session }]);
    await until(() => !existsSync(manifest), 'the folder to go once it was recorded');
  });
});
