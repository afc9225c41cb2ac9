import { until } from '../support/until.ts';
import { Agent, type AgentOptions, type Ended, type Seen } from './agent.ts';
import { Operator } from './operator.ts';
import type { World } from './world.ts';

const goOnMs = 60_000;
const sessions = 3;

/** Several sessions that ask without end, and a person who works with them. */
export class Load implements AsyncDisposable {
  readonly agents: readonly Agent[];
  readonly operator: Operator;
  readonly #world: World;
  #stopped = false;

  constructor(world: World, options: AgentOptions) {
    this.#world = world;
    this.agents = Array.from({ length: sessions }, (_, i) => new Agent(world, String.fromCharCode(97 + i), options));
    this.operator = new Operator(world, this.agents, world.dice);
  }

  get answered(): number {
    return this.agents.reduce((sum, agent) => sum + agent.answered, 0);
  }

  get seen(): Seen[] {
    return this.agents.flatMap((agent) => agent.seen);
  }

  get ended(): Ended[] {
    return this.agents.flatMap((agent) => agent.ended);
  }

  /** Every agent has got an answer since now: whatever was broken works again. */
  async goesOn(): Promise<void> {
    const before = this.agents.map((agent) => agent.answered);
    const waits = (): Agent[] => this.agents.filter((agent, i) => agent.answered <= (before[i] ?? 0));
    await until(() => waits().length === 0, 'every agent to be answered again', goOnMs).catch(async (error: Error) => {
      const states = await Promise.all(waits().map((agent) => stateOf(agent)));
      throw new Error(`${error.message}: ${states.join('; ')}; the operator: ${this.operator.doing}`);
    });
  }

  /** Ends the operator, then the sessions. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.operator.stop();
    const ends = this.agents.map((agent) => agent.stop());
    const all = Promise.all(ends).then(() => true);
    const cordon = this.#world.deployment.sdk();
    for (;;) {
      for await (const session of cordon.sessions.list({ state: ['starting', 'running', 'frozen'] })) {
        this.operator.killed.add(session.id);
        await cordon.sessions
          .handle(session.id)
          .kill('the load ends')
          .catch(() => undefined);
      }
      if (await Promise.race([all, new Promise<false>((resolve) => setTimeout(() => resolve(false), 200))])) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function stateOf({ handle }: Agent): Promise<string> {
  if (handle === null) return 'no session';
  const known = await handle.get().catch((error: unknown) => String(error));
  return typeof known === 'string' ? `${handle.id}: ${known}` : `${handle.id} is ${known.state}`;
}
