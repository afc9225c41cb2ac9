import { checkAll, checkOffline } from './checks.ts';
import type { Dice } from './dice.ts';
import { Load } from './load.ts';
import type { Result } from './table.ts';
import { World, type WorldOptions } from './world.ts';

export interface Campaign {
  readonly rounds: number;
  readonly dice: Dice;
  readonly say: (line: string) => void;
  /** The rounds that are left are given up, cleanly. */
  readonly signal: AbortSignal;
}

export interface Fault {
  /** How many rounds of it belong to a campaign of so many kills. */
  readonly share: (rounds: number) => number;
  readonly run: (campaign: Campaign) => Promise<Omit<Result, 'name'>>;
}

/** Of the faults that are not kills, one round for each 250 kills. */
export const once = (rounds: number): number => Math.max(1, Math.floor(rounds / 250));

export interface Scene extends Campaign {
  readonly world: World;
  readonly load: Load;
}

/**
 * One deployment under load, a scene, then every check, and the end, which must leave nothing. An exception of the
 * scene is a finding too, and never keeps the rest from being looked at.
 */
export async function play(
  campaign: Campaign,
  options: Omit<WorldOptions, 'dice'> & { readonly clock?: 'jumped'; readonly insecure?: boolean },
  scene: (scene: Scene) => Promise<void>,
): Promise<string[]> {
  const { clock, insecure = false, ...place } = options;
  const world = await World.start({ ...place, dice: campaign.dice });
  const guarded = async (what: string, step: () => Promise<void>): Promise<void> => {
    await step().catch((error: unknown) => {
      world.wrong.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  const load = new Load(world, { insecure });
  await guarded('scene', async () => {
    await load.goesOn();
    await scene({ ...campaign, world, load });
  });
  await guarded('the load’s end', () => load.stop());
  await guarded('checks', () => checkAll(world, load, clock === undefined ? {} : { clock }));
  await guarded('offline checks', () => checkOffline(world));
  if (world.wrong.length > 0) campaign.say(`wrong: ${world.wrong[0]}\n${world.deployment.log()}`);
  await guarded('the end', () => world[Symbol.asyncDispose]());
  return world.wrong;
}
