/** What the circuit breakers of a tenant keep closed (validation.md §7). */
export interface OpenBreakers {
  readonly sessions: readonly OpenBreaker[];
  /** Destinations that failed too often, for every session; each is tried again by one request a minute. */
  readonly destinations: readonly string[];
}

/** What is done when one resource is denied in many sessions of several agents: people are told, or these are frozen too. */
export type FleetBreaker = 'page' | 'freeze';

/** 1: reads only, for a while. 2: nothing, until a person resets it. */
export interface OpenBreaker {
  readonly session: string;
  readonly action: string;
  readonly resource: string;
  readonly level: 1 | 2;
}
