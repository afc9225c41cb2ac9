/** What the circuit breakers of a tenant keep closed (validation.md §7). */
export interface OpenBreakers {
  readonly sessions: readonly OpenBreaker[];
  /** Destinations that failed too often, for every session; each is tried again by one request a minute. */
  readonly destinations: readonly string[];
}

/** 1: reads only, for a while. 2: nothing, until a person resets it. */
export interface OpenBreaker {
  readonly session: string;
  readonly action: string;
  readonly resource: string;
  readonly level: 1 | 2;
}
