import type { ChannelStream, SupervisorEvents } from '@cordon/protocol';
import type { Gateways } from './uplink/gateways.ts';

/** Where the daemon's private and public sockets lie. */
export interface SocketPaths {
  readonly api: string;
  readonly control: string;
  readonly stream: string;
}

/** How a supervisor is reached, and made when there is none. */
export interface SupervisorSource {
  connect(): Promise<ChannelStream>;
  /** Answers what became of it: null while it lives, else why it ended, in words. */
  spawn(): Promise<() => string | null>;
  /** Ends the process of a supervisor that answers nothing any more; what it runs dies with it, by the kernel. */
  end(pid: number): void;
}

export interface GatewayState {
  readonly pid: number;
  readonly restarts: number;
  readonly up: boolean;
}

/** What is known of the gateways: the supervisor says which processes there are, their own line says who is in touch. */
export class GatewayStates {
  readonly #states = new Map<string, GatewayState>();

  replace(reports: readonly SupervisorEvents['gateway.up']['params'][]): void {
    this.#states.clear();
    for (const report of reports) this.up(report);
  }

  up(report: SupervisorEvents['gateway.up']['params']): void {
    this.#states.set(report.tenant, { pid: report.pid, restarts: report.restarts, up: true });
  }

  down(tenant: string): void {
    const state = this.#states.get(tenant);
    if (state !== undefined) this.#states.set(tenant, { ...state, up: false });
  }

  roles(gateways: Pick<Gateways, 'connected'>): { role: string; pid: number; state: string; restarts: number }[] {
    const connected = new Set(gateways.connected.map((hello) => hello.pid));
    return [...this.#states.values()].map(({ pid, restarts, up }) => ({
      // One tenant for now; each further one will have a gateway of its own.
      role: 'gateway',
      pid,
      state: connected.has(pid) ? 'running' : up ? 'starting' : 'down',
      restarts,
    }));
  }
}
