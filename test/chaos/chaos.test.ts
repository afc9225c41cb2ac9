import { describe, expect, it } from 'vitest';
import { Dice } from './dice.ts';
import { faults } from './faults/index.ts';

const kills = 10;
const limitMs = 300_000;

// The short form of `node test/chaos/run.ts`: the same scenes and the same checks.
describe('under load, with every check afterwards', () => {
  it.each(Object.entries(faults))(
    '%s',
    async (name, fault) => {
      const dice = new Dice(Date.now() % 2 ** 31);
      const said: string[] = [];
      const { rounds, wrong } = await fault.run({
        rounds: name === 'kill' ? kills : 1,
        dice,
        say: (line) => said.push(line),
        signal: new AbortController().signal,
      });
      expect(wrong, `seed ${dice.seed}\n${said.join('\n')}`).toEqual([]);
      expect(rounds).toBeGreaterThan(0);
    },
    limitMs,
  );
});
