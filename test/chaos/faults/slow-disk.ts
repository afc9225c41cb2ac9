import { type Fault, once, play } from '../fault.ts';
import { killNow } from '../kill-now.ts';
import { Shim } from '../shim.ts';
import { spread } from '../table.ts';

const delayMs = 2000;
const killsPerRound = 1;

/** Each sync of a file below the state folder takes two seconds. */
export const slowDisk: Fault = {
  share: once,
  async run(campaign) {
    const kills: number[] = [];
    using shim = new Shim();
    const wrong = await play(campaign, { node: shim.node }, async ({ world, load }) => {
      shim.aim(world.deployment.home);
      for (let round = 0; round < campaign.rounds && !campaign.signal.aborted; round++) {
        shim.set({ syncDelayMs: delayMs });
        await load.goesOn();
        for (let i = 0; i < killsPerRound; i++) kills.push(await killNow(world, load));
        shim.set({});
        await world.recovered();
        await load.goesOn();
      }
    });
    return { rounds: campaign.rounds, wrong, figures: spread(`kill with syncs of ${delayMs} ms`, kills, 'ms') };
  },
};

const holdMs = 4000;

/** One in so many writes and syncs below the state folder fails with EIO, in whatever process. */
export const ioError: Fault = {
  share: once,
  async run(campaign) {
    using shim = new Shim();
    let kills: number[] = [];
    const wrong = await play(campaign, { node: shim.node }, async ({ world, load }) => {
      shim.aim(world.deployment.home);
      for (let round = 0; round < campaign.rounds && !campaign.signal.aborted; round++) {
        shim.set({ failOneIn: 5 + world.dice.number(60) });
        await new Promise((resolve) => setTimeout(resolve, holdMs));
        kills = [...kills, await killNow(world, load)];
        shim.set({});
        if (world.processes().every(({ role }) => role !== 'control')) await world.revive();
        await world.recovered();
        await load.goesOn();
      }
    });
    return { rounds: campaign.rounds, wrong, figures: spread('kill', kills, 'ms') };
  },
};
