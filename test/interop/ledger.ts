import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createCheckpointKey, createWitnessKey, openCosigner, openSigner, openTree, splitNote } from '@cordon/ledger';
import { flipBit } from '../support/frames.ts';
import { recordLedger } from '../support/recorded-ledger.ts';

// What test/interop/run.sh gives to another implementation: a ledger that grew over four starts, with receipts of some of its
// entries, and copies of it with one thing wrong each.
const [program = '', home = ''] = process.argv.slice(2);
const origin = 'local.interop.invalid/ledger';
const { privatePem, verifierKey } = createCheckpointKey(origin);
const witness = openCosigner('witness.invalid/1', createWitnessKey('witness.invalid/1').privatePem);
const proofs = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.tlog-proof'))
    .map((name) => path.join(folder, name));

let now = Date.UTC(2026, 0, 1);
/** Each look is two minutes later, so that every head is kept. */
const clock = { now: () => (now += 120_000) };
mkdirSync(home, { recursive: true });
writeFileSync(path.join(home, 'vkey'), `${verifierKey}\n`);
for (let round = 1; round <= 4; round++) {
  await recordLedger({ home, decisions: 300 * round, sessions: 2, grants: 6 });
  await using tree = await openTree({
    ...{ directory: path.join(home, 'ledger/tree/local'), journals: path.join(home, 'ledger/journal/local'), clock },
    signer: openSigner(origin, privatePem),
  });
  while ((await tree.integrate()).more);
  const { checkpoint, size } = tree.head;
  await tree.keepCosigned(checkpoint + witness.cosign(splitNote(checkpoint).text, 1_790_000_000));
  if (round < 4) continue;
  for (const index of [0, 1, 255, 256, 1000, size - 1]) {
    writeFileSync(path.join(home, `${index}.tlog-proof`), tree.prove(index).receipt);
  }
}

function ask(folder: string): string {
  const words = [path.join(folder, 'ledger/tree/local'), path.join(folder, 'vkey'), ...proofs(folder)];
  const done = spawnSync(program, words, { encoding: 'utf8' });
  return done.status === 0 ? done.stdout : `BAD ${done.stdout}${done.stderr}`.split('\n', 1).join('');
}

const damages: Readonly<Record<string, (folder: string, tree: string) => void>> = {
  'a bit of the head’s signature': (_, tree) => {
    const file = path.join(tree, 'checkpoint');
    flipBit(file, readFileSync(file).indexOf('— ') + origin.length + 20);
  },
  'a bit of an entry': (_, tree) => flipBit(path.join(tree, 'tile/entries/000'), 300),
  'a bit of a hash tile': (_, tree) => flipBit(path.join(tree, 'tile/0/000'), 40),
  'another key': (folder) => writeFileSync(path.join(folder, 'vkey'), createCheckpointKey(origin).verifierKey),
  'a kept head of another history': (_, tree) => {
    const root = Buffer.alloc(32, 1).toString('base64');
    const note = openSigner(origin, privatePem).sign(`${origin}\n3\n${root}\n`);
    writeFileSync(path.join(tree, 'checkpoints.jsonl'), `${JSON.stringify(note)}\n`);
  },
  'a receipt with another index': (folder) => {
    const file = path.join(folder, '1000.tlog-proof');
    writeFileSync(file, readFileSync(file, 'utf8').replace('index 1000', 'index 1001'));
  },
};

const whole = ask(home);
process.stdout.write(whole);
let wrong = whole.startsWith('BAD') ? 1 : 0;
for (const [name, damage] of Object.entries(damages)) {
  const copy = `${home}-${Object.keys(damages).indexOf(name)}`;
  cpSync(home, copy, { recursive: true });
  damage(copy, path.join(copy, 'ledger/tree/local'));
  const answer = ask(copy);
  process.stdout.write(`${name}: ${answer.startsWith('BAD') ? `refused (${answer})` : 'TAKEN'}\n`);
  if (!answer.startsWith('BAD')) wrong += 1;
}
process.exitCode = wrong;
