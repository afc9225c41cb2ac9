import { homedir } from 'node:os';
import { locationsOf } from '@cordon/protocol';
import type { Cordon } from '@cordon/sdk';

/** What the command line takes from its process, read once in `main`. */
export interface Surroundings {
  readonly home: string;
  readonly runtime: string;
  readonly cwd: string;
  readonly pathVariable: string;
  readonly term: string | undefined;
  readonly colours: boolean;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** What a command gets: its surroundings, and the daemon, started when it does not run yet. */
export interface Context {
  readonly at: Surroundings;
  /** @throws CordonError `unavailable` when the daemon cannot be started */
  readonly cordon: () => Promise<Cordon>;
  /** The daemon if it runs; null otherwise. Never starts it. */
  readonly running: () => Promise<Cordon | null>;
}

/** The locations of contracts.md: state and sockets of root, else of the user (XDG base directories). */
export function surroundings(process: NodeJS.Process): Surroundings {
  const env = process.env;
  const root = process.getuid?.() === 0;
  return {
    ...locationsOf(env, { root, userHome: homedir }),
    cwd: process.cwd(),
    pathVariable: env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    term: env['TERM'],
    colours: process.stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
  };
}
