import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { CordonError, isCordonError } from '@cordon/protocol';
import { workspaceLimits as limits } from '../limits.ts';
import { applyPlan, shownAs } from './apply.ts';
import { Beneath } from './beneath.ts';
import { toChanges } from './changes.ts';
import type { WorkspaceErrorCode } from './error.ts';
import type { ApplyAnswer, WorkspaceAnswer, WorkspaceJob } from './job.ts';
import { parsePathText, parseRawPath, pathToText } from './path.ts';
import { type PlannedChange, planChanges } from './proposal.ts';
import { readStrings, writeRecord } from './record.ts';
import { beginApply, endApply, recoverApply } from './recovery.ts';
import { readTree } from './tree.ts';

/** The whole life of a workspace process: reads one job, does it, writes one answer. */
export async function runWorkspaceWorker(streams: {
  readonly stdin: Readable;
  readonly stdout: Writable;
}): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of streams.stdin) chunks.push(chunk as Buffer);
  const answer = await answerTo(Buffer.concat(chunks).toString('utf8'));
  await new Promise<void>((resolve) => {
    // Who asked may have died meanwhile: what was done is done, and the next supervisor finds how far it came.
    streams.stdout.once('error', () => resolve());
    streams.stdout.end(JSON.stringify(answer), () => resolve());
  });
}

async function answerTo(text: string): Promise<WorkspaceAnswer> {
  try {
    return await runWorkspaceJob(JSON.parse(text) as WorkspaceJob);
  } catch (error: unknown) {
    const code = isCordonError(error) ? error.code : 'job-invalid';
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, code, message, nextSteps: isCordonError(error) ? error.nextSteps : [] };
  }
}

export async function runWorkspaceJob(job: WorkspaceJob): Promise<WorkspaceAnswer> {
  recoverApply(job.sessionDir, job.workspace);
  if (job.kind === 'recover') return { ok: true, changes: [] };
  const upperPath = join(job.sessionDir, 'upper');
  if (!existsSync(upperPath))
    return job.kind === 'changes' ? { ok: true, changes: [] } : { ok: true, outcome: { applied: [], refused: [] } };
  const { entries, cut } = await readTree(job.launch, 'list', upperPath);
  if (cut) {
    throw new CordonError<WorkspaceErrorCode>('proposal-too-large', 'the proposal has more entries than can be read', {
      expose: true,
      nextSteps: ['discard it'],
    });
  }
  using upper = new Beneath(upperPath);
  using workspace = new Beneath(job.workspace);
  const plan = planChanges({
    entries,
    workspace,
    workspacePath: job.workspace,
    beganNs: BigInt(job.beganNs),
    protectedPaths: job.protectedPaths.map((path) => Buffer.from(path, 'utf8').toString('latin1')),
    applied: readStrings(job.sessionDir, 'applied.json') ?? new Map(),
  });
  if (job.kind === 'changes') {
    writeRecord(
      job.sessionDir,
      'shown.json',
      Object.fromEntries(plan.map((one) => [`${one.kind} ${one.path}`, shownAs(one)])),
    );
    return { ok: true, changes: toChanges(plan, upper, workspace) };
  }
  return { ok: true, outcome: apply(job, plan, upper, workspace) };
}

function apply(job: WorkspaceJob, plan: readonly PlannedChange[], upper: Beneath, workspace: Beneath): ApplyAnswer {
  const shown = readStrings(job.sessionDir, 'shown.json');
  if (shown === null && job.running) {
    throw new CordonError<WorkspaceErrorCode>('apply-failed', 'the session still runs: look at its changes first', {
      expose: true,
      nextSteps: [`cordon diff ${job.session}`],
    });
  }
  const prefix = `.cordon-${job.session}-`;
  const outcome = applyPlan({
    plan,
    upper,
    workspace,
    chosen: job.chosen?.map(parsePathText) ?? null,
    named: job.named.map(parsePathText),
    shown,
    prefix,
    flushAll: () => execFileSync(job.launch, ['tree', 'flush', job.workspace], { stdio: 'ignore', env: {} }),
    journal: (folders, trash) => beginApply(job.sessionDir, { prefix, folders, trash }),
  });
  const left = readStrings(job.sessionDir, 'applied.json') ?? new Map<string, string>();
  for (const [path, summary] of outcome.left) left.set(path, summary);
  writeRecord(job.sessionDir, 'applied.json', Object.fromEntries(left));
  endApply(job.sessionDir);
  return {
    applied: bounded([...new Set(outcome.applied)].map(pathToText), (count) => `… and ${count} more`),
    refused: bounded(
      outcome.refused.map(({ path, why }) => ({ path: pathToText(parseRawPath(path)), why })),
      (count) => ({ path: '…', why: `and ${count} more` }),
    ),
  };
}

/** What was done is done: an answer too long for its channel is cut and says so, rather than lost. */
function bounded<T>(list: readonly T[], more: (count: number) => T): T[] {
  let bytes = 0;
  const end = list.findIndex((one) => {
    bytes += Buffer.byteLength(JSON.stringify(one)) + 1;
    return bytes > limits.outcomeBytesMax;
  });
  return end < 0 ? [...list] : [...list.slice(0, end), more(list.length - end)];
}
