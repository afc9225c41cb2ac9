import { writeSync } from 'node:fs';
import { systemClock, systemRandom } from '@cordon/protocol';
import { openJournal } from '../src/index.ts';
import { bodyKey } from './body-key.ts';
import { decision, outcome, start } from './drafts.ts';

// A child of crash.test.ts: appends until it is killed and prints each leaf only once it was answered for.
const [directory = ''] = process.argv.slice(2);
const journal = await openJournal({
  directory,
  tenant: 'local',
  writer: 'gw',
  clock: systemClock,
  segmentBytes: 60_000,
  sealing: { keyFor: () => bodyKey, random: systemRandom },
});
writeSync(1, 'ready\n');
const boot = journal.head.wseq;

async function client(name: number): Promise<void> {
  for (let i = 0; ; i++) {
    const attempt = `att_${boot}_${name}_${i}`;
    const tier = i % 5 === 0 ? 'disk' : 'os';
    const pair = await journal.appendTogether([decision(attempt), start(attempt)], tier);
    writeSync(1, pair.map(({ wseq, leaf }) => `${wseq} ${leaf}\n`).join(''));
    const { wseq, leaf } = await journal.append(outcome(attempt), 'os');
    writeSync(1, `${wseq} ${leaf}\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await Promise.all([1, 2, 3].map(client));
