import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { createCheckpointKey, createWitnessKey } from '@cordon/ledger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

// What the documents show is run here, so that a reader can trust every example.
const root = path.resolve(import.meta.dirname, '../..');
const document = (name: string): string => readFileSync(path.join(root, name), 'utf8');

/** The fenced blocks of one language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2] ?? '');
}

/** Runs lines of a document as a person's shell would, with `cordon` on its path. */
function shellOf(deployment: Deployment) {
  const bin = path.join(deployment.folder, 'bin');
  mkdirSync(bin, { recursive: true });
  const program = `exec ${process.execPath} ${path.join(root, 'apps/cordon/dist/cordon.mjs')} "$@"`;
  writeFileSync(path.join(bin, 'cordon'), `#!/bin/sh\n${program}\n`);
  chmodSync(path.join(bin, 'cordon'), 0o755);
  const env = {
    PATH: `${bin}:${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: deployment.folder,
    CORDON_HOME: deployment.home,
    CORDON_RUNTIME_DIR: deployment.runtime,
  };
  const start = (line: string): ChildProcess =>
    spawn('/bin/sh', ['-c', line], { cwd: deployment.workspace, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const run = (line: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const child = start(line);
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      child.once('error', reject);
      child.once('close', (status) => (status === 0 ? resolve(text) : reject(new Error(`${line}: ${status} ${text}`))));
    });
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return Object.assign(run, { start, end });
}

/** Below the range from which the kernel gives ports by itself, so that nobody takes it before it is used. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    const look = (): void => {
      server.listen(20_000 + Math.floor(Math.random() * 10_000), '127.0.0.1');
    };
    server.on('error', look);
    server.on('listening', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
    look();
  });
}

async function listens(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  );
}

describe('the life of a policy in the documents', () => {
  it('docs/guides/policy.md: one rule, from the first line to the way back, and by several people', async () => {
    // Of its own: from the first bundle on the policy folder is not read.
    await using deployment = await Deployment.start();
    const guide = document('docs/guides/policy.md');
    const [cedar = ''] = blocks(guide, 'cedar');
    mkdirSync(path.join(deployment.workspace, 'my-policy'));
    writeFileSync(path.join(deployment.workspace, 'my-policy/no-uploads.cedar'), cedar);
    const output = new Map<string, string>();
    const lines = blocks(guide, 'sh').flatMap((block) => block.trim().split('\n'));
    expect(lines.length).toBeGreaterThan(12);
    for (const line of lines) {
      const [, ...words] = line.replace(/ {2,}#.*$/, '').split(' ');
      const run = await deployment.cordon(words);
      expect(run.status, `${line}\n${run.stdout}${run.stderr}`).toBe(0);
      output.set(words.slice(0, 2).join(' '), run.stdout);
    }
    const diff = output.get('policy diff') ?? '';
    const shown = guide.slice(guide.indexOf('allow → deny\n'), guide.indexOf('it widens nothing\n'));
    expect(diff).toContain(shown);
    expect(diff).toContain('it widens nothing');
    expect(output.get('policy trust')).toContain('a bundle takes 2 of them, 3 where it widens');
    expect(output.get('policy activate')).toMatch(/signed by .*alice, bob/);
    writeFileSync(
      path.join(deployment.workspace, 'turned.cedar'),
      'forbid (principal, action, resource) when { context.anomaly < 2 };\n',
    );
    const turned = await deployment.cordon(['policy', 'check', 'turned.cedar']);
    expect(turned.status).toBe(78);
    expect(turned.stdout).toContain('turned.cedar:1:1: property: T6: anomaly 2 is allowed where anomaly 0 is not');
  });
});

describe('the examples of the documents', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await Deployment.start();
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  it('docs/guides/policy.md: cordon.yaml, its tests and the Cedar rule hold', async () => {
    const guide = document('docs/guides/policy.md');
    const yaml = blocks(guide, 'yaml');
    const config = yaml.find((block) => block.startsWith('version: 1')) ?? '';
    const tests = yaml.find((block) => block.includes('cordon.tests.yaml')) ?? '';
    const [cedar = ''] = blocks(guide, 'cedar');
    for (const [name, text] of [
      ['cordon.yaml', config],
      ['cordon.tests.yaml', tests],
      ['rule.cedar', cedar],
    ] as const) {
      writeFileSync(path.join(deployment.workspace, name), text);
    }
    const checked = await deployment.cordon(['policy', 'check', 'cordon.yaml', 'rule.cedar']);
    expect(checked.status, checked.stdout + checked.stderr).toBe(0);
    const tested = await deployment.cordon(['policy', 'test', '--policy', 'cordon.yaml', 'cordon.tests.yaml']);
    expect(tested.status, tested.stdout + tested.stderr).toBe(0);
    expect(tested.stdout).toContain('2 passed, 0 failed');
    // The same tests fail under another policy, so they do test something.
    writeFileSync(
      path.join(deployment.workspace, 'other.yaml'),
      'grants:\n  - allow: api.github.com/**\n    methods: [GET, DELETE]\n',
    );
    const failed = await deployment.cordon(['policy', 'test', '--policy', 'other.yaml', 'cordon.tests.yaml']);
    expect(failed.status).toBe(78);
    expect(failed.stdout).toContain('1 passed, 1 failed');
  });

  it('docs/guides/labels.md: the file of grants holds, and a session runs under it', async () => {
    const [yaml = ''] = blocks(document('docs/guides/labels.md'), 'yaml');
    writeFileSync(path.join(deployment.workspace, 'labels.yaml'), yaml);
    const checked = await deployment.cordon(['policy', 'check', 'labels.yaml']);
    expect(checked.status, checked.stdout + checked.stderr).toBe(0);
    const run = await deployment.sh('echo done', ['--policy', 'labels.yaml']);
    expect([run.status, run.stdout], run.stderr).toEqual([0, 'done\n']);
    const wrong = yaml.replace('type: email', 'type: mail');
    writeFileSync(path.join(deployment.workspace, 'wrong.yaml'), wrong);
    expect((await deployment.cordon(['policy', 'check', 'wrong.yaml'])).status).toBe(78);
  });

  it('docs/guides/policy.md: an unknown key is an error with line and column', async () => {
    writeFileSync(path.join(deployment.workspace, 'bad.yaml'), 'version: 1\ngrant:\n  - allow: a.example\n');
    const checked = await deployment.cordon(['policy', 'check', 'bad.yaml']);
    expect(checked.status).toBe(78);
    expect(checked.stdout).toContain('bad.yaml:2:1');
    expect(checked.stdout).toContain('grant');
  });

  it('docs/guides/sdk.md: the program runs', () => {
    const [program = ''] = blocks(document('docs/guides/sdk.md'), 'ts');
    const socket = path.join(deployment.runtime, 'api.sock');
    const file = path.join(root, '.cache/sdk-guide.mts');
    writeFileSync(
      file,
      program.replace('/run/cordon/api.sock', socket).replace('process.cwd()', JSON.stringify(deployment.workspace)),
    );
    const output = execFileSync(process.execPath, ['--conditions=cordon-source', file], {
      encoding: 'utf8',
      cwd: root,
    });
    expect(output).toContain('hello\n');
    expect(output).toContain('ended with 0');
    expect(output).toContain('deny GET https://refused.example/ no-grant');
  });

  it('docs/guides/effector.md: a session pays, and nobody else does', async () => {
    const ports = { 8088: await freePort(), 8089: await freePort() };
    const guide = document('docs/guides/effector.md')
      .replaceAll('8088', `${ports[8088]}`)
      .replaceAll('8089', `${ports[8089]}`);
    const [exporting = '', serving = '', asking = ''] = blocks(guide, 'sh');
    const [tenant = '', session = ''] = blocks(guide, 'yaml');
    const [own = ''] = blocks(guide, 'ts');
    const sh = shellOf(deployment);
    await sh(exporting);
    const at = (name: string): string => path.join(deployment.workspace, name);
    const served = serving
      .replace('examples/', `${path.join(root, 'examples')}/`)
      .replace('--listen', `--state ${at('state')} --listen`);
    const server = sh.start(`exec ${served}`);
    // Its module lies where the SDK is found; what it reads and writes, in the workspace.
    const file = path.join(root, '.cache/effector-guide.mts');
    writeFileSync(file, own);
    const ownServer = sh.start(`exec node ${file}`);
    try {
      mkdirSync(path.join(deployment.home, 'policy'), { recursive: true });
      const both = [tenant, tenant.replace(/^grants:\n/m, '').replaceAll(`${ports[8088]}`, `${ports[8089]}`)];
      writeFileSync(path.join(deployment.home, 'policy/payments.yaml'), both.join(''));
      writeFileSync(at('payments.yaml'), session);
      expect((await deployment.cordon(['policy', 'check', 'payments.yaml'])).status).toBe(0);
      const generation = async (): Promise<boolean> =>
        (await deployment.cordon(['policy', 'show'])).stdout.includes('payments.yaml');
      await until(generation, 'the tenant’s grant to be in force', 20_000);
      for (const port of Object.values(ports)) await until(() => listens(port), `a server at ${port}`, 20_000);
      const [inside = '', outside = ''] = asking.trim().split('\n');
      // A machine that is too busy to decide says so, and nothing was sent.
      const decided = async (line: string): Promise<string> => {
        let answer = '';
        const said = async (): Promise<boolean> => {
          answer = await sh(line);
          return !answer.includes('slow-decision');
        };
        await until(said, 'a decision in time', 30_000);
        return answer;
      };
      const paid = JSON.parse(await decided(inside)) as Record<string, unknown>;
      expect(paid).toMatchObject({ to: 'acme', cents: 1250, purpose: 'invoice 7' });
      expect(await sh(`cordon policy explain ${String(paid['attempt'])}`)).toContain('allow');
      expect(JSON.parse(await sh(outside))).toEqual({ error: 'permit-missing' });
      const forOwn = (text: string): string => text.replaceAll(`${ports[8088]}`, `${ports[8089]}`);
      writeFileSync(at('own.yaml'), forOwn(session));
      expect(await decided(forOwn(inside).replace('payments.yaml', 'own.yaml'))).toMatch(/^done for ses_/);
      expect(await sh(forOwn(outside))).toBe('permit-missing');
    } finally {
      await sh.end(server);
      await sh.end(ownServer);
    }
  });

  it('docs/guides/prove.md: a stranger checks one decision, and the whole record', async () => {
    const port = await freePort();
    const guide = document('docs/guides/prove.md').replaceAll('7433', `${port}`).replaceAll('tools/', `${root}/tools/`);
    const [
      keep = '',
      witness = '',
      believe = '',
      prove = '',
      check = '',
      who = '',
      whole = '',
      both = '',
      forget = '',
    ] = blocks(guide, 'sh');
    const sh = shellOf(deployment);
    await sh(keep);
    const server = sh.start(`exec ${witness}`);
    try {
      const line = path.join(deployment.workspace, 'witness.line');
      await until(
        () => existsSync(line) && readFileSync(line, 'utf8').endsWith('\n'),
        'the witness to say its key',
        20_000,
      );
      await sh(believe);
      await deployment.sh('curl -s -m 5 https://refused.example/secret-thing');
      const [denied] = await deployment.decisions();
      const named = (text: string): string =>
        text.replace('$ATTEMPT', String(denied?.['attempt'])).replace('$SESSION', String(denied?.['session']));
      const [first = '', second = ''] = check.trim().split('\n');
      // A machine that is too busy asks the witness in vain, and again the next time.
      const proved = async (): Promise<boolean> => {
        await sh(named(prove));
        return (await sh(first).catch(() => '')).startsWith('ok');
      };
      await until(proved, 'a proof under a cosigned head', 40_000);
      const said = await sh(first);
      expect(said).toMatch(/^ok {3}entry \d+ of \d+/);
      expect(said).toContain('outcome: "deny"');
      expect(said).toContain('cosigned by witness.local/w1');
      expect(JSON.parse(await sh(second))).toMatchObject({
        ok: true,
        entry: { data: { attempt: denied?.['attempt'] } },
      });
      expect(await sh(named(who))).toMatch(/^ *\d+ \S+ decision +ses_\S+ .*"outcome":"deny"/m);
      // The same file says nothing to who believes another key, or other witnesses.
      const other = path.join(deployment.workspace, 'other.vkey');
      writeFileSync(other, createCheckpointKey('other.invalid/ledger').verifierKey);
      await expect(sh(first.replace('ledger.vkey', other))).rejects.toThrow(/BAD/);
      const stranger = createWitnessKey('w.invalid/1').verifierKey;
      writeFileSync(path.join(deployment.workspace, 'strangers'), `witness w ${stranger}\nquorum w\n`);
      await expect(sh(first.replace('--witnesses witnesses', '--witnesses strangers'))).rejects.toThrow(/too few/);
      const report = await sh(whole);
      for (const part of ['entries', 'complete', 'tree', 'heads', 'witnesses', 'approvals', 'kill', 'decisions']) {
        expect(report).toMatch(new RegExp(`^local +${part} +ok `, 'm'));
      }
      // For who follows the host's own ledger: two proofs, of which neither is worth anything without the other.
      expect(await sh(named(both))).toMatch(/^ok {3}entry \d+ of \d+/);
      const last = both.trim().split('\n').at(-1) ?? '';
      await expect(sh(last.replace('--head head', '--head done'))).rejects.toThrow(/BAD/);
      const inPython = last.replace('cordon ledger verify', `python3 ${root}/tools/verify_ledger.py`);
      expect(JSON.parse(await sh(inPython))).toMatchObject({
        ok: true,
        entry: { data: { attempt: denied?.['attempt'] } },
      });
      await sh(named(forget));
      expect(await sh(whole)).toMatch(/^local +decisions +part .*1 notReplayable/m);
    } finally {
      await sh.end(server);
    }
  });

  it('README.md: every cordon command that it names exists', async () => {
    const { stdout: help } = await deployment.cordon(['--help']);
    const named = new Set(
      [
        ...document('README.md').matchAll(/`?(?:\.\/)?cordon ([a-z]+(?: (?:set|list|check|show|explain|verify))?)\b/g),
      ].map((match) => match[1] ?? ''),
    );
    expect(named.size).toBeGreaterThan(10);
    const missing = [...named].filter((name) => !help.includes(`  ${name} `) && !['exists'].includes(name));
    expect(missing).toEqual([]);
  });
});
