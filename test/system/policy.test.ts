import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

// The life of a policy, as a person at the command line has it.
const rule = (host: string): string =>
  `@id("no-${host.split('.')[0]}")\nforbid (principal, action, resource in Cordon::Host::"${host}");\n`;

interface Generation {
  readonly generation: number;
  readonly address: string | null;
  readonly inForce: boolean;
}

const waitMs = 60_000;

describe('a policy', { timeout: 240_000 }, () => {
  let deployment: Deployment;
  let operatorKey = '';
  const at = (name: string): string => path.join(deployment.workspace, name);
  const cordon = async (...args: string[]) => {
    const run = await deployment.cordon(['policy', ...args], { cwd: deployment.workspace });
    return { ...run, all: run.stdout + run.stderr };
  };
  const good = async (...args: string[]): Promise<string> => {
    const { status, stdout, all } = await cordon(...args);
    expect(status, `policy ${args.join(' ')}: ${all}`).toBe(0);
    return stdout;
  };
  const history = async (): Promise<Generation[]> =>
    (await good('history', '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Generation);
  const inForce = async (): Promise<number> => (await history()).find((each) => each.inForce)?.generation ?? 0;
  const folder = (name: string, text: string): void => {
    mkdirSync(at(name), { recursive: true });
    writeFileSync(path.join(at(name), 'rule.cedar'), text);
  };
  const ask = async (host: string): Promise<{ readonly status: string; readonly body: string }> => {
    const url = `http://${host}/x`;
    const run = await deployment.cordon(
      ['run', '--allow', `http://${host}`, '--', 'curl', '-s', '-w', '\n%{http_code}', url],
      { cwd: deployment.workspace },
    );
    expect(run.status, run.stderr).toBe(0);
    const at = run.stdout.lastIndexOf('\n');
    return { status: run.stdout.slice(at + 1), body: run.stdout.slice(0, at) };
  };
  /** By policy: a name that does not resolve is another refusal. */
  const denied = async (host: string): Promise<boolean> => (await ask(host)).body.includes('"code": "forbidden"');

  beforeAll(async () => {
    deployment = await Deployment.start();
    folder('one', rule('one.example'));
    folder('two', rule('two.example'));
    const me = await deployment.cordon(['whoami', '--json']);
    operatorKey = (JSON.parse(me.stdout) as { readonly keyFile: string }).keyFile;
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  it('is compared before it is in force, and then it is, and can be taken back', async () => {
    expect(await denied('one.example')).toBe(false);
    const diff = await good('diff', 'one', '--since', '1h');
    expect(diff).toContain('allow → deny');
    expect(diff).toContain('it widens nothing');
    expect(diff).toMatch(/1 of \d+ recorded decisions would be others/);
    expect(await inForce()).toBe(1);

    expect(await good('activate', 'one')).toContain('generation 2 is in force');
    expect(await denied('one.example')).toBe(true);
    expect(await good('diff', '1')).toContain('deny → allow');
    expect(await good('rollback', '1')).toContain('generation 3 is in force, it widens what is allowed');
    expect(await denied('one.example')).toBe(false);
  });

  it('is explained with the facts that would have changed it', async () => {
    await good('activate', 'one');
    const attempt = /att_[a-z0-9_-]+/.exec((await ask('one.example')).body)?.[0] ?? '';
    const told = await good('explain', attempt);
    expect(told).toContain('forbidden by tenant/rule/no-one');
    expect(told).toMatch(/facts {4}.*effect read/);
    expect(told).toContain('no one or two other facts would allow it');
  });

  it('that is older, changed, unsigned or of a stranger is refused, also after a kill', async () => {
    await good('sign', 'one', '--out', 'one.tar');
    await good('activate', 'one.tar');
    const now = await inForce();
    await good('activate', 'two');
    const refuse = async (why: string, status = 77): Promise<void> => {
      const run = await cordon('activate', 'one.tar');
      expect(run.status, run.all).toBe(status);
      expect(run.all).toContain(why);
      expect(await inForce()).toBe(now + 1);
    };
    await refuse('policy-rollback');
    await killDaemon();
    await refuse('policy-rollback');

    await good('sign', 'one', '--out', 'one.tar');
    const bundle = readFileSync(at('one.tar'));
    const changed = Buffer.from(bundle);
    changed.write('permit', changed.indexOf('forbid'));
    writeFileSync(at('one.tar'), changed);
    await refuse('bundle-invalid', 78);
    writeFileSync(at('one.tar'), bundle);
    const envelope = readFileSync(at('one.tar.dsse'), 'utf8');
    rmSync(at('one.tar.dsse'));
    await refuse('there is no one.tar.dsse', 78);
    await deployment.cordon(['people', 'add', 'eve', '--key', 'eve.pem'], { cwd: deployment.workspace });
    await good('sign', 'one.tar', '--key', 'eve.pem');
    await refuse('bundle-unsigned');
    writeFileSync(at('one.tar.dsse'), envelope);
    await good('activate', 'one.tar');
  });

  it('of which the daemon was killed is the old one or the new one, whole, and recorded', async () => {
    await good('sign', 'two', '--out', 'two.tar');
    const before = await inForce();
    const database = path.join(deployment.home, 'cordon.db-wal');
    const untouched = statSync(database).mtimeMs;
    const running = deployment.background(['policy', 'activate', 'two.tar'], { cwd: deployment.workspace });
    // The first write is that of the number; gateways are told behind it.
    await until(() => statSync(database).mtimeMs !== untouched, 'the number', waitMs);
    await killDaemon();
    await running.closed;
    const after = await inForce();
    expect([before, before + 1]).toContain(after);
    const { body } = await ask('two.example');
    expect(body.includes('"code": "forbidden"'), body).toBe(after === before + 1);
    const again = await cordon('activate', 'two.tar');
    expect(again.status, again.all).toBe(0);
    expect(await inForce()).toBe(before + 1);
    const verified = await deployment.cordon(['ledger', 'verify'], { cwd: deployment.workspace });
    expect(verified.status, verified.stdout + verified.stderr).toBe(0);
  });

  it('beside judges and touches nothing', async () => {
    const before = await inForce();
    expect(await good('activate', 'one', '--shadow')).toContain('judges beside');
    expect(await denied('one.example')).toBe(false);
    let report = '';
    const told = async (): Promise<boolean> => {
      report = await good('shadow');
      return report.includes('allow → deny');
    };
    await until(told, 'the shadow policy to judge', waitMs);
    expect(report).toContain('GET http://one.example/x');
    expect(await inForce()).toBe(before);
    expect(await good('shadow', '--stop')).toContain('ended');
    expect(await good('shadow')).toContain('no policy judges beside');
  });

  it('takes as many people as the trust root says, and one more where it widens', async () => {
    const people = (...args: string[]) => deployment.cordon(['people', ...args], { cwd: deployment.workspace });
    for (const name of ['ann', 'ben']) expect((await people('add', name, '--key', `${name}.pem`)).status).toBe(0);
    const root = ['trust', '--signer', 'me', '--signer', 'ann', '--signer', 'ben', '--out', 'root.json'];
    await good(...root);
    const alone = await cordon('trust', 'root.json');
    expect(alone.all).toContain('trust-invalid');
    expect(await good('trust', 'root.json', '--key', 'ann.pem')).toContain(
      'a bundle takes 2 of them, 3 where it widens',
    );

    folder('three', `${rule('two.example')}${rule('three.example')}`);
    const one = await cordon('activate', 'three');
    expect(one.all).toContain('bundle-unsigned');
    expect(one.all).toContain('1 of 2');
    await good('activate', 'three', '--key', operatorKey, '--key', 'ann.pem');
    const wide = await cordon('activate', 'two', '--key', operatorKey, '--key', 'ann.pem');
    expect(wide.all).toContain('2 of 3 people have signed, one more than usual because it widens');
    await good('activate', 'two', '--key', operatorKey, '--key', 'ann.pem', '--key', 'ben.pem');
  });

  it('that has expired is refused', async () => {
    const run = await cordon('activate', 'two', '--expires', '2020-01-01');
    expect(run.status, run.all).toBe(77);
    expect(run.all).toContain('bundle-unsigned');
    const keys = [operatorKey, 'ann.pem', 'ben.pem'].flatMap((key) => ['--key', key]);
    const expired = await cordon('activate', 'two', '--expires', '2020-01-01', ...keys);
    expect(expired.status, expired.all).toBe(78);
    expect(expired.all).toContain('it expired 2020-01-01T00:00:00.000Z');
  });

  /** kill -9, and nothing else; the next command starts another. */
  async function killDaemon(): Promise<void> {
    const status = JSON.parse((await deployment.cordon(['status', '--json'])).stdout) as { readonly pid: number };
    process.kill(status.pid, 'SIGKILL');
    const gone = (): boolean => {
      try {
        process.kill(status.pid, 0);
        return false;
      } catch {
        return true;
      }
    };
    await until(gone, 'the daemon to be gone', waitMs);
    expect((await deployment.up()).status).toBe(0);
  }
});
