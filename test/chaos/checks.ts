import { execFileSync } from 'node:child_process';
import type { Decision } from '@cordon/protocol';
import { until } from '../support/until.ts';
import type { Load } from './load.ts';
import { granted, type World } from './world.ts';

const settleMs = 30_000;
/** Around the moment at which a disk was given up: entries that were never on it, and how late an agent's line comes. */
const tornBeforeMs = 200;
const tornAfterMs = 1500;

/** With the load stopped and the daemon running: everything that must hold after any fault. Words go to `world.wrong`. */
export async function checkAll(world: World, load: Load, options: { readonly clock?: 'jumped' } = {}): Promise<void> {
  await load.stop();
  await commandsAnswer(world);
  await nothingLeftOfSessions(world);
  await everyEffectWasDecided(world, load, options.clock === 'jumped');
  await nextSessionWorks(world);
  await verifies(world, 'with the daemon running');
}

/** After `cordon down`, before the folder goes: the record stands alone. */
export async function checkOffline(world: World): Promise<void> {
  const down = await world.deployment.cordon(['down']);
  if (down.status !== 0) world.wrong.push(`cordon down ended with ${down.status}: ${down.stderr}`);
  await verifies(world, 'with nothing running');
  await gone(world, 'processes after down', () => world.survivors().map(String));
}

async function commandsAnswer(world: World): Promise<void> {
  for (const command of [
    ['ps', '--all', '--json'],
    ['status', '--json'],
    ['ledger', 'show', '--limit', '5'],
  ]) {
    const run = await world.deployment.cordon(command);
    if (run.status !== 0) world.wrong.push(`cordon ${command.join(' ')} ended with ${run.status}: ${run.stderr}`);
  }
}

async function nothingLeftOfSessions(world: World): Promise<void> {
  const { deployment } = world;
  const alive = async (): Promise<string[]> => {
    const { stdout } = await deployment.cordon(['ps', '--json']);
    return stdout.split('\n').filter((line) => line !== '');
  };
  await gone(world, 'sessions that live on', alive);
  const below = ['guard', 'bwrap', 'launch', 'agent', 'workspace'];
  await gone(world, 'processes of sandboxes', () =>
    world.processes().flatMap(({ role, pid }) => (below.includes(role) ? [`${role} ${pid}`] : [])),
  );
  await gone(world, 'files', () => world.filesLeft());
  await gone(world, 'mounts', () => deployment.mounts().filter((line) => !line.includes(` ${deployment.home} `)));
  const sessions = await sessionIds(world);
  await gone(world, 'cgroups', () => cgroupsOf(sessions));
}

async function sessionIds(world: World): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const session of world.deployment.sdk().sessions.list()) ids.add(session.id);
  return ids;
}

function cgroupsOf(sessions: ReadonlySet<string>): string[] {
  const found = execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', 'ses_*'], { encoding: 'utf8' });
  return found.split('\n').filter((line) => sessions.has(line.slice(line.lastIndexOf('/') + 1)));
}

async function gone(world: World, what: string, look: () => string[] | Promise<string[]>): Promise<void> {
  let left: string[] = [];
  await until(
    async () => {
      left = await look();
      return left.length === 0;
    },
    what,
    settleMs,
  ).catch(() => world.wrong.push(`${what} left behind: ${left.slice(0, 5).join(', ')}`));
}

/**
 * The server outside, the agents and the ledger must tell one story: nothing reached the server that was not allowed
 * and recorded before, as often as it was recorded; and whatever an agent was told is on record.
 */
async function everyEffectWasDecided(world: World, load: Load, clockJumped: boolean): Promise<void> {
  const decisions = await world.deployment.decisions();
  const byTarget = new Map<string, Decision[]>();
  for (const decision of decisions as unknown as Decision[]) {
    const target = decision.summary.split('/').at(-1)?.split(' ')[0] ?? '';
    byTarget.set(target, [...(byTarget.get(target) ?? []), decision]);
  }
  const of = (target: string, outcome: 'allow' | 'deny'): Decision[] =>
    (byTarget.get(target) ?? []).filter((decision) => decision.outcome === outcome);
  const torn = (at: number): boolean =>
    world.torn.some((moment) => at > moment - tornBeforeMs && at < moment + tornAfterMs);
  const reached = new Map<string, number>();
  for (const { target, at, host } of world.sink.requests.filter((request) => !torn(request.at))) {
    const name = target.slice(1);
    const times = (reached.get(name) ?? 0) + 1;
    reached.set(name, times);
    const allowed = of(name, 'allow');
    if (host !== granted || allowed.length < times) world.wrong.push(`an effect without a record: ${host}${target}`);
    else if (!clockJumped && !allowed.some((one) => Date.parse(one.at) <= at))
      world.wrong.push(`an effect before its record: ${host}${target}`);
  }
  for (const { status, target, host } of load.seen.filter((seen) => !torn(seen.at))) {
    if (status === 200 && of(target, 'allow').length === 0) world.wrong.push(`an answer without a record: ${target}`);
    if (status === 200 && host !== granted) world.wrong.push(`a forbidden request was answered: ${host}/${target}`);
    if (status === 403 && of(target, 'deny').length === 0) world.wrong.push(`a denial without a record: ${target}`);
  }
  if (load.answered === 0) world.wrong.push('no request was ever answered: nothing was tested');
}

async function nextSessionWorks(world: World): Promise<void> {
  const next = await world.deployment.sh(`curl -s -m 20 -o /dev/null -w '%{http_code}' https://${granted}/next`, [
    '--allow',
    granted,
  ]);
  if (next.stdout !== '200') {
    world.wrong.push(`the next session did not work: ${next.status} ${next.stdout} ${next.stderr.slice(-500)}`);
  }
}

async function verifies(world: World, when: string): Promise<void> {
  const verified = await world.deployment.cordon(['ledger', 'verify']);
  if (verified.status !== 0) world.wrong.push(`the ledger does not verify ${when}: ${verified.stdout.slice(-2000)}`);
}
