import type { Permit } from '@cordon/policy';

/** Only `policy` makes real permits; what is tested here is what is leased for one. */
export function permitFor(destination: string, leases: readonly string[] | null = null, session = 'ses'): Permit {
  return { attempt: 'att', session, destination, obligations: { leases } } as unknown as Permit;
}
