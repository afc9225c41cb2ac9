import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { type Fault, once, play } from '../fault.ts';
import { killNow } from '../kill-now.ts';
import { spread } from '../table.ts';
import type { World } from '../world.ts';

const roles = ['gateway', 'control', 'supervisor'] as const;
const holdMs = 1500;

/** A running process of ours may open nothing more; later it may again. */
export const descriptors: Fault = {
  share: once,
  async run(campaign) {
    const kills: number[] = [];
    const wrong = await play(campaign, {}, async ({ world, load }) => {
      for (let round = 0; round < campaign.rounds && !campaign.signal.aborted; round++) {
        for (const role of roles) {
          // Nothing new starts meanwhile, so there must be a session left to kill.
          load.operator.pause();
          const lift = lower(world, role);
          try {
            await new Promise((resolve) => setTimeout(resolve, holdMs));
            // Without a descriptor the control plane cannot hear anybody; who can be heard must be obeyed.
            if (role !== 'control') kills.push(await killNow(world, load));
          } finally {
            lift();
            load.operator.resume();
          }
          await world.recovered();
          await load.goesOn();
        }
      }
    });
    return { rounds: campaign.rounds * roles.length, wrong, figures: spread('kill', kills, 'ms') };
  },
};

/** Returns what takes it back. */
function lower(world: World, role: (typeof roles)[number]): () => void {
  const pid = world.pidOf(role);
  const open = readdirSync(`/proc/${pid}/fd`).length;
  const before = execFileSync('prlimit', ['--pid', String(pid), '--nofile', '--output', 'SOFT', '--noheadings'])
    .toString()
    .trim();
  const set = (limit: string): void => {
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`], { stdio: 'ignore' });
  };
  set(String(open));
  return () => {
    try {
      set(before);
    } catch {
      // It ended of it; the next one has a limit of its own.
    }
  };
}
