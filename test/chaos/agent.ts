import type { ExitReport } from '@cordon/protocol';
import { ApiError, type Cordon, type SessionHandle } from '@cordon/sdk';
import { forbidden, granted, type World } from './world.ts';

const requestsMax = 4000;
const pauseMs = 100;

/** What an agent saw of one request: the status, and the path that names it. */
export interface Seen {
  readonly status: number;
  readonly target: string;
  readonly host: string;
  /** When we read it, in milliseconds of the epoch. */
  readonly at: number;
}

/** How a session of ours ended, and whether anything that we did explains it. */
export interface Ended {
  readonly session: string;
  readonly exit: ExitReport;
}

export interface AgentOptions {
  /** The agent's own clock is another than the gateway's, so it does not look at certificates. */
  readonly insecure: boolean;
}

/** A session that never stops asking: what it may, what it may not, and writing files meanwhile. */
export class Agent {
  readonly #world: World;
  readonly #name: string;
  readonly #options: AgentOptions;
  readonly #ended: Ended[] = [];
  readonly #seen: Seen[] = [];
  readonly #running: Promise<void>;
  #stopping = false;
  #sessions = 0;
  #handle: SessionHandle | null = null;
  #answered = 0;

  constructor(world: World, name: string, options: AgentOptions) {
    this.#options = options;
    this.#world = world;
    this.#name = name;
    this.#running = this.#run();
  }

  /** The session that runs now. */
  get handle(): SessionHandle | null {
    return this.#handle;
  }

  get seen(): readonly Seen[] {
    return this.#seen;
  }

  get ended(): readonly Ended[] {
    return this.#ended;
  }

  /** How many requests were let through so far. */
  get answered(): number {
    return this.#answered;
  }

  /** No further session; the one that runs is the caller's to end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const cordon = this.#world.deployment.sdk();
    while (!this.#stopping) {
      try {
        await this.#session(cordon);
      } catch (error) {
        this.#note(error);
        await pause(pauseMs);
      }
    }
  }

  async #session(cordon: Cordon): Promise<void> {
    this.#sessions += 1;
    const word = `${this.#name}${this.#sessions}`;
    const { session, handle } = await cordon.sessions.create({
      command: ['/bin/sh', '-c', script(word, this.#options)],
      workspace: this.#world.deployment.workspace,
      workspaceMode: 'proposal',
      name: this.#name,
      allow: [granted],
    });
    this.#handle = handle;
    try {
      const exit = await this.#follow(handle);
      this.#ended.push({ session: session.id, exit });
    } finally {
      this.#handle = null;
    }
  }

  /** To its end, over any number of connections: what was seen is counted in bytes, and the next one goes on there. */
  async #follow(handle: SessionHandle): Promise<ExitReport> {
    let offset = 0;
    let text = '';
    for (;;) {
      try {
        for await (const output of await handle.attach({ offset })) {
          if (output.type === 'exit') return output.exit;
          if (output.type === 'notice') continue;
          offset += output.bytes.length;
          if (output.type === 'stdout') text = this.#read(text + Buffer.from(output.bytes).toString());
        }
      } catch (error) {
        this.#note(error);
        const known = await handle.get().catch(() => null);
        if (known?.exit != null) return known.exit;
        await pause(pauseMs);
      }
    }
  }

  /** Takes whole lines and returns the rest. */
  #read(text: string): string {
    const lines = text.split('\n');
    for (const line of lines.slice(0, -1)) {
      const [status = '', url = ''] = line.split(' ');
      const { host, pathname } = new URL(url);
      this.#seen.push({ status: Number(status), target: pathname.slice(1), host, at: Date.now() });
      if (status === '200') this.#answered += 1;
    }
    return lines.at(-1) ?? '';
  }

  /** Refusals with a code that says what to do are how Cordon fails; a fault of its own is a finding. */
  #note(error: unknown): void {
    noteError(this.#world, `session of ${this.#name}`, error);
  }
}

/** Only what Cordon cannot explain itself is wrong. */
export function noteError(world: World, what: string, error: unknown): void {
  if (error instanceof ApiError && error.code !== 'internal' && error.code !== 'answer-invalid') return;
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (code === 'unreachable' || code === 'stream-lost') return;
  world.wrong.push(`${what}: ${error instanceof Error ? `${code} ${error.message}` : String(error)}`);
}

/** One curl for several requests, since most of its cost is its start. */
const script = (word: string, { insecure }: AgentOptions): string => `
ask() { curl -s ${insecure ? '-k ' : ''}-m 20 -o /dev/null -w '%{http_code} %{url_effective}\\n' "$@"; }
i=0
while [ $i -lt ${requestsMax} ]; do
  i=$((i+1))
  ask "https://${granted}/${word}-$i-[1-4]"
  ask "https://${forbidden}/${word}-$i"
  [ $((i % 4)) -ne 0 ] || echo $i >${word}-$i
  sleep 0.1
done`;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
