import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openJournal } from '@cordon/ledger';
import {
  type Allow,
  authorize,
  createEngine,
  createPermit,
  createPermitMinter,
  discardPermit,
  noApproval,
} from '@cordon/policy';
import { createId, systemClock, systemRandom } from '@cordon/protocol';
import { decisionEntry, startEntry } from '../../packages/gateway/src/record.ts';
import { Attempts } from '../../packages/gateway/src/session/attempts.ts';
import { printMachine } from '../support/measure.ts';
import { engineCode, factsOf, intentOf, principal, snapshotOf } from './world.ts';

/**
 * From a decision to its permit, as the gateway does it: the attempt numbered, decision and start written in one turn with their
 * body sealed (tier `os`), the permit made. One at a time, and `--together` at once, which share each write.
 *
 *     node --conditions=cordon-source bench/policy/record.ts [--runs 5000] [--together 32] [--directory DIR]
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5000' },
    together: { type: 'string', default: '32' },
    directory: { type: 'string', default: process.cwd() },
  },
});
const directory = mkdtempSync(join(values.directory, '.bench-record-'));
const key = { id: 'k_bench', key: createSecretKey(randomBytes(32)) };
const snapshot = snapshotOf(createEngine(engineCode.module, engineCode.digest), 50);
const minter = createPermitMinter(systemClock, { boot: 'bench' });

function allowOf(index: number): Allow {
  const intent = intentOf(index % 64);
  const facts = factsOf(snapshot, intent, createId('attempt', systemClock, systemRandom));
  const decision = authorize(snapshot, principal, intent, facts, noApproval);
  if (decision.outcome !== 'allow') throw new TypeError(decision.record.code);
  return decision;
}

try {
  const sealing = { keyFor: () => key, random: systemRandom };
  await using journal = await openJournal({ directory, tenant: 'local', writer: 'gw', clock: systemClock, sealing });
  const attempts = new Attempts({ decisions: 0, attempt: null });
  const recordOne = async (allow: Allow): Promise<number> => {
    const { facts } = allow;
    const start = performance.now();
    const numbered = attempts.take(facts.attempt, facts.intent, facts.at, 'c1');
    const drafts = [
      decisionEntry(numbered, { outcome: 'allow', allow, plan: { refused: false, headers: [], uses: [] } }, 0),
      startEntry(allow, facts.attempt, null),
    ];
    const [recorded] = await journal.appendTogether(drafts, 'os');
    if (recorded === undefined) throw new TypeError('not recorded');
    const permit = createPermit(allow, recorded, minter);
    const micros = (performance.now() - start) * 1000;
    discardPermit(permit, minter);
    return micros;
  };
  const runs = Number(values.runs);
  const together = Number(values.together);
  const samples = { one: [] as number[], share: [] as number[] };
  for (let round = 0; round < 20; round++) {
    const one = Array.from({ length: runs / 20 }, (_, index) => allowOf(index));
    for (const allow of one) samples.one.push(await recordOne(allow));
    for (let at = 0; at < one.length; at += together) {
      const many = Array.from({ length: together }, (_, index) => allowOf(at + index));
      const start = performance.now();
      await Promise.all(many.map(recordOne));
      samples.share.push(((performance.now() - start) * 1000) / together);
    }
  }
  printMachine();
  for (const [name, each] of [
    ['record and permit, one at a time', samples.one],
    [`a share of ${together} at once`, samples.share],
  ] as const) {
    const sorted = [...each].sort((a, b) => a - b);
    const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0);
    console.log(
      `${name.padEnd(34)} p50 ${at(0.5).padStart(5)} µs   p99 ${at(0.99).padStart(6)} µs   (target: p50 ≤ 60 µs)`,
    );
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
