import { beforeAll, describe, expect, it } from 'vitest';
import { collect, driver, Place, requireHost, run, said, sh, specFor, start, text } from './harness.ts';

beforeAll(requireHost);

describe('capture', () => {
  it('that could not be tried at one start is tried at the next', async () => {
    using first = new Place();
    const same = driver(first);
    const broken = { ...specFor(first, { command: ['true'] }), launchBinary: '/bin/false' };
    await expect(same.start(broken, new AbortController().signal)).rejects.toThrow();
    using second = new Place();
    const sandbox = await same.start(specFor(second, { command: ['true'] }), new AbortController().signal);
    try {
      expect(sandbox.report.capture).toBe('redirect');
    } finally {
      await sandbox.teardown();
    }
  });
});

describe('a command', () => {
  it('returns its status', async () => {
    expect((await sh('exit 7')).exit).toEqual({ status: 7, reason: 'exited', signal: null, detail: null });
    expect((await run({ command: ['true'] })).exit.status).toBe(0);
  });

  it('that ends by a signal says which', async () => {
    const { exit } = await sh('kill -SEGV $$');
    expect(exit).toEqual({ status: 139, reason: 'signaled', signal: 'SIGSEGV', detail: null });
  });

  it('that does not exist fails at the barrier, with the reason', async () => {
    await using started = await start({ command: ['no-such-program'] });
    await expect(started.sandbox.open()).rejects.toMatchObject({ code: 'exec-failed' });
    expect(await started.sandbox.main.exit).toMatchObject({ status: 127 });
    await started.sandbox.ended;
  });

  it('gets its input, and its output comes whole', async () => {
    const input = 'x'.repeat(3_000_000);
    const { stdout, stderr } = await run({ command: ['/bin/bash', '-c', 'echo note >&2; cat'] }, input);
    expect(stdout.length).toBe(input.length);
    expect(stderr).toBe('note\n');
  });

  it('has real pipes, which /dev/stdout can open', async () => {
    const { stdout, stderr } = await sh(
      'echo one > /dev/stdout; echo two > /dev/stderr; test -p /dev/fd/0 && echo pipe',
    );
    expect(stdout).toBe('one\npipe\n');
    expect(stderr).toBe('two\n');
  });

  it('gets a signal, its whole group too', async () => {
    await using started = await start({
      command: ['/bin/bash', '-c', 'trap "echo got; exit 5" TERM; echo up; sleep 60 & wait'],
    });
    const { main } = started.sandbox;
    const up = said(main.stdout, 'up');
    const all = collect(main);
    await started.sandbox.open();
    await up;
    main.signal('SIGTERM');
    const ran = await all;
    expect(ran.exit.status).toBe(5);
    expect(ran.stdout).toContain('got');
  });

  it('takes everything with it that it left behind', async () => {
    await using started = await start({ command: ['/bin/bash', '-c', 'setsid nohup sleep 1000 & disown; exit 0'] });
    const { main } = started.sandbox;
    const all = collect(main);
    await started.sandbox.open();
    expect((await all).exit.status).toBe(0);
    await started.sandbox.ended;
    expect((await started.sandbox.stats()).processes).toBe(0);
  });

  it('is told that nobody reads any more', async () => {
    await using started = await start({ command: ['/bin/bash', '-c', 'while echo y; do :; done 2>/dev/null; exit 9'] });
    const { main } = started.sandbox;
    main.stderr.resume();
    main.stdout.once('data', () => main.stdout.destroy());
    await started.sandbox.open();
    const exit = await main.exit;
    expect([9, 141]).toContain(exit.status);
  });

  it('runs nothing before the barrier', async () => {
    await using started = await start({ command: ['/bin/bash', '-c', 'echo ran > here'], mode: 'direct' });
    expect((await started.sandbox.stats()).processes).toBeLessThanOrEqual(4);
    const { existsSync } = await import('node:fs');
    expect(existsSync(`${started.place.workspace}/here`)).toBe(false);
    const done = text(started.sandbox.main.stdout);
    await started.sandbox.open();
    await done;
    expect(existsSync(`${started.place.workspace}/here`)).toBe(true);
  });
});

