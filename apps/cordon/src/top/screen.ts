import type { Surroundings } from '../surroundings.ts';

/** Alternate screen, no cursor, no line wrap; and the way back (XTerm control sequences, DEC private modes). */
const enter = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const eraseLine = '\u001b[K';
const eraseBelow = '\u001b[J';

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The operator's terminal while it is ours: the alternate screen, keys one by one. Owned: whoever opens it disposes of
 * it, and then the terminal is as it was, whatever happened meanwhile.
 */
export class Screen implements Disposable {
  readonly #at: Surroundings;
  readonly #listeners: ReadonlyArray<() => void>;
  /** Aborted by `q`, Ctrl-C, or a signal to end. */
  readonly ended: AbortSignal;

  /** @param events what the caller does for a key, and when the size changed */
  constructor(at: Surroundings, events: { readonly key: (key: string) => void; readonly resized: () => void }) {
    this.#at = at;
    const ending = new AbortController();
    this.ended = ending.signal;
    const end = (): void => ending.abort();
    const onData = (bytes: Buffer): void => {
      for (const key of bytes.toString('latin1')) {
        if (key === 'q' || key === '\u0003' || key === '\u0004') end();
        else events.key(key);
      }
    };
    at.stdin.setRawMode(true);
    at.stdin.on('data', onData);
    at.stdin.on('end', end);
    at.stdin.resume();
    at.stdout.on('resize', events.resized);
    for (const name of endSignals) process.on(name, end);
    at.stdout.write(enter);
    this.#listeners = [
      () => at.stdin.off('data', onData),
      () => at.stdin.off('end', end),
      () => at.stdout.off('resize', events.resized),
      () => {
        for (const name of endSignals) process.off(name, end);
      },
    ];
  }

  get size(): { cols: number; rows: number } {
    return { cols: this.#at.stdout.columns || 80, rows: this.#at.stdout.rows || 24 };
  }

  /** Written in one piece, each line erased behind its end, so that nothing flickers. */
  draw(lines: readonly string[]): void {
    this.#at.stdout.write(`${home}${lines.map((line) => `${line}${eraseLine}`).join('\r\n')}${eraseBelow}`);
  }

  [Symbol.dispose](): void {
    for (const off of this.#listeners) off();
    this.#at.stdin.setRawMode(false);
    this.#at.stdin.pause();
    this.#at.stdin.unref?.();
    this.#at.stdout.write(leave);
  }
}
