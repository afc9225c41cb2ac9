import { isCordonError } from '@cordon/protocol';

/** Where the daemon says what no client asked for. Composition decides where it goes; it is never the record. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
  fault(what: string, error: unknown): void;
}

/** One line per message, time first; causes follow on the same line. */
export function createLog(write: (line: string) => void, now: () => string): Log {
  const line = (level: string, text: string) => write(`${now()} ${level} ${text.replace(/[\r\n]+/g, ' ⏎ ')}\n`);
  return {
    info: (message) => line('info', message),
    warn: (message) => line('warn', message),
    fault: (what, error) => line('fault', `${what}: ${describe(error)}`),
  };
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = isCordonError(error) ? `[${error.code}] ` : '';
  const cause = error.cause === undefined ? '' : ` ← ${describe(error.cause)}`;
  return `${code}${error.message}${cause}`;
}
