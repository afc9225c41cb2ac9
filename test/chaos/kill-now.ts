import { readFileSync } from 'node:fs';
import { until } from '../support/until.ts';
import type { Load } from './load.ts';
import type { World } from './world.ts';

const goneMs = 60_000;

/** `cordon kill` of one session in the middle of a fault. Milliseconds until nothing of it runs, whatever is recorded. */
export async function killNow(world: World, load: Load): Promise<number> {
  let session = '';
  await until(
    () => {
      session = load.agents.find((agent) => agent.handle !== null)?.handle?.id ?? '';
      return session !== '' && insideOf(world, new Set([session])) > 0;
    },
    'a session to kill',
    goneMs,
  );
  load.operator.killed.add(session);
  const began = performance.now();
  const answered = world.deployment.cordon(['kill', session, '--reason', 'in the middle of a fault']);
  await until(() => insideOf(world, new Set([session])) === 0, `session ${session} to end`, goneMs);
  const took = performance.now() - began;
  const { status, stderr } = await answered;
  // It may say that it could not be recorded, never that it was not carried out.
  if (status !== 0 && !stderr.includes('carried out') && !stderr.includes('no session'))
    world.wrong.push(`cordon kill ended with ${status}: ${stderr}`);
  return took;
}

/** How many processes are in a cgroup of these sessions. */
export function insideOf(world: World, sessions: ReadonlySet<string>): number {
  return world.processes().filter(({ pid }) => {
    try {
      const cgroups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      return [...sessions].some((session) => cgroups.includes(session));
    } catch {
      return false;
    }
  }).length;
}
