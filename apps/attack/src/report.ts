import type { Ending, Result } from './suite.ts';

export interface Counts {
  readonly tried: number;
  readonly out: number;
  readonly unclear: number;
  readonly notTried: number;
}

/** What is said while it goes and at the end. */
export interface Report {
  begin(total: number): void;
  result(result: Result): void;
  end(counts: Counts, ending: Ending): void;
}

export function jsonReport(out: NodeJS.WriteStream): Report {
  const line = (value: unknown): void => {
    out.write(`${JSON.stringify(value)}\n`);
  };
  return {
    begin: (total) => line({ event: 'begin', total }),
    result: (result) => line({ event: 'case', ...result }),
    end: (counts, ending) => line({ event: 'end', ...counts, left: ending.left }),
  };
}

const nameWidth = 10;

/** A line per group, and the cases where they are asked for or something is to be said. */
export function textReport(out: NodeJS.WriteStream, options: { readonly verbose: boolean }): Report {
  const terminal = out.isTTY === true;
  const colours = terminal && (process.env['NO_COLOR'] ?? '') === '';
  const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const clear = (): string => (terminal ? '\r\u001b[K' : '');
  const notTried: Result[] = [];
  let group: { name: string; held: number; bad: number; notTried: number } | null = null;
  const endGroup = (): void => {
    if (group === null) return;
    const parts = [`${group.held} held`];
    if (group.bad > 0) parts.push(`${group.bad} not`);
    if (group.notTried > 0) parts.push(`${group.notTried} not tried`);
    const mark = group.bad === 0 ? paint(32, '✓') : paint(31, '✗');
    out.write(`${clear()}${mark} ${group.name.padEnd(nameWidth)} ${parts.join(', ')}\n`);
  };
  return {
    begin: (total) => {
      const who = process.geteuid?.() === 0 ? 'root' : 'an ordinary user';
      out.write(
        `${total} ways out of a session, tried for real and judged from outside; driver process, run by ${who}.\n`,
      );
      out.write('A daemon of its own in a temporary folder; your sessions and files are not touched.\n');
    },
    result: (result) => {
      if (group?.name !== result.group) {
        endGroup();
        group = { name: result.group, held: 0, bad: 0, notTried: 0 };
      }
      if (result.outcome === 'held') group.held++;
      else if (result.outcome === 'not-tried') group.notTried++;
      else group.bad++;
      if (result.outcome === 'not-tried') notTried.push(result);
      if (options.verbose || result.outcome === 'out' || result.outcome === 'unclear')
        out.write(`${clear()}${caseText(result, paint)}`);
      if (terminal) out.write(`${clear()}  ${group.name.padEnd(nameWidth)} ${group.held + group.bad + group.notTried}`);
    },
    end: (counts, ending) => {
      endGroup();
      for (const { name, detail } of notTried)
        if (!options.verbose) out.write(`  not tried here: ${visible(name)} (${visible(detail)})\n`);
      if (notTried.length > 0) out.write('  cordon doctor says how this machine can be given what is missing.\n');
      for (const text of ending.left) out.write(`${paint(31, 'at the end:')} ${visible(text)}\n`);
      const verdict = `${counts.tried} ways out tried, ${counts.out} got out`;
      out.write(`${paint(counts.out + ending.left.length === 0 ? 32 : 31, verdict)}\n`);
      if (counts.unclear > 0)
        out.write(`${paint(31, `${counts.unclear} could not be judged`)}: nothing is shown for these\n`);
    },
  };
}

function caseText(result: Result, paint: (code: number, text: string) => string): string {
  const word = {
    held: paint(32, 'held     '),
    out: paint(31, 'GOT OUT  '),
    unclear: paint(31, 'unclear  '),
    'not-tried': paint(33, 'not tried'),
  }[result.outcome];
  const lines = [`    ${word} ${visible(result.name)} ← ${visible(result.stop)}`];
  if (result.detail !== '')
    lines.push(
      ...result.detail
        .trimEnd()
        .split('\n')
        .map((line) => `        ${visible(line)}`),
    );
  return `${lines.join('\n')}\n`;
}

/** An attack's output is data: its control characters are shown, not sent to the terminal. */
function visible(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}/gu, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);
}
