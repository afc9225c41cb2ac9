import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { createEngine, noApproval } from '@cordon/policy';
import { placeAmong } from '../../packages/policy/src/decide/focus.ts';
import { createRequest } from '../../packages/policy/src/decide/request.ts';
import { createSlice } from '../../packages/policy/src/decide/slice.ts';
import type { Evaluation } from '../../packages/policy/src/engine/answer.ts';
import type { CallHead } from '../../packages/policy/src/engine/view.ts';
import { printMachine } from '../support/measure.ts';
import { engineCode, factsOf, intentOf, principal, snapshotOf } from './world.ts';

/**
 * The engine in the asking thread, or in a worker that is sent the context and answers with the evaluation: latency of one, rate
 * of 32 at once, and what either costs the asking thread. Nothing is known to a memo: `node --conditions=cordon-source
 * bench/policy/worker.ts`.
 */
interface Asked {
  readonly id: number;
  readonly context: string;
}
const engine = createEngine(engineCode.module, engineCode.digest, { memoEntries: 0 });
const snapshot = snapshotOf(engine, 200);

function callOf(index: number): { readonly head: CallHead; readonly context: string } {
  const intent = intentOf(index);
  const facts = factsOf(snapshot, intent);
  const slice = createSlice(principal, intent.action, intent.resource, facts);
  const request = slice === null ? null : createRequest(intent, facts, noApproval, slice);
  if (slice === null || request === null) throw new TypeError('the request has no canonical reading');
  const { head } = placeAmong(snapshot.policies.values(), intent.action, slice);
  return { head, context: request.context(head.focus.view) };
}

if (isMainThread) await measure();
else serve();

function serve(): void {
  const { head } = callOf(0);
  parentPort?.on('message', ({ id, context }: Asked) => {
    parentPort?.postMessage({ id, evaluation: engine.evaluate(head, context) });
  });
  parentPort?.postMessage('ready');
}

async function measure(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  await once(worker, 'message');
  const waiting = new Map<number, (evaluation: Evaluation) => void>();
  worker.on('message', ({ id, evaluation }: { readonly id: number; readonly evaluation: Evaluation }) => {
    waiting.get(id)?.(evaluation);
    waiting.delete(id);
  });
  let next = 0;
  const calls = Array.from({ length: 64 }, (_, index) => callOf(index));
  const arms = {
    'own thread': (index: number) => {
      const call = calls[index % 64];
      if (call === undefined) throw new TypeError('no call');
      return Promise.resolve(engine.evaluate(call.head, call.context));
    },
    worker: (index: number) => {
      const id = next++;
      const answered = new Promise<Evaluation>((resolve) => waiting.set(id, resolve));
      worker.postMessage({ id, context: calls[index % 64]?.context ?? '' } satisfies Asked);
      return answered;
    },
  };
  const names = Object.keys(arms) as (keyof typeof arms)[];
  const found = names.map((name) => ({ name, one: [] as number[], many: [] as number[], cpu: [] as number[] }));
  for (let round = 0; round < 20; round++) {
    for (const { name, one, many, cpu } of found) {
      for (let index = 0; index < 200; index++) {
        const start = performance.now();
        const evaluation = await arms[name](index);
        one.push((performance.now() - start) * 1000);
        if (!evaluation.ok || !evaluation.allowed) throw new TypeError('not allowed');
      }
      const before = process.threadCpuUsage();
      const start = performance.now();
      for (let at = 0; at < 640; at += 32) {
        await Promise.all(Array.from({ length: 32 }, (_, index) => arms[name](at + index)));
      }
      many.push(640 / ((performance.now() - start) / 1000));
      const { user, system } = process.threadCpuUsage(before);
      cpu.push((user + system) / 640);
    }
  }
  await worker.terminate();
  printMachine();
  const middle = (each: number[]): string => (each.sort((a, b) => a - b)[each.length >> 1] ?? 0).toFixed(0).padStart(6);
  for (const { name, one, many, cpu } of found) {
    console.log(
      `${name.padEnd(12)} one at a time ${middle(one)} µs   32 at once ${middle(many)}/s   asking thread ${middle(cpu)} µs each`,
    );
  }
}
