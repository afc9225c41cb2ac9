import { canonicalize, type RecordValue } from '@cordon/protocol';
import { type BodyKeys, openBody } from '../seal/open.ts';
import type { Frame } from './frames.ts';
import { type PolicyRecords, parseObject } from './policies.ts';
import type { Findings } from './report.ts';
import type { JudgeApproval, RecordedUse } from './use.ts';

/** A purse that was raised: by a use of signed answers, and by what those were asked for. */
export function checkRaise(
  frame: Frame,
  use: (RecordedUse & { readonly gone: string | null }) | null,
  {
    judge,
    keys,
    policies,
  }: { readonly judge: JudgeApproval; readonly keys: BodyKeys; readonly policies: PolicyRecords },
  findings: Findings,
): void {
  const { entry } = frame;
  findings.count('raised');
  if (use === null) {
    findings.fail(frame.failure('unapproved', 'a budget was raised, and no use of an answer is on record'));
    return;
  }
  const opened = openBody(entry, frame.stored(), keys);
  const gone = opened.kind === 'open' ? use.gone : opened.why;
  if (opened.kind !== 'open' || gone !== null) {
    findings.leave(`not looked at: ${gone}`);
    return;
  }
  const body = parseObject(opened.bytes);
  const { account, unit, window, max, by } = entry.data;
  const intent = body?.['intent'] as { readonly resource?: RecordValue; readonly args?: RecordValue } | undefined;
  const asked = canonicalize([intent?.resource ?? null, intent?.args ?? null]);
  const judged = body === null ? 'its body cannot be read' : judge(use, { entry, body }, policies);
  if (typeof judged === 'string') findings.fail(frame.failure('approval', judged));
  else if (asked !== canonicalize([account, { unit, window, max, by }] as RecordValue)) {
    findings.fail(frame.failure('approval', 'a budget was raised by something else than people were asked for'));
  }
}
