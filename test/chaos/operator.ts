import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Cordon, SessionHandle } from '@cordon/sdk';
import { type Agent, noteError } from './agent.ts';
import type { Dice } from './dice.ts';
import type { World } from './world.ts';

const pauseMs = 150;

type Act = (cordon: Cordon, handle: SessionHandle) => Promise<void>;

/** A person who does everything that people do, all the time: looks, freezes and lifts, kills, applies, changes policy. */
export class Operator {
  readonly #world: World;
  readonly #agents: readonly Agent[];
  readonly #dice: Dice;
  readonly #running: Promise<void>;
  readonly #acts: readonly [Act, ...Act[]];
  #stopping = false;
  #paused = false;
  #policies = 0;
  #doing = 'nothing';
  /** Sessions that were killed on purpose. */
  readonly killed = new Set<string>();
  readonly done = new Map<string, number>();

  constructor(world: World, agents: readonly Agent[], dice: Dice) {
    this.#world = world;
    this.#agents = agents;
    this.#dice = dice;
    const look = this.#counted('look', (cordon) => this.#look(cordon));
    const freeze = this.#counted('freeze', (cordon, handle) => this.#freeze(cordon, handle));
    const exec = this.#counted('exec', (_, handle) => this.#exec(handle));
    const policy = this.#counted('policy', () => this.#policy());
    const apply = this.#counted('apply', (_, handle) => this.#apply(handle));
    const kill = this.#counted('kill', (_, handle) => this.#kill(handle));
    this.#acts = [look, freeze, freeze, exec, policy, apply, apply, kill];
    this.#running = this.#run();
  }

  /** What it is in the middle of. */
  get doing(): string {
    return this.#doing;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  /** What cannot be recorded is not lifted either: a person who goes on freezing would have stopped everything. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  async #run(): Promise<void> {
    const cordon = this.#world.deployment.sdk();
    while (!this.#stopping) {
      const handles = this.#agents.flatMap((agent) => agent.handle ?? []);
      const handle = handles[this.#dice.number(Math.max(1, handles.length))];
      const act = this.#dice.pick(this.#acts);
      if (handle !== undefined && !this.#paused) await act(cordon, handle).catch((error: unknown) => this.#note(error));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  #counted(name: string, act: Act): Act {
    return async (cordon, handle) => {
      this.#doing = `${name} ${handle.id}`;
      await act(cordon, handle).finally(() => {
        this.#doing = 'nothing';
      });
      this.done.set(name, (this.done.get(name) ?? 0) + 1);
    };
  }

  async #look(cordon: Cordon): Promise<void> {
    await cordon.status();
    for await (const decision of cordon.decisions()) {
      await cordon.explain(decision.attempt);
      return;
    }
  }

  /** A freeze is always lifted, so that the load goes on; whoever is gone meanwhile is no reason to stop trying. */
  async #freeze(cordon: Cordon, handle: SessionHandle): Promise<void> {
    // One whose answer was lost may have been carried out.
    await handle.freeze('chaos').catch((error: unknown) => this.#note(error));
    while (!this.#stopping) {
      try {
        await cordon.lift({ session: handle.id }, 'chaos');
        return;
      } catch (error) {
        this.#note(error);
        const known = await handle.get().catch(() => null);
        if (known !== null && known.state !== 'frozen') return;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async #exec(handle: SessionHandle): Promise<void> {
    for await (const output of await handle.exec({ command: ['/bin/true'] })) if (output.type === 'exit') return;
  }

  /** Another generation of the tenant's policy, valid and without meaning. */
  async #policy(): Promise<void> {
    const file = path.join(this.#world.deployment.home, 'policy', 'chaos.cedar');
    this.#policies += 1;
    try {
      if (this.#policies % 3 === 0) rmSync(file, { force: true });
      else writeFileSync(file, harmless(this.#policies));
    } catch (error) {
      // The disk of a fault; the daemon's own writes are what is looked at.
      if (!['ENOSPC', 'EROFS', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  async #apply(handle: SessionHandle): Promise<void> {
    const changes = await handle.changes();
    if (changes.length > 0) await handle.apply();
  }

  async #kill(handle: SessionHandle): Promise<void> {
    this.killed.add(handle.id);
    await handle.kill('chaos');
  }

  #note(error: unknown): void {
    noteError(this.#world, 'operator', error);
  }
}

const harmless = (n: number): string => `@id("chaos-${n}")
forbid (principal, action == Cordon::Action::"http.request", resource in Cordon::Domain::"never-${n}.example");
`;
