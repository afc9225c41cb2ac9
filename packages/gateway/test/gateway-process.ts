import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { GatewayFigures, GatewayOrder } from './gateway-program.ts';

interface Told {
  readonly ports: readonly number[];
  readonly ca: string;
}

/** `gateway-program.ts` as a child: `ports[i]` is the proxy of session i. */
export class GatewayProcess implements AsyncDisposable {
  readonly ports: readonly number[];
  /** What its intercepted TLS is signed by. */
  readonly ca: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { ports, ca }: Told) {
    this.#child = child;
    this.ports = ports;
    this.ca = ca;
  }

  /** `openFilesMax`: both limits of its descriptors; Node itself raises the soft one to the hard one. */
  static async start(order: GatewayOrder, openFilesMax: number | null = null): Promise<GatewayProcess> {
    const program = path.join(import.meta.dirname, 'gateway-program.ts');
    const limit = openFilesMax === null ? '' : `ulimit -n ${openFilesMax}; `;
    const line = `${limit}exec "$0" --expose-gc --disable-warning=ExperimentalWarning --conditions=cordon-source "$1" "$2"`;
    const child = spawn('bash', ['-c', line, process.execPath, program, JSON.stringify(order)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const told = once(child, 'message') as Promise<[Told]>;
    const ended = once(child, 'exit').then(([status]) => {
      throw new Error(`the gateway ended before it served: ${status}`);
    });
    const [first] = await Promise.race([told, ended]);
    ended.catch(() => undefined);
    return new GatewayProcess(child, first);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async figures(): Promise<GatewayFigures> {
    const asked = new AbortController();
    const { signal } = asked;
    try {
      const answer = once(this.#child, 'message', { signal }).then(([figures]) => figures as GatewayFigures);
      const ended = once(this.#child, 'exit', { signal }).then(([status, by]) => {
        throw new Error(`the gateway ended: ${status} ${by}`);
      });
      for (const each of [answer, ended]) each.catch(() => undefined);
      this.#child.send('stats');
      return await Promise.race([answer, ended]);
    } finally {
      asked.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.running) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}
