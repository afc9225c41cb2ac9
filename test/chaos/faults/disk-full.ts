import { until } from '../../support/until.ts';
import { Disk } from '../disk.ts';
import { type Fault, once, play, type Scene } from '../fault.ts';
import { insideOf, killNow } from '../kill-now.ts';
import { spread } from '../table.ts';

const refillMs = 50;
const seenMs = 30_000;

/** The disk of the state folder is full to the last block, again and again, while sessions run. */
export const diskFull: Fault = {
  share: once,
  async run(campaign) {
    const kills: number[] = [];
    let denied = 0;
    const disk = new Disk();
    const wrong = await play(campaign, { disk }, async (scene) => {
      for (let round = 0; round < campaign.rounds && !campaign.signal.aborted; round++) {
        denied += await fullOnce(scene, disk, kills);
      }
    });
    return { rounds: campaign.rounds, wrong, figures: `${denied} answered with 503; ${spread('kill', kills, 'ms')}` };
  },
};

async function fullOnce({ world, load }: Scene, disk: Disk, kills: number[]): Promise<number> {
  load.operator.pause();
  await load.goesOn();
  const before = load.seen.length;
  disk.fill();
  // What is given free meanwhile (a session that ended, a log that was cut) is taken as well.
  const filling = setInterval(() => disk.fill(), refillMs);
  try {
    await until(() => deniedSince(load, before) > 0, 'a request to be denied', seenMs);
    const cordon = world.deployment.sdk();
    const said = async (): Promise<boolean> =>
      (await cordon.status()).warnings.some((warning) => warning.includes('ledger cannot be written'));
    await until(said, 'status to say that the ledger cannot be written', seenMs);
    kills.push(await killNow(world, load));
    const started = await world.deployment.sh('true');
    if (started.status === 0) world.wrong.push('a session started though nothing could be recorded');
  } finally {
    clearInterval(filling);
    disk.free();
  }
  await world.recovered();
  load.operator.resume();
  await load.goesOn();
  await until(() => insideOf(world, load.operator.killed) === 0, 'the killed session to be gone', seenMs);
  return deniedSince(load, before);
}

function deniedSince(load: Scene['load'], before: number): number {
  return load.seen.slice(before).filter(({ status }) => status === 503).length;
}
