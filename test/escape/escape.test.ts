import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groups } from '../../apps/attack/src/groups.ts';
import { Deployment, ordinaryUser, type Run } from '../support/deployment.ts';
import { until } from '../support/until.ts';

/** The hook waits longer than the program may run, so that what it said is seen. */
const programTimeoutMs = 330_000;
const allTimeoutMs = 360_000;
const cases = groups.flatMap((group) => group.cases.map((each) => ({ group: group.name, ...each })));

interface Line {
  readonly event: 'begin' | 'case' | 'end';
  readonly name?: string;
  readonly outcome?: string;
  readonly detail?: string;
}

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

/** `cordon doctor --attack` as a person runs it, in a temporary folder that must be empty afterwards. */
function attack(deployment: Deployment, ...args: string[]): Promise<Run> {
  return deployment.cordon(['doctor', '--attack', '--json', ...args], {
    env: { TMPDIR: deployment.runtime },
    timeoutMs: programTimeoutMs,
  });
}

function leftIn(deployment: Deployment): readonly string[] {
  return readdirSync(deployment.runtime).filter((name) => /^c[af]-/.test(name));
}

function nothingLeft(deployment: Deployment): void {
  expect(leftIn(deployment)).toEqual([]);
  expect(deployment.mounts()).toEqual([]);
}

describe.each(['root', 'ordinary'] as const)('every way out, run by %s', (user) => {
  let deployment: Deployment;
  let run: Run;
  let lines: readonly Line[];
  beforeAll(async () => {
    deployment = await Deployment.start(user === 'root' ? {} : { as: ordinaryUser });
    run = await attack(deployment);
    lines = linesOf(run.stdout);
  }, allTimeoutMs);
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  const tried = cases.filter((each) => user === 'root' || each.needsCgroups !== true);
  it.each(tried.map((each) => [each.group, each.name, each.stop]))('%s: %s is stopped by: %s', (_group, name) => {
    const found = lines.filter((line) => line.event === 'case' && line.name === name);
    expect(found, `status ${run.status}: ${run.stderr}${run.stdout.slice(-2000)}`).not.toEqual([]);
    for (const { outcome, detail } of found) expect({ outcome, detail }).toEqual({ outcome: 'held', detail: '' });
  });

  it('says what could not be tried here, and nothing else is missing', () => {
    const missed = lines.filter((line) => line.outcome === 'not-tried');
    const expected = user === 'root' ? [] : cases.filter((each) => each.needsCgroups === true);
    expect(missed.map((line) => line.name)).toEqual(expected.map((each) => each.name));
    for (const line of missed) expect(line.detail).toContain('cgroup');
    expect(lines.at(-1)).toEqual({
      event: 'end',
      tried: tried.length,
      out: 0,
      unclear: 0,
      notTried: expected.length,
      left: [],
    });
    expect(run.status, run.stderr).toBe(0);
  });

  it('leaves nothing behind', () => nothingLeft(deployment));
});

it(
  'the judges find the ways that were opened on purpose, and only those',
  async () => {
    await using deployment = await Deployment.start();
    const chosen = ['a secret of the host', 'another path than granted', 'another method than granted'];
    const run = await attack(deployment, '--planted', ...chosen.flatMap((name) => ['--only', name]));
    const lines = linesOf(run.stdout).filter((line) => line.event === 'case');
    expect(lines.map((line) => [line.name, line.outcome])).toEqual([
      ['a secret of the host is not readable', 'out'],
      ['another method than granted', 'held'],
      ['another path than granted', 'out'],
    ]);
    expect(lines[0]?.detail).toContain('canary-');
    expect(run.status).toBe(1);
    nothingLeft(deployment);
  },
  allTimeoutMs,
);

it.each([
  ['is interrupted', 'SIGINT', 130],
  ['has lost its command line', 'SIGKILL', null],
] as const)(
  'a run that %s takes everything down',
  async (_what, signal, status) => {
    await using deployment = await Deployment.start();
    const child = deployment.background(['doctor', '--attack', '--json'], { env: { TMPDIR: deployment.runtime } });
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await until(() => said.includes('"event":"case"'), 'the first case', 120_000);
    child.kill(signal);
    await until(() => leftIn(deployment).length === 0, 'the folders to go', 120_000);
    expect(await child.closed).toBe(status);
    nothingLeft(deployment);
  },
  allTimeoutMs,
);

it('there are at least ninety ways, each with a name of its own', () => {
  expect(cases.length).toBeGreaterThanOrEqual(90);
  // `path-socket` is tried against two sockets.
  expect(cases.length - new Set(cases.map((each) => each.name)).size).toBe(1);
});
