import { escaped, unclear } from './error.ts';
import type { Field } from './field.ts';
import type { Run, SessionOptions, Underway } from './run.ts';

/**
 * One way out, tried for real. `attack` is a shell script that runs inside; it must print a line beginning with
 * `tried`, so that a case whose program never ran fails. `judge` looks from outside; it throws `escaped` when the way
 * was open and `unclear` when it cannot tell.
 */
export interface EscapeCase {
  readonly name: string;
  /** The layer that must stop it. */
  readonly stop: string;
  readonly attack: (field: Field) => string;
  readonly options?: SessionOptions;
  /** Held by a cgroup alone: an ordinary user without a delegated one is told so at the start, and has no such limit. */
  readonly needsCgroups?: true;
  /** A program of the host that trying it takes. */
  readonly needsProgram?: string;
  /** Done outside while the attack runs; the attack’s input ends when this is over, which is how it knows. */
  readonly during?: (field: Field, underway: Underway) => Promise<void>;
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
      if (result === undefined) throw unclear(`the probe said nothing: ${run.stdout}${run.stderr}`);
      if (!closed.includes(result)) throw escaped(`the answer was ${result}, expected ${closed.join(' or ')}`);
    },
  };
}
