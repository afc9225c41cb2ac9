import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TeardownItem } from '@cordon/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildLaunch } from '../workspace/support.ts';
import { askGateway, cgroupsOf, processesWith, TestHost, until } from './support.ts';

beforeAll(buildLaunch);

describe('a session', () => {
  test('runs, speaks through its gateway, ends with its own status, and leaves nothing', async () => {
    await using host = new TestHost();
    expect((await host.supervisor()).said).toBe('listening');
    const control = await host.control();
    const order = host.order(`${askGateway}; ask /; echo oops >&2; exit 7`);
    const report = await control.call('start', order);
    expect(report).toMatchObject({ session: order.session, state: 'running' });
    const client = await host.attach(order.session);
    expect(await client.exit()).toMatchObject({ status: 7, reason: 'exited' });
    expect(client.text('stdout')).toMatch(new RegExp(`^${order.session} proxy gw-\\d+\n$`));
    expect(client.text('stderr')).toBe('oops\n');
    const { params } = await host.tells('session.exited');
    const teardown = params['teardown'] as TeardownItem[];
    expect(teardown.filter((item) => !item.ok)).toEqual([]);
    expect(teardown.map((item) => item.item)).toEqual(
      expect.arrayContaining(['processes', 'cgroup members', 'namespaces', 'mounts', 'files']),
    );
    expect(cgroupsOf(order.session)).toEqual([]);
    // Nothing was changed, so not even a proposal stays, nor the process that removed its folder.
    await expect.poll(() => existsSync(join(host.home, 'sessions', order.session))).toBe(false);
    await expect.poll(() => processesWith(order.session)).toEqual([]);
  });

  test('its changes are a proposal that outlives it until applied and discarded', async () => {
    await using host = new TestHost();
    writeFileSync(join(host.workspace, 'a'), 'old\n');
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', '4242:4242', host.workspace]);
    await host.supervisor();
    const control = await host.control();
    const order = host.order('echo new > a; mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit');
    await control.call('start', order);
    await host.tells('session.exited');
    expect(readFileSync(join(host.workspace, 'a'), 'utf8')).toBe('old\n');
    const { session } = order;
    const changes = await control.call('changes', { session });
    expect(changes.map((change) => [change.path, change.protected])).toEqual([
      ['.git', false],
      ['.git/hooks', true],
      ['.git/hooks/pre-commit', true],
      ['a', false],
    ]);
    const outcome = await control.call('apply', { session, paths: null, protectedPaths: [] });
    expect(outcome.applied.sort()).toEqual(['.git', 'a']);
    expect(readFileSync(join(host.workspace, 'a'), 'utf8')).toBe('new\n');
    expect(existsSync(join(host.workspace, '.git/hooks'))).toBe(false);
    if (process.getuid?.() === 0)
      expect(execFileSync('stat', ['-c', '%u', join(host.workspace, 'a')]).toString()).toBe('4242\n');
    await control.call('discard', { session });
    expect(existsSync(join(host.home, 'sessions', session))).toBe(false);
    await expect(control.call('changes', { session })).rejects.toMatchObject({ code: 'session-unknown' });
  });

  test('a running session is frozen while its proposal is applied, and goes on', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('echo 1 > a; echo ready; read x; echo 2 > b; echo done');
    await control.call('start', order);
    const client = await host.attach(order.session);
    await expect.poll(() => client.text('stdout')).toContain('ready');
    const { session } = order;
    await expect(control.call('discard', { session })).rejects.toMatchObject({ code: 'session-running' });
    await control.call('changes', { session });
    expect((await control.call('apply', { session, paths: null, protectedPaths: [] })).applied).toEqual(['a']);
    client.send('stdin', 'go\n');
    expect((await client.exit()).status).toBe(0);
    expect(readdirSync(host.workspace)).toEqual(['a']);
  });

  test('an order that was given twice, is malformed, or comes before hello is refused', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const silent = await host.control({ hello: false });
    const order = host.order('true');
    await expect(silent.call('start', order)).rejects.toMatchObject({ code: 'hello-first' });
    const control = await host.control();
    await control.call('start', order);
    await expect(control.call('start', order)).rejects.toMatchObject({ code: 'session-exists' });
    for (const bad of [
      { session: 'ses_../../../etc' },
      { tenant: '../x' },
      { agent: 'a/b' },
      { driver: 'toString' as 'process' },
    ]) {
      await expect(control.call('start', host.order('true', bad))).rejects.toMatchObject({ code: 'order-invalid' });
    }
    await expect(control.call('changes', { session: '../../etc' })).rejects.toMatchObject({ code: 'session-unknown' });
  });

  test('a command that does not exist fails the start and leaves nothing', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = { ...host.order(''), command: ['/no/such/program'] };
    await expect(control.call('start', order)).rejects.toMatchObject({ code: 'exec-failed' });
    await expect.poll(() => readdirSync(join(host.home, 'sessions'))).toEqual([]);
    expect(cgroupsOf(order.session)).toEqual([]);
  });

  test('folders nested past the longest path are removed with it', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const nest = `import os
os.chdir(os.path.expanduser('~'))
for i in range(300):
    os.mkdir('d' * 200); os.chdir('d' * 200); open('f', 'w').close()`;
    const order = host.order(`python3 -c "${nest}" && echo deep`);
    await control.call('start', order);
    const client = await host.attach(order.session);
    expect((await client.exit()).status).toBe(0);
    expect(client.text('stdout')).toBe('deep\n');
    const { params } = await host.tells('session.exited');
    expect((params['teardown'] as TeardownItem[]).filter((item) => !item.ok)).toEqual([]);
    await expect.poll(() => existsSync(join(host.home, 'sessions', order.session))).toBe(false);
  });

  test('a further command has its own stream, input and status', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('sleep 100');
    await control.call('start', order);
    const exec = 'exe_1';
    await control.call('exec', {
      session: order.session,
      exec,
      command: ['/bin/cat'],
      env: {},
      cwd: host.workspace,
      terminal: null,
    });
    const client = await host.attach(order.session, 0, exec);
    client.send('stdin', 'through and back');
    client.send('stdin', '');
    expect((await client.exit()).status).toBe(0);
    expect(client.text('stdout')).toBe('through and back');
  });

  test('over its disk limit it is killed, with the reason', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('for i in 1 2 3 4 5 6 7 8 9; do head -c 3000000 /dev/zero > f$i; done; sleep 60');
    await control.call('start', { ...order, resources: { ...order.resources, diskBytes: 8_000_000 } });
    const client = await host.attach(order.session);
    expect(await client.exit()).toMatchObject({
      status: 137,
      reason: 'killed',
      detail: expect.stringContaining('disk limit'),
    });
  });

  test('at the end of its time it is frozen first', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('while :; do echo tick; sleep 0.05; done', { ttlMs: 1000 });
    await control.call('start', order);
    const client = await host.attach(order.session);
    await expect.poll(() => client.text('notice'), { timeout: 5000 }).toContain('frozen');
    const { sessions } = await control.call('hello', { boot: 'test' });
    expect(sessions).toMatchObject([{ session: order.session, state: 'frozen' }]);
  });
});

