import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isCordonError } from '@cordon/protocol';
import { type Checkpoint, openCheckpoint } from '../tree/checkpoint.ts';
import { readIfThere } from '../tree/files.ts';
import { rootOf } from '../tree/merkle.ts';
import { parseVerifierKey, splitNote } from '../tree/note.ts';
import { TileReader } from '../tree/reader.ts';
import { checkCosignature } from '../witness/cosignature.ts';
import type { WitnessPolicy } from '../witness/policy.ts';
import { compareHeads } from './heads.ts';
import { type InfrastructureOptions, loggedHeads, openInfrastructure } from './infrastructure.ts';
import { Findings, type PartReport } from './report.ts';
import { signatureCodeOf } from './signature.ts';
import { overSteady } from './steady.ts';

export interface WitnessesOptions {
  readonly tree: string;
  readonly verifierKey: string;
  /** Whom the reader believes; null: nobody was named. */
  readonly policy: WitnessPolicy | null;
  /** Witnesses that follow this one alone have seen the heads that it logs. */
  readonly infrastructure?: InfrastructureOptions | null;
}

/** The last second of the year 9999; a date has no room for more. */
const yearEnd = 253_402_300_799;

export const unwitnessed = 'unwitnessed: who holds the log key can rewrite what nobody else keeps a checkpoint of';

/** Who else has seen this history: the newest head that others cosigned, and whether the tree still contains it. */
export function verifyWitnesses(options: WitnessesOptions): PartReport {
  const { tree, infrastructure = null } = options;
  const heads = [tree, ...(infrastructure === null ? [] : [infrastructure.tree])];
  return overSteady(
    () => heads.map((folder) => readIfThere(join(folder, 'checkpoint'))?.toString() ?? '').join(),
    () => verifySeen(options),
  );
}

function verifySeen(options: WitnessesOptions): PartReport {
  const { tree, verifierKey, policy, infrastructure = null } = options;
  const findings = new Findings('witnesses');
  if (policy === null) {
    findings.leave(unwitnessed);
    return findings.report();
  }
  const note = readIfThere(join(tree, 'cosigned'))?.toString() ?? null;
  if (note === null && infrastructure !== null && existsSync(join(infrastructure.tree, 'cosigned'))) {
    verifyThrough(findings, options, policy, infrastructure);
    return findings.report();
  }
  if (note === null) {
    if (policy.satisfied(new Set())) findings.leave(unwitnessed);
    else findings.fail({ code: 'quorum', where: 'cosigned', detail: 'no head was ever cosigned' });
    return findings.report();
  }
  const cosigned = openSigned(findings, 'cosigned', note, verifierKey);
  const head = openSigned(findings, 'checkpoint', readIfThere(join(tree, 'checkpoint'))?.toString() ?? '', verifierKey);
  if (cosigned === null || head === null) return findings.report();
  checkQuorum(findings, note, policy);
  compare(findings, tree, cosigned, head);
  findings.count('cosignedSize', cosigned.size);
  return findings.report();
}

/** No witness follows this tree: what of it stands in a head of the infrastructure that they cosigned? */
function verifyThrough(
  findings: Findings,
  { tree, verifierKey }: WitnessesOptions,
  policy: WitnessPolicy,
  infrastructure: InfrastructureOptions,
): void {
  const cosigned = openInfrastructure(infrastructure, 'cosigned', findings);
  const newest = openInfrastructure(infrastructure, 'checkpoint', findings);
  const head = openSigned(findings, 'checkpoint', readIfThere(join(tree, 'checkpoint'))?.toString() ?? '', verifierKey);
  if (newest === null || cosigned === null || head === null) return;
  checkQuorum(findings, cosigned.note, policy);
  if (cosigned.head.size > newest.head.size) {
    const detail = `${cosigned.head.size} entries were cosigned, the tree has ${newest.head.size}`;
    findings.fail({ code: 'shortened', where: 'infrastructure cosigned', detail });
    return;
  }
  const heads = loggedHeads(infrastructure.tree, cosigned.head, newest.head.size, findings);
  if (heads === null) return;
  const own = heads.filter(({ log }) => log === head.origin);
  if (own.length === 0) {
    const detail = `no head of ${head.origin} is under it`;
    findings.fail({ code: 'quorum', where: 'infrastructure cosigned', detail });
    return;
  }
  const seen = compareHeads(findings, tree, head, own);
  findings.count('cosignedSize', seen);
  findings.note('they saw it as a head that the infrastructure logged');
  if (head.size > seen) findings.note(`the last ${head.size - seen} entries came after it and have no witness yet`);
}

function checkQuorum(findings: Findings, note: string, policy: WitnessPolicy): void {
  const { text, lines } = splitNote(note);
  const names = new Set<string>();
  for (const { name, verifier } of policy.witnesses) {
    const seconds = checkCosignature(text, lines, verifier);
    if (seconds === null) continue;
    names.add(name);
    findings.count('cosignatures');
    findings.note(`${name} saw it at ${new Date(Math.min(seconds, yearEnd) * 1000).toISOString()}`);
  }
  if (policy.satisfied(names)) return;
  const seen = names.size === 0 ? 'none of the witnesses' : `only ${[...names].join(', ')}`;
  findings.fail({ code: 'quorum', where: 'cosigned', detail: `${seen} cosigned it` });
}

function compare(findings: Findings, tree: string, cosigned: Checkpoint, head: Checkpoint): void {
  const where = 'cosigned';
  if (cosigned.size > head.size) {
    const detail = `${cosigned.size} entries were cosigned, the tree has ${head.size}`;
    findings.fail({ code: 'shortened', where, detail });
    return;
  }
  let root: Buffer;
  try {
    root = rootOf(cosigned.size, new TileReader(tree).hashAt(head.size));
  } catch (error) {
    if (!isCordonError(error)) throw error;
    findings.fail({ code: 'tile', where, detail: error.message });
    return;
  }
  if (!root.equals(cosigned.root)) {
    findings.fail({ code: 'fork', where, detail: `another root at size ${cosigned.size} was cosigned` });
  }
  const later = head.size - cosigned.size;
  if (later > 0) findings.note(`the last ${later} entries came after it and have no witness yet`);
}

function openSigned(findings: Findings, where: string, note: string, key: string): Checkpoint | null {
  try {
    return openCheckpoint(note, parseVerifierKey(key));
  } catch (error) {
    const code = signatureCodeOf(error);
    if (code === null || !isCordonError(error)) throw error;
    findings.fail({ code, where, detail: note === '' ? 'there is no checkpoint' : error.message });
    return null;
  }
}