describe('a terminal', () => {
  it('is a real one, with its size, its changes and its control characters', async () => {
    const script = `test -t 0 && test -t 1 && test -t 2 && tty; stty size
trap 'stty size; changed=1' WINCH; echo ready; until [ "$changed" ]; do sleep 0.02; done
read line; echo "line=$line"
trap 'echo interrupted; exit 4' INT; echo armed; while :; do sleep 0.02; done`;
    await using started = await start({
      command: ['/bin/bash', '-c', script],
      order: { terminal: { cols: 91, rows: 33 } },
    });
    const { main } = started.sandbox;
    const ready = said(main.stdout, 'ready');
    await started.sandbox.open();
    const first = await ready;
    expect(first).toContain('/dev/pts/');
    expect(first).toContain('33 91');
    const changed = said(main.stdout, '40 100');
    main.resize({ cols: 100, rows: 40 });
    await changed;
    const armed = said(main.stdout, 'armed');
    main.stdin.write('hello\n');
    expect(await armed).toContain('line=hello');
    const rest = text(main.stdout);
    main.stdin.write('\x03');
    expect((await main.exit).status).toBe(4);
    expect(await rest).toContain('interrupted');
  });

  it('cannot be typed into by the agent (TIOCSTI)', async () => {
    const program = `import fcntl, sys
try:
    fcntl.ioctl(0, 0x5412, b'x')
    print('typed')
except OSError as error:
    print('refused', error.errno)`;
    const { stdout } = await run({
      command: ['/usr/bin/python3', '-c', program],
      order: { terminal: { cols: 80, rows: 24 } },
    });
    expect(stdout).toContain('refused 1');
  });
});

describe('exec', () => {
  it('runs beside the agent, sees it, and has the same restrictions', async () => {
    await using started = await start({ command: ['sleep', '1000'] });
    const { sandbox, place } = started;
    await sandbox.open();
    const script =
      'grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; pgrep -x sleep >/dev/null && echo sees; cat; pkill -x sleep';
    const command = await sandbox.exec({
      command: ['/bin/bash', '-c', script],
      env: { A: 'b' },
      cwd: place.workspace,
      terminal: null,
    });
    const all = collect(command);
    command.stdin.end('tail');
    const { stdout } = await all;
    expect(stdout).toMatch(/CapEff:\s0000000000000000\nCapBnd:\s0000000000000000\nNoNewPrivs:\s1\nSeccomp:\s2\nsees/);
    // Landlock's signal scope is one domain for the whole sandbox: an operator's shell can end the agent.
    expect(await sandbox.main.exit).toMatchObject({ signal: 'SIGTERM' });
  });

  it('has a terminal of its own and an exit of its own', async () => {
    await using started = await start({ command: ['sleep', '1000'] });
    await started.sandbox.open();
    const command = await started.sandbox.exec({
      command: ['/bin/bash', '-c', 'stty size; exit 6'],
      env: {},
      cwd: started.place.workspace,
      terminal: { cols: 70, rows: 20 },
    });
    const all = collect(command);
    const ran = await all;
    expect(ran.stdout).toContain('20 70');
    expect(ran.exit.status).toBe(6);
    expect((await started.sandbox.stats()).processes).toBeGreaterThan(0);
  });

  it('says why a command could not start, and numbers are used again', async () => {
    await using started = await start({ command: ['sleep', '1000'] });
    const { sandbox, place } = started;
    await sandbox.open();
    const at = { env: {}, cwd: place.workspace, terminal: null };
    await expect(sandbox.exec({ ...at, command: ['/nowhere'] })).rejects.toMatchObject({ code: 'exec-failed' });
    await expect(sandbox.exec({ ...at, command: ['true'], cwd: '/etc' })).rejects.toMatchObject({
      code: 'spec-invalid',
    });
    for (let round = 0; round < 40; round++) {
      const command = await sandbox.exec({ ...at, command: ['/bin/echo', String(round)] });
      command.stdin.end();
      expect((await collect(command)).stdout).toBe(`${round}\n`);
    }
  });

  it('refuses the command over the limit, and the sandbox lives on', async () => {
    await using started = await start({ command: ['sleep', '1000'] });
    const { sandbox, place } = started;
    await sandbox.open();
    const at = { env: {}, cwd: place.workspace, terminal: null };
    const running = [];
    for (let number = 1; number < 16; number++) running.push(await sandbox.exec({ ...at, command: ['sleep', '900'] }));
    await expect(sandbox.exec({ ...at, command: ['true'] })).rejects.toMatchObject({ code: 'exec-failed' });
    running[0]?.signal('SIGKILL');
    expect(await running[0]?.exit).toMatchObject({ signal: 'SIGKILL' });
    expect((await sandbox.stats()).processes).toBeGreaterThan(14);
  });

  it('is refused after the end', async () => {
    await using started = await start({ command: ['true'] });
    const { sandbox, place } = started;
    await sandbox.open();
    await sandbox.ended;
    await expect(
      sandbox.exec({ command: ['true'], env: {}, cwd: place.workspace, terminal: null }),
    ).rejects.toMatchObject({ code: 'sandbox-ended' });
  });
});