describe('direct mode', () => {
  test('renaming the folder above a read-only mount makes room for nothing', async () => {
    await using host = new TestHost();
    execFileSync('mkdir', ['-p', join(host.workspace, '.git/hooks')]);
    writeFileSync(join(host.workspace, '.git/hooks/mine'), 'mine');
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', '4242:4242', host.workspace]);
    await host.supervisor();
    const control = await host.control();
    const script =
      'if mv .git away; then mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit; sleep 2; fi; echo tried';
    const order = host.order(script, { workspace: { path: host.workspace, mode: 'direct' } });
    await control.call('start', order);
    const client = await host.attach(order.session);
    await client.exit();
    expect(client.text('stdout')).toBe('tried\n');
    await host.tells('session.exited');
    expect(existsSync(join(host.workspace, '.git/hooks/pre-commit'))).toBe(false);
    const mine = ['.git', 'away']
      .map((name) => join(host.workspace, name, 'hooks/mine'))
      .filter((path) => existsSync(path));
    expect(mine.map((path) => readFileSync(path, 'utf8'))).toEqual(['mine']);
  });

  test('protected files that were there are read-only, new ones are moved away and told', async () => {
    await using host = new TestHost();
    execFileSync('mkdir', ['-p', join(host.workspace, '.git/hooks'), join(host.workspace, 'sub/.vscode')]);
    writeFileSync(join(host.workspace, 'sub/.vscode/tasks.json'), 'mine');
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', '4242:4242', host.workspace]);
    await host.supervisor();
    const control = await host.control();
    const script = `echo ok > plain
      echo evil > .git/hooks/pre-commit || echo refused-hook
      echo evil > sub/.vscode/tasks.json || echo refused-task
      echo evil > .envrc; mkdir .vscode; echo evil > .vscode/tasks.json
      for i in $(seq 100); do [ -e .envrc ] || [ -e .vscode ] || break; sleep 0.1; done`;
    const order = host.order(script, { workspace: { path: host.workspace, mode: 'direct' } });
    await control.call('start', order);
    const client = await host.attach(order.session);
    expect((await client.exit()).status).toBe(0);
    expect(client.text('stdout')).toContain('refused-hook');
    expect(client.text('stdout')).toContain('refused-task');
    expect(client.text('notice')).toContain('best effort');
    await host.tells('session.exited');
    expect(readdirSync(host.workspace).sort()).toEqual(['.git', 'plain', 'sub']);
    expect(readdirSync(join(host.workspace, '.git/hooks'))).toEqual([]);
    expect(readFileSync(join(host.workspace, 'sub/.vscode/tasks.json'), 'utf8')).toBe('mine');
    const moved = host.told.filter((one) => one.name === 'workspace.quarantined').map((one) => one.params['path']);
    expect(moved.sort()).toEqual(['.envrc', '.vscode']);
  });

  test('sockets, pipes and set-user-ID files that were there lead to nothing', async () => {
    await using host = new TestHost();
    execFileSync('mkdir', ['-p', join(host.workspace, 'a/b')]);
    const tool = join(host.workspace, 'a/tool');
    writeFileSync(tool, 'original content');
    const pipe = join(host.workspace, 'a/b/pipe');
    execFileSync('mkfifo', ['-m', '666', pipe]);
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(join(host.workspace, 'a/b/daemon.sock'));
    await new Promise((resolve) => server.once('listening', resolve));
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', '4242:4242', host.workspace]);
    execFileSync('chmod', ['4755', tool]);
    // Somebody on the host waits for orders at the pipe.
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    await host.supervisor();
    const control = await host.control();
    const script = `python3 - <<'END'
import mmap, socket
def attempt(name, act):
  try: act(); print(name, 'done')
  except Exception as e: print(name, 'stopped')
def knock(): socket.socket(socket.AF_UNIX).connect('a/b/daemon.sock')
def order():
  with open('a/b/pipe', 'wb', buffering=0) as f: f.write(b'order')
def patch():
  with open('a/tool', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0); m[0:4] = b'evil'; m.flush()
attempt('socket', knock); attempt('pipe', order); attempt('tool', patch)
END
ln a/tool again; rm -f a/b/daemon.sock a/b/pipe a/tool; mv a c && mkdir a; echo tried`;
    const order = host.order(script, { workspace: { path: host.workspace, mode: 'direct' } });
    await control.call('start', order);
    const client = await host.attach(order.session);
    await client.exit();
    expect(client.text('stdout')).toContain('tried');
    expect(client.text('stdout')).not.toContain('socket done');
    expect(client.text('stdout')).not.toContain('tool done');
    expect(connections).toBe(0);
    const heard = Buffer.alloc(16);
    expect(readSync(reader, heard)).toBe(0);
    closeSync(reader);
    const found = ['a', 'c'].map((name) => join(host.workspace, name, 'tool')).find((one) => existsSync(one)) ?? '';
    expect(readFileSync(found, 'utf8')).toBe('original content');
    expect(statSync(found).mode & 0o7777).toBe(0o4755);
    await new Promise((resolve) => server.close(resolve));
  });

  test('files that have a name outside too are counted, as nothing can part them', async () => {
    await using host = new TestHost();
    writeFileSync(join(host.root, 'store'), 'shared');
    for (const name of ['one', 'two']) linkSync(join(host.root, 'store'), join(host.workspace, name));
    writeFileSync(join(host.workspace, 'own'), 'own');
    linkSync(join(host.workspace, 'own'), join(host.workspace, 'own-again'));
    await host.supervisor();
    const control = await host.control();
    const start = async (mode: 'direct' | 'proposal'): Promise<string> => {
      const order = host.order('echo x > two', { workspace: { path: host.workspace, mode } });
      await control.call('start', order);
      const client = await host.attach(order.session);
      await client.exit();
      return client.text('notice');
    };
    // A proposal parts them: that is what the notice recommends.
    expect(await start('proposal')).toBe('');
    expect(readFileSync(join(host.root, 'store'), 'utf8')).toBe('shared');
    expect(JSON.parse(await start('direct'))).toMatchObject({ code: 'workspace-direct', shared: 2, uncovered: 0 });
  });

  test('a protected file that the host replaces takes its mount along: the session is frozen, and a person told', async () => {
    await using host = new TestHost();
    execFileSync('mkdir', ['-p', join(host.workspace, 'sub/.git')]);
    const config = join(host.workspace, 'sub/.git/config');
    writeFileSync(config, 'original');
    writeFileSync(join(host.workspace, '.envrc'), 'original');
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', '4242:4242', host.workspace]);
    await host.supervisor();
    const control = await host.control();
    const script = 'while sleep 0.2; do echo turn; done';
    // An ordinary user without a delegated cgroup cannot freeze; the word comes all the same.
    const order = host.order(script, { workspace: { path: host.workspace, mode: 'direct' } });
    await control.call('start', order);
    const client = await host.attach(order.session);
    await until(() => client.text('stdout').includes('turn'), 'the session');
    writeFileSync(config, 'edited in place');
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(client.text('notice')).not.toContain('"code":"unguarded"');
    for (const path of [join(host.workspace, '.envrc'), config]) {
      writeFileSync(`${path}.lock`, 'by the host');
      renameSync(`${path}.lock`, path);
      await until(() => client.text('notice').includes('"frozen"'), 'the freeze');
      await control.call('thaw', { sessions: [order.session] });
    }
    await until(() => client.text('notice').match(/"code":"unguarded"/g)?.length === 2, 'both paths');
    expect(client.text('notice')).toContain('sub/.git/config');
    await control.call('kill', { sessions: [order.session], reason: 'test' });
    await client.exit();
  });
});
