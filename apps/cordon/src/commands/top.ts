import { setTimeout as pause } from 'node:timers/promises';
import { isCordonError, type Stats } from '@cordon/protocol';
import type { Cordon } from '@cordon/sdk';
import type { Arguments, Command } from '../command.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import type { Surroundings } from '../surroundings.ts';
import { painter } from '../text.ts';
import { figuresOf, type SortKey, sortKeys } from '../top/figures.ts';
import { frame } from '../top/frame.ts';
import { Screen } from '../top/screen.ts';

const intervalDefaultMs = 1000;
const intervalMinMs = 100;
const intervalMaxMs = 3_600_000;

export const top: Command = {
  name: 'top',
  group: 'Review',
  usage: 'cordon top [-n SECONDS] [--sort KEY] [--once] [--json]',
  summary: 'what every session does now: CPU, memory, decisions, bytes, denials',
  words: [0, 0],
  options: {
    interval: { short: 'n', value: 'SECONDS', about: 'how often it looks; default 1' },
    sort: { value: sortKeys.join('|'), about: 'the most of it first; default denied', choices: sortKeys },
    once: { about: 'one table, also where the output is no terminal' },
    json: { about: 'one JSON object per look; with --once a single one' },
  },
  details: [
    'Keys: d denied · b bytes · c cpu · m memory · a age · q ends.',
    'Rates are of the last interval, so the first table comes after one.',
    'Examples:',
    '  cordon top',
    '  cordon top --once --sort bytes',
    '  cordon top --json -n 10 >> figures.jsonl',
  ],
  run: async ({ at, running }, args) => {
    const intervalMs = intervalOf(args);
    const sort = sortOf(args);
    const client = await running();
    if (client === null) {
      if (!args.flag('json')) at.stdout.write('no running sessions (the daemon is not running)\n');
      return exitStatus.ok;
    }
    const live = at.stdout.isTTY === true && at.stdin.isTTY === true && !args.flag('once') && !args.flag('json');
    if (live) await watch(client, at, { intervalMs, sort });
    else if (args.flag('json')) await writeJson(client, at, { intervalMs, once: args.flag('once') });
    else await writeOnce(client, at, { intervalMs, sort });
    return exitStatus.ok;
  },
};

function intervalOf(args: Arguments): number {
  const text = args.text('interval');
  if (text === undefined) return intervalDefaultMs;
  const ms = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : Number.NaN;
  if (ms >= intervalMinMs && ms <= intervalMaxMs) return ms;
  throw usageError(`-n: ${text} is no number of seconds from 0.1 to 3600`, 'write it like 1 or 0.5');
}

function sortOf(args: Arguments): SortKey {
  const text = args.text('sort') ?? 'denied';
  const key = sortKeys.find((each) => each === text);
  if (key === undefined) throw usageError(`--sort: there is no key ${text}`, `one of ${sortKeys.join(', ')}`);
  return key;
}

async function writeOnce(
  client: Cordon,
  at: Surroundings,
  options: { intervalMs: number; sort: SortKey },
): Promise<void> {
  const before = await client.stats();
  await pause(options.intervalMs);
  const figures = figuresOf(before, await client.stats());
  const lines = frame(figures, { sort: options.sort, size: null, paint: painter(at.colours), note: '' });
  at.stdout.write(`${lines.join('\n')}\n`);
}

async function writeJson(
  client: Cordon,
  at: Surroundings,
  options: { intervalMs: number; once: boolean },
): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  let before = await client.stats();
  do {
    await pause(options.intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    if (stop.signal.aborted) return;
    const now = await client.stats();
    at.stdout.write(jsonLine(figuresOf(before, now)));
    before = now;
  } while (!options.once);
}

const sortByKey: Readonly<Record<string, SortKey>> = { d: 'denied', b: 'bytes', c: 'cpu', m: 'memory', a: 'age' };

/** Until `q`, Ctrl-C or a signal. A daemon that goes away is said and waited for, as one that is replaced comes back. */
async function watch(client: Cordon, at: Surroundings, options: { intervalMs: number; sort: SortKey }): Promise<void> {
  const paint = painter(at.colours);
  let sort = options.sort;
  let before: Stats | null = null;
  let now = await client.stats();
  let trouble = '';
  const draw = (): void => {
    const keys = `sorted by ${sort} · d denied · b bytes · c cpu · m memory · a age · q ends`;
    screen.draw(frame(figuresOf(before, now), { sort, size: screen.size, paint, note: trouble || keys }));
  };
  using screen = new Screen(at, {
    key: (key) => {
      sort = sortByKey[key] ?? sort;
      draw();
    },
    resized: () => draw(),
  });
  while (!screen.ended.aborted) {
    draw();
    await pause(options.intervalMs, undefined, { signal: screen.ended }).catch(() => undefined);
    if (screen.ended.aborted) return;
    try {
      const next = await client.stats();
      [before, now, trouble] = [now, next, ''];
    } catch (error) {
      if (!isCordonError(error)) throw error;
      trouble = `${error.message} (${error.code}); shown is ${now.at}; q ends`;
    }
  }
}
