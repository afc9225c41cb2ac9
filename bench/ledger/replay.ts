import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runDecisions } from '../../apps/verify/src/decisions.ts';
import { recordLedger } from '../../test/support/recorded-ledger.ts';

/**
 * Decisions judged again per second: as `cordon ledger verify` does it, which asks Cedar once about what no policy can
 * tell apart, and with `--every`, which asks about each; on one thread and on all.
 *
 *     node --conditions=cordon-source bench/ledger/replay.ts [--decisions 20000] [--grants 20] [--sessions 8] [--paths 500] [--engine FILE] [--json]
 *
 * `--engine`: the decisions were made by this engine (`cedar_wasm_bg.wasm` of another version), as before an upgrade.
 */
const { values } = parseArgs({
  options: {
    decisions: { type: 'string', default: '20000' },
    grants: { type: 'string', default: '20' },
    sessions: { type: 'string', default: '8' },
    paths: { type: 'string', default: '500' },
    engine: { type: 'string' },
    directory: { type: 'string', default: process.cwd() },
    json: { type: 'boolean', default: false },
  },
});
const decisions = Number(values.decisions);
const home = mkdtempSync(join(values.directory, '.bench-replay-'));
const rows: Array<{
  readonly how: string;
  readonly threads: number;
  readonly seconds: number;
  readonly perSecond: number;
}> = [];
try {
  await recordLedger({
    home,
    decisions,
    sessions: Number(values.sessions),
    grants: Number(values.grants),
    paths: Number(values.paths),
    ...(values.engine === undefined ? {} : { engine: values.engine }),
  });
  const engines = values.engine === undefined ? [] : [values.engine];
  const runs = [false, true].flatMap((every) => [1, availableParallelism()].map((threads) => ({ every, threads })));
  for (const { every, threads } of runs) {
    const start = performance.now();
    const order = { journals: join(home, 'ledger', 'journal', 'local'), engines, keys: null, every };
    const report = await runDecisions(order, threads);
    const seconds = (performance.now() - start) / 1000;
    if (report.counts['same'] !== decisions) throw new RangeError(`not all the same: ${JSON.stringify(report)}`);
    rows.push({
      how: every ? 'every one asked' : 'as verify does',
      threads,
      seconds,
      perSecond: Math.round(decisions / seconds),
    });
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
const machine = `${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`;
if (values.json) {
  process.stdout.write(`${JSON.stringify({ v: 'bench/1', bench: 'ledger-replay', machine, decisions, rows })}\n`);
} else {
  process.stdout.write(
    `replay of ${decisions} decisions, ${values.grants} grants a session, ${values.paths} paths, on ${machine}\n`,
  );
  for (const { how, threads, seconds, perSecond } of rows) {
    process.stdout.write(
      `  ${how.padEnd(16)} ${threads} threads  ${seconds.toFixed(2)} s  ${perSecond}/s  (target on two cores: ≥ 4,000/s)\n`,
    );
  }
}
