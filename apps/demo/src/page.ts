export type Outcome = 'allowed' | 'held' | 'stopped';

/** What the demo prints. Colours on a terminal only, and not with NO_COLOR. */
export interface Page {
  heading(text: string): void;
  /** A command that the reader could type. */
  command(text: string): void;
  /** One line: what was tried, what came of it, and what decided that. */
  outcome(kind: Outcome, tried: string, why: string): void;
  note(text: string): void;
}

const width = 11;

const marks: Readonly<Record<Outcome, readonly [colour: number, text: string]>> = {
  allowed: [32, '✓ allowed'],
  held: [33, '… held   '],
  stopped: [31, '✗ stopped'],
};

export function createPage(out: NodeJS.WriteStream, colours: boolean): Page {
  const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (text: string): void => {
    out.write(`${text}\n`);
  };
  return {
    heading: (text) => line(`\n${paint(1, text)}`),
    command: (text) => line(paint(2, `  $ ${text}`)),
    outcome: (kind, tried, why) => {
      line(`  ${paint(...marks[kind])}  ${tried}`);
      line(`  ${' '.repeat(width - 2)}  ${paint(2, `← ${why}`)}`);
    },
    note: (text) => line(`  ${text}`),
  };
}
