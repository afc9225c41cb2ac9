import { parseArgs } from 'node:util';
import { usageError } from './exit.ts';
import type { Context } from './surroundings.ts';

export interface Option {
  /** Placeholder of its value in the help; an option without one is a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly repeat?: true;
  /** Its value may be left out, at the end or before another option; it is empty then. */
  readonly optional?: true;
  readonly about: string;
  /** Words that completion offers for its value. */
  readonly choices?: readonly string[];
}

export interface Arguments {
  readonly words: readonly string[];
  flag(name: string): boolean;
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
}

export interface Command {
  /** One or two words: `run`, `policy check`. */
  readonly name: string;
  readonly group: 'Run' | 'Review' | 'Stop' | 'Policy' | 'Secrets' | 'Ledger' | 'Daemon';
  readonly usage: string;
  readonly summary: string;
  /** Further lines of `--help`, with an example. */
  readonly details: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  /** Least and most words beside the options. */
  readonly words: readonly [number, number];
  /** Completion offers ids of sessions for its words. */
  readonly takesSession?: true;
  readonly run: (context: Context, args: Arguments) => Promise<number>;
}

const helpOption: Option = { short: 'h', about: 'show this help' };

/** Everything after `--` is a word, whatever it looks like. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const options: Readonly<Record<string, Option>> = { ...command.options, help: helpOption };
  const { tokens } = parseArgs({
    args: argv.map((word, at) => (leavesOut(options, word, argv[at + 1]) ? `${word}=` : word)),
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, option]) => [
        name,
        {
          type: option.value === undefined ? 'boolean' : 'string',
          ...(option.short === undefined ? {} : { short: option.short }),
        } as const,
      ]),
    ),
  });
  const words: string[] = [];
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw unknownOption(command, token.rawName, Object.keys(options));
    if (option.value === undefined && token.value !== undefined) throw usageError(`${token.rawName} takes no value`);
    if (option.value !== undefined && token.value === undefined) {
      throw usageError(`${token.rawName} needs a value: ${token.rawName} ${option.value}`);
    }
    const given = values.get(token.name) ?? [];
    if (given.length > 0 && option.repeat === undefined) throw usageError(`${token.rawName} is given twice`);
    values.set(token.name, [...given, token.value ?? '']);
  }
  const [least, most] = command.words;
  if (!values.has('help') && (words.length < least || words.length > most)) {
    throw usageError(
      words.length < least
        ? `cordon ${command.name} needs more: ${command.usage}`
        : `cordon ${command.name}: ${words[most]} is one word too many`,
      `cordon ${command.name} --help`,
    );
  }
  return {
    words,
    flag: (name) => values.has(name),
    text: (name) => values.get(name)?.[0],
    texts: (name) => values.get(name) ?? [],
  };
}

/** `parseArgs` takes whatever follows for the value, another option too. */
function leavesOut(options: Readonly<Record<string, Option>>, word: string, next: string | undefined): boolean {
  const name = word.slice(2);
  const isOptional = word.startsWith('--') && Object.hasOwn(options, name) && options[name]?.optional === true;
  return isOptional && (next === undefined || next.startsWith('-'));
}

function unknownOption(command: Command, raw: string, known: readonly string[]): Error {
  const near = nearest(raw.replace(/^-+/, ''), known);
  const steps = [near === undefined ? `cordon ${command.name} --help` : `did you mean --${near}?`];
  if (command.name === 'run' || command.name === 'exec') steps.push('options of the command itself go behind --');
  return usageError(`cordon ${command.name} has no option ${raw}`, ...steps);
}

/** The known word within two edits, for a suggestion; of a word of three letters one, or everything would be near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const scored = known
    .map((candidate) => ({ candidate, edits: edits(word, candidate) }))
    .sort((a, b) => a.edits - b.edits);
  return scored[0] !== undefined && scored[0].edits <= Math.min(2, Math.floor(word.length / 2))
    ? scored[0].candidate
    : undefined;
}

function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
