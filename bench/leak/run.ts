// What the leak meter counts while real clients do real work: npm, pip and git in real sessions, on what real registries
// said. node --conditions=cordon-source bench/leak/run.ts [--only NAME]
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { policyLimits as limits } from '@cordon/policy';
import { destinationsOf, TestCa } from '@cordon/testkit';
import { Deployment } from '../../test/support/deployment.ts';
import { printMachine } from '../support/measure.ts';
import { type Fixture, openFixture, projects, wheels } from './fixture.ts';
import { type Metered, readMetered } from './metered.ts';
import { hosts, Servers } from './servers.ts';

const { values } = parseArgs({ options: { only: { type: 'string' }, show: { type: 'boolean', default: false } } });

interface Case {
  readonly name: string;
  readonly script: string;
  /** A folder that is the workspace's content. */
  readonly from?: string;
}

const npm = 'npm --cache=/tmp/npm --no-fund --loglevel=error --ignore-scripts';

function casesOf(fixture: Fixture): Case[] {
  const installs = Object.entries(projects).map(([name, packages]) => ({
    name: `npm install ${name}`,
    script: `npm init -y > /dev/null; ${npm} install ${packages.join(' ')}`,
  }));
  const locked = Object.keys(projects).map((name) => ({
    name: `lockfile of ${name}`,
    from: path.join(fixture.projects, name),
    // `ci` refuses a lockfile that the npm before it wrote without the packages for other machines.
    script: `${npm} ci 2> /dev/null || ${npm} install`,
  }));
  const { application = [] } = projects;
  const rest = [
    {
      name: 'npm install, and once more',
      script: `npm init -y > /dev/null; ${npm} install ${application.join(' ')}
rm -rf node_modules package-lock.json; npm cache clean --force --cache=/tmp/npm; ${npm} install`,
    },
    {
      name: 'pip install',
      script: `python3 -m pip download --quiet --disable-pip-version-check -d got ${wheels.join(' ')}`,
    },
    { name: 'git clone', script: 'git clone --quiet https://git.example.com/app.git got' },
  ];
  return [...installs, ...locked, ...rest].filter(
    ({ name }) => values.only === undefined || name.includes(values.only),
  );
}

const fixture = openFixture();
const ca = new TestCa();
await using servers = await Servers.start(ca.issue([...hosts]), fixture);
const ports = Object.fromEntries(hosts.map((host) => [host, servers.port]));
await using deployment = await Deployment.start({ destinations: destinationsOf(ports, ca) });
const policy = path.join(deployment.folder, 'leak.yaml');
const grants = [
  '{ allow: registry.npmjs.org, encodedSlash: true }',
  '{ allow: pypi.org/simple/** }',
  '{ allow: files.pythonhosted.org/packages/** }',
  '{ allow: git.example.com/app.git/** }',
  '{ allow: git.example.com/app.git/git-upload-pack, methods: [POST], clearance: private }',
];
writeFileSync(
  policy,
  `version: 1\nresources: { memory: 4GiB, disk: 8GiB }\ngrants:\n${grants.map((each) => `  - ${each}\n`).join('')}`,
  { mode: 0o644 },
);

printMachine();
console.log('case                             status    s  requests  p50  p99   max  over max  used (KiB)  denied');
let known = 0;
for (const each of casesOf(fixture)) {
  const folder = path.join(deployment.folder, 'case');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  if (each.from !== undefined) cpSync(each.from, folder, { recursive: true });
  const before = performance.now();
  const done = await deployment.sh(each.script, ['--policy', policy], { cwd: folder, timeoutMs: 600_000 });
  const seconds = (performance.now() - before) / 1000;
  const all = await readMetered(deployment.home);
  report(each.name, done.status, seconds, all.slice(known));
  known = all.length;
  if (done.status !== 0) console.log(done.stderr.slice(0, 600), done.stdout.slice(-500));
}
for (const each of new Set(servers.missing)) console.log(`not in the fixture: ${each}`);

function report(name: string, status: number | null, seconds: number, decided: readonly Metered[]): void {
  const bytes = decided.map((each) => each.bytes).sort((a, b) => a - b);
  const at = (share: number): number => bytes[Math.min(bytes.length - 1, Math.floor(bytes.length * share))] ?? 0;
  const used = decided.reduce((sum, each) => sum + (each.outcome === 'allow' ? each.bytes : 0), 0);
  const denied = Map.groupBy(
    decided.filter((each) => each.outcome !== 'allow'),
    (each) => `${each.method} ${each.code}`,
  );
  const row = [
    name.padEnd(32),
    String(status).padStart(6),
    seconds.toFixed(0).padStart(4),
    String(decided.length).padStart(9),
    ...[at(0.5), at(0.99), at(1)].map((value) => String(value).padStart(5)),
    String(bytes.filter((value) => value > limits.leakRequestBytesMax).length).padStart(8),
    (used / 1024).toFixed(1).padStart(11),
    ` ${[...denied].map(([what, { length }]) => `${what} ×${length}`).join(', ')}`,
  ];
  console.log(row.join(' '));
  if (!values.show) return;
  for (const each of [...decided.slice(0, 3), ...decided.slice(-2)])
    console.log(each.bytes, JSON.stringify(each.intent.args));
}
