import type { Entry } from '@cordon/protocol';
import { listWriters } from '../journal/segment.ts';
import { type BodyKeys, noKeys, openBody } from '../seal/open.ts';
import { type Frame, framesOf } from './frames.ts';
import { PolicyRecords, parseObject } from './policies.ts';
import type { Replay } from './replay.ts';
import { Findings, type PartReport } from './report.ts';

export interface DecisionsOptions {
  readonly journals: string;
  readonly replay: Replay;
  readonly keys?: BodyKeys;
  /** One of several that share the work; each reads all policies and judges its own decisions. */
  readonly shard?: { readonly index: number; readonly of: number };
}

/** Neighbours stay together, because they are mostly of one session and one snapshot. */
const shardEntries = 512;

/**
 * Judges every recorded decision again, from nothing but what the ledger holds, and compares the bytes of the records.
 * What cannot be judged any more is counted as `notReplayable`, and is never good.
 */
export function verifyDecisions(options: DecisionsOptions): PartReport {
  const { journals, keys = noKeys, shard = { index: 0, of: 1 } } = options;
  const findings = new Findings('decisions');
  // The policies of every shard are read by each; what is wrong with them is said by the first alone.
  const policies = new PolicyRecords(shard.index === 0 ? findings : new Findings('decisions'));
  for (const writer of listWriters(journals)) {
    for (const frame of framesOf(journals, writer, PolicyRecords.concerns)) {
      policies.add(frame, openBody(frame.entry, frame.stored(), keys));
    }
  }
  checkShredded(policies, keys, shard.index === 0 ? findings : new Findings('decisions'));
  const own = (bytes: Buffer, number: number): boolean =>
    Math.floor(number / shardEntries) % shard.of === shard.index && bytes.includes('"type":"decision"');
  for (const writer of listWriters(journals)) {
    for (const frame of framesOf(journals, writer, own)) {
      if (frame.entry.type === 'decision') verifyDecision(frame, policies, { ...options, keys }, findings);
    }
  }
  return findings.report();
}

function verifyDecision(
  frame: Frame,
  policies: PolicyRecords,
  { keys, replay }: { readonly keys: BodyKeys; readonly replay: Replay },
  findings: Findings,
): void {
  const { entry } = frame;
  findings.count('decisions');
  const opened = openBody(entry, frame.stored(), keys);
  const body = opened.kind === 'open' ? parseObject(opened.bytes) : null;
  if (opened.kind === 'wrong') {
    findings.fail(frame.failure('seal', opened.why));
    return;
  }
  if (opened.kind === 'gone' && opened.missing !== undefined && !policies.shredded.has(opened.missing)) {
    findings.fail(frame.failure('key', `${opened.missing} is gone, and no entry says that it was shredded`));
    return;
  }
  const gone = opened.kind === 'gone' ? opened.why : goneWith(entry, policies);
  if (gone !== null) {
    notReplayable(findings, gone);
    return;
  }
  if (body === null) {
    findings.fail(frame.failure('record', 'the body is no record of a decision'));
    return;
  }
  const replayed = replay({ entry, body }, policies);
  if (replayed.kind === 'same') findings.count('same');
  else if (replayed.kind === 'differs') findings.fail(frame.failure(replayed.code, replayed.detail));
  else notReplayable(findings, replayed.why);
}

/** What is said to be shredded must not open. */
function checkShredded(policies: PolicyRecords, keys: BodyKeys, findings: Findings): void {
  for (const [key, frame] of policies.shredded) {
    findings.count('shredded');
    if (typeof keys.find(key) !== 'string')
      findings.fail(frame.failure('shred', `${key} is said to be gone, and opens`));
  }
}

function goneWith({ session, data }: Entry, policies: PolicyRecords): string | null {
  const { generation, revision } = data;
  if (session === null || typeof generation !== 'number' || typeof revision !== 'number') return null;
  return policies.whyGone(session, revision, generation);
}

function notReplayable(findings: Findings, why: string): void {
  findings.count('notReplayable');
  findings.leave(`not replayable: ${why}`);
}
