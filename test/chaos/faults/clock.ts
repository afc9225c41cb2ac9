import { type Fault, once, play, type Scene } from '../fault.ts';
import { Shim } from '../shim.ts';
import { granted } from '../world.ts';

const hour = 3600;
const year = 365 * 24 * hour;
/** With the jump back after each. Certificates of servers outside have run out, or do not yet hold, after years. */
const jumps = [
  { name: '+1 h', seconds: hour, works: true },
  { name: '-1 h', seconds: -hour, works: true },
  { name: '+10 years', seconds: 10 * year, works: false },
  { name: '-10 years', seconds: -10 * year, works: false },
] as const;

/** The wall clock of every process of ours jumps while they run; the kernel's own, and the agents', do not. */
export const clock: Fault = {
  share: once,
  async run(campaign) {
    using shim = new Shim();
    const wrong = await play(campaign, { node: shim.node, clock: 'jumped', insecure: true }, async (scene) => {
      for (let round = 0; round < campaign.rounds && !campaign.signal.aborted; round++) {
        for (const jump of jumps) {
          shim.set({ clockSeconds: jump.seconds });
          if (jump.works) await scene.load.goesOn();
          else await refused(scene);
          sessionsLive(scene, jump.name);
          shim.set({});
          await scene.load.goesOn();
        }
      }
    });
    return { rounds: campaign.rounds * jumps.length, wrong, figures: jumps.map(({ name }) => name).join(', ') };
  },
};

/** Whoever connects anew looks at the server's certificate, and it does not hold at this time. */
async function refused({ world }: Scene): Promise<void> {
  const url = `https://${granted}/after-years`;
  const asked = await world.deployment.sh(`curl -sk -m 20 -o /dev/null -w '%{http_code}' ${url}`, ['--allow', granted]);
  const reached = world.sink.requests.some((request) => request.target === '/after-years');
  if (asked.stdout === '200' || reached)
    world.wrong.push(`after a jump of years: ${asked.status} ${asked.stdout} ${asked.stderr}`);
}

/** Time that did not pass ends nothing: leases, sessions' time and beats are counted in time that passes. */
function sessionsLive({ load, world }: Scene, name: string): void {
  const innocent = load.ended.filter(
    ({ session, exit }) => exit.reason !== 'exited' && !load.operator.killed.has(session),
  );
  if (innocent.length > 0) world.wrong.push(`${name}: ${innocent[0]?.session} ended: ${innocent[0]?.exit.detail}`);
}
