import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment, ordinaryUser } from '../support/deployment.ts';
import { until } from '../support/until.ts';

const wait = (condition: () => boolean | Promise<boolean>, what: string): Promise<void> =>
  until(condition, what, 15_000);

describe.each([
  ['root', 'hand-off', undefined],
  ['an ordinary user', 'hand-off', ordinaryUser],
  ['root', 'relay', undefined],
  ['an ordinary user', 'relay', ordinaryUser],
] as const)('cordon run as %s (%s)', (_who, sockets, as) => {
  let deployment: Deployment;
  // An ordinary user without a delegated cgroup must say that it accepts that.
  const weaker = as === undefined ? [] : ['--allow-weaker', 'cgroups'];
  beforeAll(async () => {
    deployment = await Deployment.start({ ...(as === undefined ? {} : { as }), sockets });
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  it('passes output and exit status through', async () => {
    const run = await deployment.sh('echo out; echo err >&2; exit 7', weaker);
    expect(run).toEqual({ status: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  it('passes input through, and its end', async () => {
    const text = 'x'.repeat(300_000);
    const run = await deployment.sh('wc -c', weaker, { input: text });
    expect(run.stdout.trim()).toBe('300000');
  });

  it('passes large output through unchanged', async () => {
    const run = await deployment.sh('head -c 5000000 /dev/zero | tr "\\0" a', weaker);
    expect(run.stdout.length).toBe(5_000_000);
    expect(run.status).toBe(0);
  });

  it('ends with the status of a signal', async () => {
    expect((await deployment.sh('kill -TERM $$', weaker)).status).toBe(143);
  });

  it('forwards a signal to the agent', async () => {
    const child = deployment.background([
      'run',
      '--quiet',
      ...weaker,
      '--',
      '/bin/sh',
      '-c',
      'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.05; done',
    ]);
    let out = '';
    const status = await new Promise((resolve) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        if (out === '' && chunk.length > 0) child.kill('SIGTERM');
        out += chunk.toString();
      });
      child.on('close', resolve);
    });
    expect(out).toBe('ready\ngot\n');
    expect(status).toBe(5);
  });

  it('keeps changes as a proposal until they are applied', async () => {
    const run = await deployment.cordon([
      'run',
      ...weaker,
      '--workspace-mode',
      'proposal',
      '--',
      '/bin/sh',
      '-c',
      'echo new > made; mkdir -p deep/er && echo x > deep/er/file',
    ]);
    expect(run.status).toBe(0);
    const session = /ses_[0-9a-z]{26}/.exec(run.stderr)?.[0] ?? '';
    const made = path.join(deployment.workspace, 'made');
    expect(() => readFileSync(made)).toThrow('ENOENT');
    const diff = await deployment.cordon(['diff', session]);
    expect(diff.stdout).toContain('+ made');
    expect(diff.stdout).toContain('+new');
    const applied = await deployment.cordon(['apply', session]);
    expect(applied.status, applied.stdout + applied.stderr).toBe(0);
    expect(readFileSync(made, 'utf8')).toBe('new\n');
    expect(readFileSync(path.join(deployment.workspace, 'deep/er/file'), 'utf8')).toBe('x\n');
  });

  it('changes the workspace at once in direct mode', async () => {
    await deployment.sh('echo now > direct', [...weaker, '--workspace-mode', 'direct']);
    expect(readFileSync(path.join(deployment.workspace, 'direct'), 'utf8')).toBe('now\n');
  });

  it('runs one more command inside by exec', async () => {
    const child = deployment.background([
      'run',
      ...weaker,
      '--',
      '/bin/sh',
      '-c',
      'echo secret-of-the-session > /tmp/here; while :; do sleep 0.1; done',
    ]);
    let err = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    await wait(() => /ses_[0-9a-z]{26}/.test(err), 'the session to start');
    const session = /ses_[0-9a-z]{26}/.exec(err)?.[0] ?? '';
    const exec = await deployment.cordon([
      'exec',
      session.slice(-8),
      '--',
      '/bin/sh',
      '-c',
      'sleep 0.2; cat /tmp/here; exit 3',
    ]);
    expect(exec.stdout).toBe('secret-of-the-session\n');
    expect(exec.status).toBe(3);
    const killed = await deployment.cordon(['kill', session, '--reason', 'done']);
    expect(killed.status, killed.stdout + killed.stderr).toBe(0);
    expect(await child.closed).toBe(137);
    expect(err).toContain('done');
  });

  it('gives the agent a terminal of the operator’s size, and keeps its escape sequences from the operator', async () => {
    const inside = 'test -t 0 && test -t 1 && stty size; printf "\\033]52;c;QUFB\\007\\033[31mred\\n"';
    const command = ['run', '--quiet', ...weaker, '--', '/bin/sh', '-c', `'${inside}'`].join(' ');
    const run = await deployment.onTerminal(`stty rows 33 cols 101; CORDON ${command}`);
    expect(run.stdout).toContain('33 101');
    expect(run.stdout).toContain('\u001b[31mred');
    expect(run.stdout).not.toContain('\u001b]52');
    expect(run.status).toBe(0);
  });

  it('passes line ends to the operator’s terminal as they left the agent’s, and gives the terminal back as it was', async () => {
    const command = [
      'run',
      '--quiet',
      ...weaker,
      '--',
      '/bin/sh',
      '-c',
      `'printf "one\ntwo\n"; stty raw; printf "x\ny"'`,
    ];
    const run = await deployment.onTerminal(`CORDON ${command.join(' ')}; stty -a`);
    // The agent's own terminal adds one carriage return, none where the agent switched that off, and ours adds none.
    expect(run.stdout).toContain('one\r\ntwo\r\n');
    expect(run.stdout).toContain('x\ny');
    expect(run.stdout).not.toContain('\r\r\n');
    expect(run.stdout).toMatch(/[^-]onlcr/);
  });

  it('says what is wrong with a call, and the way out', async () => {
    const missing = await deployment.cordon(['run', ...weaker, '--', 'no-such-program']);
    expect(missing.status).toBe(78);
    expect(missing.stderr).toContain('was not found on your PATH');
    const grant = await deployment.cordon(['run', ...weaker, '--allow', 'http://[bad', '--', 'true']);
    expect(grant.status).toBe(78);
    expect(grant.stderr).toContain('allow');
    const profile = await deployment.cordon(['run', ...weaker, '--profile', 'nope', '--', 'true']);
    expect(profile.status).toBe(78);
    expect(profile.stderr).toContain('nope');
  });
});

describe('an ordinary user without a delegated cgroup', () => {
  it('is refused a start that would be weaker than promised, with the way out', async () => {
    await using deployment = await Deployment.start({ as: ordinaryUser });
    const run = await deployment.sh('echo started');
    expect(run.stdout).toBe('');
    expect(run.status).toBe(69);
    expect(run.stderr).toContain('cgroups');
    expect(run.stderr).toContain('--allow-weaker cgroups');
  });
});
