/** What the demo prints. Colours on a terminal only, and not with NO_COLOR. */
export interface Page {
  heading(text: string): void;
  /** A command that the reader could type. */
  command(text: string): void;
  /** One line: what was tried, what came of it, and what decided that. */
  outcome(kind: 'allowed' | 'stopped', tried: string, why: string): void;
  note(text: string): void;
}

const width = 11;

export function createPage(out: NodeJS.WriteStream, colours: boolean): Page {
  const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (text: string): void => {
    out.write(`${text}\n`);
  };
  return {
    heading: (text) => line(`\n${paint(1, text)}`),
    command: (text) => line(paint(2, `  $ ${text}`)),
    outcome: (kind, tried, why) => {
      const mark = kind === 'allowed' ? paint(32, '✓ allowed') : paint(31, '✗ stopped');
      line(`  ${mark}  ${tried}`);
      line(`  ${' '.repeat(width - 2)}  ${paint(2, `← ${why}`)}`);
    },
    note: (text) => line(`  ${text}`),
  };
}
