import type { Permit } from '@cordon/policy';

/** Only `policy` makes real permits; what is tested here is where they lead. */
export function permitFor(destination: string): Permit {
  return { destination } as Permit;
}
