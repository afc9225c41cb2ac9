import type { Run } from '../support/deployment.ts';
import type { Field } from './field.ts';

/**
 * One way out, tried for real. `attack` is a shell script that runs inside; it must print a line beginning with
 * `tried`, so that a case whose program never ran fails. `judge` looks from outside; it throws when the way was open.
 */
export interface EscapeCase {
  readonly name: string;
  /** The layer that must stop it, for the table in the docs. */
  readonly stop: string;
  readonly attack: (field: Field) => string;
  readonly options?: readonly string[];
  /** Held by a cgroup alone: an ordinary user without a delegated one is told so at the start, and has no such limit. */
  readonly needsCgroups?: true;
  readonly judge: (field: Field, run: Run) => void | Promise<void>;
}

/** The probe's attacks: which results mean that the way was closed. */
export function probe(
  name: string,
  stop: string,
  closed: readonly string[],
  arg?: (field: Field) => string,
): EscapeCase {
  return {
    name,
    stop,
    attack: (field) => `./probe ${name} ${arg?.(field) ?? ''} || echo "tried ${name} killed"`,
    judge: (_field, run) => {
      const result = new RegExp(`^tried ${name} (\\S+)`, 'm').exec(run.stdout)?.[1];
      if (result === undefined || !closed.includes(result)) {
        throw new Error(
          `${name}: ${result ?? 'no result'}, expected one of ${closed.join(', ')}\n${run.stdout}${run.stderr}`,
        );
      }
    },
  };
}
