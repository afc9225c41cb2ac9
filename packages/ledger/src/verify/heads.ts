import { join } from 'node:path';
import { isCordonError } from '@cordon/protocol';
import { toLeafText } from '../leaf.ts';
import { type Checkpoint, openCheckpoint } from '../tree/checkpoint.ts';
import { readIfThere } from '../tree/files.ts';
import type { LoggedHead } from '../tree/logged-head.ts';
import { rootOf } from '../tree/merkle.ts';
import { parseVerifierKey } from '../tree/note.ts';
import { TileReader } from '../tree/reader.ts';
import { type InfrastructureOptions, loggedHeads, openInfrastructure } from './infrastructure.ts';
import { Findings, type PartReport } from './report.ts';
import { signatureCodeOf } from './signature.ts';
import { overSteady } from './steady.ts';

export interface HeadsOptions {
  /** The tenant's tree. */
  readonly tree: string;
  readonly verifierKey: string;
  /** Null: there is none, or nobody gave it. */
  readonly infrastructure: InfrastructureOptions | null;
}

export const unlogged = 'no tree of the infrastructure is here, so nobody else on this host has the heads on record';

/** Whether the tenant's tree still is what the infrastructure has logged of it, every time. */
export function verifyHeads({ tree, verifierKey, infrastructure }: HeadsOptions): PartReport {
  if (infrastructure === null) {
    const findings = new Findings('heads');
    findings.leave(unlogged);
    return findings.report();
  }
  return overSteady(
    () => readIfThere(join(infrastructure.tree, 'checkpoint'))?.toString() ?? '',
    () => verifyLogged(tree, verifierKey, infrastructure),
  );
}

function verifyLogged(tree: string, verifierKey: string, infrastructure: InfrastructureOptions): PartReport {
  const findings = new Findings('heads');
  // Read before the tenant's own head is, so that a living log is only ever ahead of it.
  const opened = openInfrastructure(infrastructure, 'checkpoint', findings);
  const heads = opened === null ? null : loggedHeads(infrastructure.tree, opened.head, opened.head.size, findings);
  const head = openTenant(findings, tree, verifierKey);
  if (heads === null || head === null) return findings.report();
  const own = heads.filter(({ log }) => log === head.origin);
  findings.count('heads', own.length);
  const newest = compareHeads(findings, tree, head, own);
  if (own.length === 0) findings.leave(`the infrastructure has no head of ${head.origin} on record`);
  else if (head.size > newest)
    findings.note(`the last ${head.size - newest} entries came after the newest logged head`);
  return findings.report();
}

/** Each logged head against the tree, and against those logged before it. Returns the largest size. */
export function compareHeads(
  findings: Findings,
  tree: string,
  head: Checkpoint,
  logged: readonly LoggedHead[],
): number {
  const hashAt = new TileReader(tree).hashAt(head.size);
  let newest = 0;
  for (const { size, root } of logged) {
    const where = `logged head of size ${size}`;
    if (size < newest)
      findings.fail({ code: 'rollback', where, detail: `${newest} entries had been logged before it` });
    newest = Math.max(newest, size);
    if (size > head.size) {
      findings.fail({ code: 'behind', where, detail: `the tree has ${head.size} entries` });
      continue;
    }
    try {
      if (toLeafText(rootOf(size, hashAt)) === root) continue;
      findings.fail({ code: 'fork', where, detail: 'another root at that size was logged' });
    } catch (error) {
      if (!isCordonError(error)) throw error;
      findings.fail({ code: 'tile', where, detail: error.message });
    }
  }
  return newest;
}

function openTenant(findings: Findings, tree: string, key: string): Checkpoint | null {
  const note = readIfThere(join(tree, 'checkpoint'))?.toString() ?? '';
  try {
    return openCheckpoint(note, parseVerifierKey(key));
  } catch (error) {
    const code = signatureCodeOf(error);
    if (code === null || !isCordonError(error)) throw error;
    findings.fail({ code, where: 'checkpoint', detail: note === '' ? 'there is no checkpoint' : error.message });
    return null;
  }
}
