// `cordon run -- true` end to end with a warm daemon, beside bare bubblewrap and @anthropic-ai/sandbox-runtime, in one
// run, interleaved. node bench/sandbox/run.ts [rounds]
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Deployment } from '../../test/support/deployment.ts';
import { print, printMachine, summarize, timeCommand } from '../support/measure.ts';

const rounds = Number(process.argv[2] ?? 40);
const root = path.resolve(import.meta.dirname, '../..');
const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/root' };

printMachine();
for (const tool of ['socat', 'rg']) {
  if (!['/usr/bin', '/usr/local/bin', '/bin'].some((folder) => existsSync(path.join(folder, tool)))) {
    console.log(`sandbox-runtime needs ${tool}: apt-get install -y socat ripgrep`);
    process.exit(69);
  }
}

await using deployment = await Deployment.start();
const cordonEnv = { ...env, CORDON_HOME: deployment.home, CORDON_RUNTIME_DIR: deployment.runtime };
const settings = path.join(deployment.folder, 'srt.json');
writeFileSync(
  settings,
  JSON.stringify({
    network: { allowedDomains: [], deniedDomains: [] },
    filesystem: { denyRead: [], allowWrite: ['/tmp'], denyWrite: [] },
  }),
);

const installed = execFileSync(path.join(root, 'test/agents/install.sh'), { encoding: 'utf8' }).trim();
const srt = path.join(installed, 'node_modules/.bin/srt');
const arms: ReadonlyArray<readonly [string, readonly string[], Readonly<Record<string, string>>]> = [
  [
    'bubblewrap, bare',
    ['bwrap', '--unshare-all', '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', 'true'],
    env,
  ],
  ['@anthropic-ai/sandbox-runtime', [process.execPath, srt, '--settings', settings, 'true'], env],
  ['./cordon run -- true', [path.join(root, 'cordon'), 'run', '--quiet', '--', 'true'], cordonEnv],
  ['  of which: node -e 0', [process.execPath, '-e', '0'], env],
  ['  of which: ./cordon --version', [path.join(root, 'cordon'), '--version'], cordonEnv],
];
const samples = arms.map((): number[] => []);
for (let round = -2; round < rounds; round++) {
  for (const [i, [, command, armEnv]] of arms.entries()) {
    const ms = await timeCommand(command, armEnv, deployment.workspace);
    if (round >= 0) samples[i]?.push(ms);
  }
}
for (const [i, [name]] of arms.entries()) print(name, summarize(samples[i] ?? []));

const starts: number[] = [];
for await (const session of deployment.sdk().sessions.list())
  if (session.sandbox !== null) starts.push(session.sandbox.startMs);
print('supervisor start (spawn to served sockets)', summarize(starts));
