import { createSecretKey, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  createCheckpointKey,
  type EntryDraft,
  openJournal,
  openSigner,
  openTree,
  type VerifyOptions,
  verifyLedger,
} from '@cordon/ledger';
import { type DurabilityTier, systemClock, systemRandom } from '@cordon/protocol';

/**
 * Appends per second by tier, with a bare write loop in the same run as the floor, then integration and verification.
 *
 *     node --conditions=cordon-source bench/ledger/append.ts [--entries 100000] [--waiters 32] [--directory DIR]
 *         [--whole] [--json]
 *
 * `--whole`: only the whole ledger, of as many entries as one likes.
 */
const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '100000' },
    waiters: { type: 'string', default: '32' },
    directory: { type: 'string', default: process.cwd() },
    whole: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const entries = Number(values.entries);
const waiters = Number(values.waiters);

interface Row {
  readonly what: string;
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly target: string;
}
const rows: Row[] = [];
const bodyKey = { id: 'k_bench', key: createSecretKey(randomBytes(32)) };

async function measure(what: string, count: number, target: string, run: () => Promise<void> | void): Promise<void> {
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  rows.push({ what, count, seconds, perSecond: Math.round(count / seconds), target });
}

/** What a gateway records of one action, with the sizes that a coding agent's requests have. */
function draftsOf(i: number): readonly [EntryDraft, EntryDraft, EntryDraft] {
  const session = `ses_${String(i % 40).padStart(26, '0')}`;
  const attempt = `att_${String(i).padStart(26, '0')}`;
  const digest = `sha256:${String(i).padStart(64, '0')}`;
  const decision = {
    attempt,
    attemptDigest: digest,
    agent: 'claude',
    action: 'http.request',
    resource: 'https://api.anthropic.com:443',
    outcome: 'allow',
    code: 'allowed',
    reasons: ['profile/claude-1'],
    decision: digest,
    intent: digest,
    facts: digest,
    generation: 3,
    revision: 1,
  };
  return [
    { session, type: 'decision', data: decision, body: JSON.stringify({ attempt, padding: 'x'.repeat(1200) }) },
    { session, type: 'start', data: { attempt, payload: digest } },
    { session, type: 'outcome', data: { attempt, status: 200, bytesIn: 2000, bytesOut: 900, digest } },
  ];
}

const root = mkdtempSync(join(values.directory, '.bench-ledger-'));
try {
  if (!values.whole) {
    await bareLoop();
    await appends('os', entries, '', false);
    await appends('os', entries, '≥ 20,000/s');
    await appends('disk', Math.min(entries, 20_000), '≥ 2,000/s');
  }
  await ledger();
} finally {
  rmSync(root, { recursive: true, force: true });
}
print();

/** The floor: the same bytes, one write(2) each, nothing else. */
async function bareLoop(): Promise<void> {
  const line = Buffer.alloc(700, 'x');
  const body = Buffer.alloc(1260, 'x');
  const [journal, bodies] = ['bare.journal', 'bare.bodies'].map((name) => openSync(join(root, name), 'a')) as [
    number,
    number,
  ];
  await measure('bare fs.writeSync, frame and body', entries, 'floor', () => {
    for (let i = 0; i < entries; i++) {
      writeSync(bodies, body);
      writeSync(journal, line);
    }
  });
  closeSync(journal);
  closeSync(bodies);
}

async function appends(tier: DurabilityTier, count: number, target: string, sealed = true): Promise<void> {
  const directory = join(root, sealed ? tier : `${tier}-clear`);
  await using journal = await openJournal({
    ...{ directory, tenant: 'local', writer: 'gw', clock: systemClock },
    ...(sealed ? { sealing: { keyFor: () => bodyKey, random: systemRandom } } : {}),
  });
  let next = 0;
  const bodies = sealed ? 'bodies sealed' : 'bodies in clear';
  await measure(`append, ${tier} tier, ${waiters} waiters, ${bodies}`, count, target, async () => {
    const client = async (): Promise<void> => {
      while (next < count) await journal.append(draftsOf(next++)[0], tier);
    };
    await Promise.all(Array.from({ length: waiters }, client));
  });
}

/** A whole ledger: actions by many sessions, all of it taken into the tree, all of it verified. */
async function ledger(): Promise<void> {
  const journals = join(root, 'journal', 'local');
  const tree = join(root, 'tree', 'local');
  const actions = Math.floor(entries / 3);
  {
    await using journal = await openJournal({
      ...{ directory: journals, tenant: 'local', writer: 'gw', clock: systemClock },
      sealing: { keyFor: () => bodyKey, random: systemRandom },
    });
    let next = 0;
    await measure('append, whole actions (3 entries each), os tier', actions * 3, '', async () => {
      const client = async (): Promise<void> => {
        while (next < actions) {
          const [decision, start, outcome] = draftsOf(next++);
          await journal.appendTogether([decision, start], 'os');
          await journal.append(outcome, 'os');
        }
      };
      await Promise.all(Array.from({ length: waiters }, client));
    });
  }
  const signer = openSigner('local.bench.invalid/ledger', createCheckpointKey('local.bench.invalid/ledger').privatePem);
  {
    await using integrator = await openTree({ directory: tree, journals, signer, clock: systemClock });
    await measure('integrate into the tree', actions * 3, '', async () => {
      while ((await integrator.integrate()).more);
    });
  }
  rows.push(size('journal', journals, '.journal', actions), size('sealed bodies', journals, '.bodies', actions));
  rows.push(size('tree', tree, '', actions));
  await measure('verify entries, complete and tree', actions * 3, '≥ 33,333/s (10⁶ in 30 s)', () => {
    check({ journals, tree, verifierKey: signer.verifierKey, parts: ['entries', 'complete', 'tree'] });
  });
  await measure('verify kill and labels', actions * 3, '', () => {
    check({ journals, tree, verifierKey: signer.verifierKey, parts: ['kill', 'labels'] });
  });
  await measure('open the journal again', 1, '', async () => {
    await (await openJournal({ directory: journals, tenant: 'local', writer: 'gw', clock: systemClock })).close();
  });
}

function check(options: VerifyOptions): void {
  const report = verifyLedger(options);
  if (!report.ok) throw new RangeError(`the bench's own ledger does not verify: ${JSON.stringify(report)}`);
}

/** Bytes that lie on disk, and how many of them one action takes. */
function size(what: string, folder: string, ending: string, actions: number): Row {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ending));
  const bytes = files
    .map((name) => statSync(join(folder, name)))
    .filter((file) => file.isFile())
    .reduce((sum, file) => sum + file.size, 0);
  return {
    what: `bytes of the ${what}, and a decision with start and outcome`,
    count: bytes,
    seconds: 0,
    perSecond: Math.round(bytes / actions),
    target: '',
  };
}

function print(): void {
  const machine = `${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`;
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ v: 'bench/1', bench: 'ledger', machine, rows })}\n`);
    return;
  }
  process.stdout.write(`ledger on ${machine}, ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB at most\n`);
  for (const { what, count, seconds, perSecond, target } of rows) {
    if (seconds === 0) {
      process.stdout.write(`  ${what.padEnd(54)} ${String(count).padStart(9)}  ${perSecond} each\n`);
      continue;
    }
    const figures = `${String(count).padStart(9)} in ${seconds.toFixed(2).padStart(7)} s  ${String(perSecond).padStart(8)}/s`;
    process.stdout.write(`  ${what.padEnd(54)} ${figures}  ${target}\n`);
  }
}
