import { kill } from 'node:process';
import { until } from '../../support/until.ts';
import { type Fault, play } from '../fault.ts';
import type { Load } from '../load.ts';
import type { RoleName } from '../processes.ts';
import { startOf } from '../processes.ts';
import { spread } from '../table.ts';
import type { World } from '../world.ts';

export const victims = ['control', 'supervisor', 'gateway', 'workspace', 'guard', 'bwrap', 'launch'] as const;
export type Victim = (typeof victims)[number];

const endMs = 20_000;
const delayMsMax = 300;

/** One `kill -9` at a random moment, and the way back. Returns the milliseconds until every agent was answered again. */
export async function killOne(world: World, load: Load, victim: Victim): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, world.dice.number(delayMsMax)));
  const pid = victim === 'workspace' ? await workspaceOf(world, load) : pick(world, victim);
  const living = new Map(load.agents.flatMap((agent) => (agent.handle === null ? [] : [[agent.handle.id, agent]])));
  const began = performance.now();
  if (pid !== null) {
    const start = startOf(pid);
    signal(pid);
    await until(() => start === null || startOf(pid) !== start, `${victim} ${pid} to be gone`, endMs);
  }
  if (victim === 'control') await world.revive();
  await world.recovered();
  await load.goesOn();
  if (victim === 'control' || victim === 'gateway' || victim === 'workspace') {
    // Their sessions go on: whoever ended meanwhile was ended by the operator, or came to its own end.
    for (const { session, exit } of load.ended) {
      const innocent = exit.reason === 'exited' || load.operator.killed.has(session);
      if (living.has(session) && !innocent)
        world.wrong.push(`${session} ended with the ${victim}: ${exit.reason} ${exit.detail ?? ''}`);
    }
  }
  return performance.now() - began;
}

function pick(world: World, role: RoleName): number | null {
  const found = world.processes().filter((process) => process.role === role);
  return found[world.dice.number(Math.max(1, found.length))]?.pid ?? null;
}

/** It lives for one job only: one is ordered, and whoever does it is hit. */
async function workspaceOf(world: World, load: Load): Promise<number | null> {
  const handle = load.agents.find((agent) => agent.handle !== null)?.handle;
  let ended = false;
  handle
    ?.apply()
    .catch(() => undefined)
    .finally(() => {
      ended = true;
    });
  let found: number | null = null;
  while (!ended && found === null && handle !== undefined) {
    found = pick(world, 'workspace');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return found;
}

function signal(pid: number): void {
  try {
    kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const killsPerDeployment = 50;

/** Kills, many to a deployment; what must hold is looked at after each deployment. */
export const killFault: Fault = {
  share: (rounds) => rounds,
  async run(campaign) {
    const { rounds, dice, say, signal } = campaign;
    const wrong: string[] = [];
    const back: number[] = [];
    const counts = new Map<Victim, number>();
    for (let done = 0; done < rounds && !signal.aborted; ) {
      const until = Math.min(rounds, done + killsPerDeployment);
      const found = await play(campaign, {}, async ({ world, load }) => {
        while (done < until && !signal.aborted) {
          const victim = dice.pick(victims);
          done += 1;
          back.push(await killOne(world, load, victim));
          counts.set(victim, (counts.get(victim) ?? 0) + 1);
          if (done % 10 === 0)
            say(`kill ${done}/${rounds}, ${load.answered} answered, wrong ${wrong.length + world.wrong.length}`);
        }
      });
      wrong.push(...found);
    }
    const each = [...counts].map(([victim, count]) => `${victim} ${count}`).join(', ');
    return { rounds: back.length, wrong, figures: `${each}; ${spread('back to work', back, 'ms')}` };
  },
};
