import { limits } from '../limits.ts';

/** One session that was denied one resource. */
export interface FleetDenial {
  readonly session: string;
  readonly agent: string;
  readonly resource: string;
  /** Of its entry, milliseconds since 1970. */
  readonly at: number;
}

/** One resource, denied in many sessions of several agents within a short time. */
export interface FleetAlarm {
  readonly resource: string;
  readonly at: number;
  /** Those that were denied, and no others. */
  readonly sessions: readonly string[];
  readonly agents: readonly string[];
}

type Denied = Map<string, FleetDenial>;

/** Counts recorded denials over all sessions of a tenant. Pure: time is that of the entries. */
export class FleetWatch {
  /** Resources that were denied longest ago first. */
  readonly #resources = new Map<string, Denied>();

  /** The alarm that this denial raises; what raised one begins anew, so a next one takes as many sessions again. */
  note(denial: FleetDenial): FleetAlarm | null {
    const { resource, session, at } = denial;
    const denied = this.#resources.get(resource) ?? new Map<string, FleetDenial>();
    this.#resources.delete(resource);
    for (const [each, { at: then }] of denied) {
      // Either way: a clock that was set back must not join what is hours apart.
      if (Math.abs(at - then) >= limits.fleetWindowMs) denied.delete(each);
    }
    denied.set(session, denial);
    const agents = new Set([...denied.values()].map(({ agent }) => agent));
    if (denied.size >= limits.fleetSessionsMin && agents.size >= limits.fleetAgentsMin) {
      return { resource, at, sessions: [...denied.keys()], agents: [...agents].sort() };
    }
    this.#keep(resource, denied);
    return null;
  }

  #keep(resource: string, denied: Denied): void {
    const [first] = denied.keys();
    // Of one agent any number may be denied; the oldest of them is the least likely to count.
    if (denied.size > limits.fleetSessionsMax && first !== undefined) denied.delete(first);
    this.#resources.set(resource, denied);
    const [oldest] = this.#resources.keys();
    if (this.#resources.size > limits.fleetResourcesMax && oldest !== undefined) this.#resources.delete(oldest);
  }
}
