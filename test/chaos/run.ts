// Chaos as a command: kills and faults under load, and what must hold afterwards.
//   node test/chaos/run.ts [--rounds 1000] [--faults kill,disk-full,…] [--seed N]
import { parseArgs } from 'node:util';
import { Dice } from './dice.ts';
import { faults } from './faults/index.ts';
import { type Result, table } from './table.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    faults: { type: 'string', default: Object.keys(faults).join(',') },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const names = values.faults.split(',');
const unknown = names.filter((name) => !Object.hasOwn(faults, name));
if (unknown.length > 0 || !/^[1-9]\d*$/.test(values.rounds) || !/^\d+$/.test(values.seed)) {
  console.error(`chaos: --rounds N, --seed N, --faults of ${Object.keys(faults).join(',')}`);
  process.exit(64);
}
const seed = Number(values.seed);
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log(`chaos: ${signal}: the round under way ends, then everything is taken down`);
    interrupted.abort();
  });
}

const say = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
const results: Result[] = [];
say(`seed ${seed}`);
for (const name of names) {
  if (interrupted.signal.aborted) break;
  const fault = faults[name];
  if (fault === undefined) continue;
  const rounds = fault.share(Number(values.rounds));
  const dice = new Dice(seed + names.indexOf(name));
  const started = performance.now();
  results.push({ name, ...(await fault.run({ rounds, dice, say, signal: interrupted.signal })) });
  say(`${name}: ${Math.round((performance.now() - started) / 1000)} s`);
}
console.log(table(results));
const wrong = results.flatMap((result) => result.wrong.map((words) => `${result.name}: ${words}`));
if (wrong.length > 0) console.log(`${wrong.length} wrong, with --seed ${seed}:\n${wrong.slice(0, 50).join('\n')}`);
if (interrupted.signal.aborted) console.log('interrupted: the rounds above are whole');
process.exit(wrong.length > 0 ? 1 : 0);
