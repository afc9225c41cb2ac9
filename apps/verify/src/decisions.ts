import { existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { mergeParts, noKeys, type PartReport, verifyDecisions } from '@cordon/ledger';
import { CordonError } from '@cordon/protocol';
import { Engines } from './engines.ts';
import { type KeysPlace, openKeys } from './keys.ts';
import { createReplay } from './replay.ts';

/** What a worker is told; plain data. */
export interface DecisionsOrder {
  readonly journals: string;
  readonly engines: readonly string[];
  /** Where the keys of bodies lie; null: none are given. */
  readonly keys: KeysPlace | null;
  /** Ask Cedar about every single decision. */
  readonly every: boolean;
  readonly shard: { readonly index: number; readonly of: number };
}

/** Below this much journal a second thread costs more than it saves. */
const bytesPerWorker = 16 * 1024 * 1024;

export function runShare(order: DecisionsOrder): PartReport {
  const { journals, engines, every, shard } = order;
  const keys = order.keys === null ? noKeys : openKeys(order.keys);
  return verifyDecisions({ journals, shard, keys, replay: createReplay(new Engines(engines, every)) });
}

/** The part `decisions`, on as many threads as it is worth. */
export async function runDecisions(
  given: Omit<DecisionsOrder, 'shard'>,
  threadsMax: number = availableParallelism(),
): Promise<PartReport> {
  const worth = Math.ceil(journalBytes(given.journals) / bytesPerWorker);
  const of = Math.max(1, Math.min(worth, threadsMax));
  if (of === 1) return runShare({ ...given, shard: { index: 0, of } });
  const shares = Array.from({ length: of }, (_, index) => runWorker({ ...given, shard: { index, of } }));
  return mergeParts(await Promise.all(shares));
}

function runWorker(order: DecisionsOrder): Promise<PartReport> {
  const program = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(program, import.meta.url), { workerData: order });
    worker.once('message', resolve);
    worker.once('error', reject);
    // After a message this changes nothing; without one the share was not judged, which must not look like a pass.
    worker.once('exit', (status) =>
      reject(new CordonError('verify-thread', `a thread of the verifier ended with ${status}`)),
    );
  });
}

function journalBytes(journals: string): number {
  if (!existsSync(journals)) return 0;
  const names = readdirSync(journals, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.journal'))
    .reduce((sum, name) => sum + statSync(join(journals, name)).size, 0);
}
