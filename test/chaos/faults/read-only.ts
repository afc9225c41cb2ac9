import { until } from '../../support/until.ts';
import { Disk } from '../disk.ts';
import { type Fault, once, play } from '../fault.ts';
import { killNow } from '../kill-now.ts';
import { spread } from '../table.ts';

const seenMs = 30_000;

/** The kernel meets an error on the disk and lets nobody write to it any more; it is mounted anew after a `down`. */
export const readOnly: Fault = {
  share: once,
  async run(campaign) {
    const kills: number[] = [];
    const disk = new Disk();
    const wrong = await play(campaign, { disk }, async ({ world, load }) => {
      for (let round = 0; round < campaign.rounds && !campaign.signal.aborted; round++) {
        load.operator.pause();
        await load.goesOn();
        const before = load.seen.length;
        world.torn.push(Date.now());
        disk.abort();
        await until(
          () => load.seen.slice(before).some(({ status }) => status === 503),
          'a request to be denied',
          seenMs,
        );
        kills.push(await killNow(world, load));
        const down = await world.deployment.cordon(['down']);
        if (down.status !== 0) world.wrong.push(`cordon down on a read-only disk: ${down.status} ${down.stderr}`);
        await until(() => world.survivors().length === 0, 'everything to end', seenMs);
        disk.remount();
        await world.revive();
        load.operator.resume();
        await load.goesOn();
      }
    });
    return { rounds: campaign.rounds, wrong, figures: spread('kill', kills, 'ms') };
  },
};
