import { existsSync } from 'node:fs';
import { assertNever } from '@cordon/protocol';
import { ledgerError } from '../error.ts';
import type { BodyKeys } from '../seal/open.ts';
import type { WitnessPolicy } from '../witness/policy.ts';
import { type ApprovalsOptions, verifyApprovals } from './approvals.ts';
import { Completeness } from './complete.ts';
import { type DecisionsOptions, verifyDecisions } from './decisions.ts';
import { verifyHeads } from './heads.ts';
import type { InfrastructureOptions } from './infrastructure.ts';
import { verifyJournals } from './journals.ts';
import { verifyKill } from './kill.ts';
import { verifyLabels } from './labels/labels.ts';
import { Findings, type PartReport, toReport, type VerifyPart, type VerifyReport, verifyParts } from './report.ts';
import { verifyTree } from './tree.ts';
import { verifyWitnesses } from './witnesses.ts';

export interface VerifyOptions {
  /** Folder of one tenant's journals; named after the tenant. */
  readonly journals: string | null;
  /** Folder of that tenant's tree. */
  readonly tree: string | null;
  /** `name+hash+base64`; the only thing that is trusted. */
  readonly verifierKey: string | null;
  readonly parts?: readonly VerifyPart[];
  /** Signed checkpoints kept elsewhere; the tree must contain what they signed. */
  readonly checkpoints?: readonly string[];
  /** Whose cosignatures the reader believes. */
  readonly witnesses?: WitnessPolicy | null;
  /**
   * The tree that logs the heads of this one, so that its witnesses are this one's too. Null: it is missing, which the part
   * `heads` says; left out: this tree is nobody's tenant, and the part does not run.
   */
  readonly infrastructure?: InfrastructureOptions | null;
  /** What judges signed answers; without it the part `approvals` cannot run. */
  readonly approvals?: Omit<ApprovalsOptions, 'journals'>;
  /** What judges decisions again; without it the part `decisions` cannot run. */
  readonly decisions?: Omit<DecisionsOptions, 'journals'>;
  /** Opens bodies, so that what grants say of answers can be read. */
  readonly keys?: BodyKeys;
  /** Counts again what breakers, rates and budgets counted; without it the part `counters` cannot run. */
  readonly counters?: (journals: string) => PartReport;
}

/**
 * Verifies what lies on disk, read-only. A part whose files were not given is left out; one that was asked for by name
 * and cannot run is an error, never a pass.
 *
 * @throws CordonError `ledger-option` `ledger-key`
 */
export function verifyLedger(options: VerifyOptions): VerifyReport {
  const wanted = options.parts ?? verifyParts.filter((part) => canRun(part, options));
  const impossible = wanted.filter((part) => !canRun(part, options));
  if (wanted.length === 0 || impossible.length > 0) {
    throw ledgerError('ledger-option', `not given what these parts need: ${impossible.join(' ') || 'any'}`);
  }
  const parts: PartReport[] = [];
  const { journals, tree, verifierKey } = options;
  if (journals !== null && (wanted.includes('entries') || wanted.includes('complete'))) {
    const entries = new Findings('entries');
    const complete = new Findings('complete');
    // A folder that was taken away is the plainest of all losses.
    if (!existsSync(journals)) entries.fail({ code: 'missing', where: journals, detail: 'there is no such folder' });
    verifyJournals(journals, entries, new Completeness(complete));
    parts.push(...[entries, complete].map((one) => one.report()).filter(({ part }) => wanted.includes(part)));
  }
  if (tree !== null && verifierKey !== null && wanted.includes('tree')) {
    parts.push(verifyTree({ tree, journals, verifierKey, checkpoints: options.checkpoints ?? [] }));
  }
  const { infrastructure } = options;
  if (tree !== null && verifierKey !== null && infrastructure !== undefined && wanted.includes('heads')) {
    parts.push(verifyHeads({ tree, verifierKey, infrastructure }));
  }
  if (tree !== null && verifierKey !== null && wanted.includes('witnesses')) {
    const policy = options.witnesses ?? null;
    parts.push(verifyWitnesses({ tree, verifierKey, policy, infrastructure: infrastructure ?? null }));
  }
  if (journals !== null && options.approvals !== undefined && wanted.includes('approvals')) {
    parts.push(verifyApprovals({ journals, ...options.approvals }));
  }
  if (journals !== null && wanted.includes('labels')) {
    parts.push(verifyLabels({ journals, ...(options.keys === undefined ? {} : { keys: options.keys }) }));
  }
  if (journals !== null && options.counters !== undefined && wanted.includes('counters')) {
    parts.push(options.counters(journals));
  }
  if (journals !== null && wanted.includes('kill')) parts.push(verifyKill(journals));
  if (journals !== null && options.decisions !== undefined && wanted.includes('decisions')) {
    parts.push(verifyDecisions({ journals, ...options.decisions }));
  }
  return toReport(parts);
}

function canRun(part: VerifyPart, options: VerifyOptions): boolean {
  switch (part) {
    case 'entries':
    case 'complete':
    case 'kill':
    case 'labels':
      return options.journals !== null;
    case 'tree':
    case 'witnesses':
      return options.tree !== null && options.verifierKey !== null;
    case 'heads':
      return options.tree !== null && options.verifierKey !== null && options.infrastructure !== undefined;
    case 'approvals':
      return options.journals !== null && options.approvals !== undefined;
    case 'counters':
      return options.journals !== null && options.counters !== undefined;
    case 'decisions':
      return options.journals !== null && options.decisions !== undefined;
    default:
      return assertNever(part, 'part');
  }
}
