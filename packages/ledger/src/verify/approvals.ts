import type { Entry } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import { listWriters } from '../journal/segment.ts';
import { type BodyKeys, noKeys, openBody } from '../seal/open.ts';
import { type JudgeEndorsement, type RecordedEndorsement, RecordedEndorsements } from './endorsements.ts';
import { type Frame, framesOf } from './frames.ts';
import { People } from './people.ts';
import { PolicyRecords, parseObject } from './policies.ts';
import { checkRaise } from './raises.ts';
import type { RecordedDecision } from './replay.ts';
import { Findings, type PartReport } from './report.ts';
import type { JudgeApproval, RecordedUse } from './use.ts';

export interface ApprovalsOptions {
  readonly journals: string;
  readonly judge: JudgeApproval;
  readonly judgeEndorsement: JudgeEndorsement;
  readonly keys?: BodyKeys;
}

interface HoldRecord {
  readonly record: unknown;
  readonly envelopes: unknown[];
  used: number;
  /** Why an answer to it cannot be read any more. */
  gone: string | null;
  /** It is over: nothing may use it from here on. */
  over: string | null;
}

interface Use extends RecordedUse {
  readonly frame: Frame;
  readonly gone: string | null;
  told: boolean;
}

const concerns = (bytes: Buffer): boolean =>
  PolicyRecords.concerns(bytes) ||
  ['"type":"hold"', '"type":"approval', '"type":"endorsement', '"act":"people.'].some((at) => bytes.includes(at));

/** Whoever was let through by people: signatures, people, quorum, uses, over the very bytes that were allowed. */
export function verifyApprovals({ journals, judge, judgeEndorsement, keys = noKeys }: ApprovalsOptions): PartReport {
  const findings = new Findings('approvals');
  const policies = new PolicyRecords(new Findings('approvals'));
  const holds = new Holds(findings);
  for (const writer of listWriters(journals)) {
    for (const frame of framesOf(journals, writer, concerns)) {
      policies.add(frame, openBody(frame.entry, frame.stored(), keys));
      holds.add(frame, keys);
    }
  }
  for (const writer of listWriters(journals)) {
    for (const frame of framesOf(journals, writer, (bytes) => bytes.includes('"type":"decision"'))) {
      if (frame.entry.data['outcome'] === 'allow')
        checkAllow(frame, holds, { judge, judgeEndorsement, keys, policies }, findings);
    }
    for (const frame of framesOf(journals, writer, (bytes) => bytes.includes('"type":"budget"'))) {
      if (frame.entry.data['act'] !== 'raised') continue;
      checkRaise(frame, holds.useOf(frame.entry), { judge, keys, policies }, findings);
    }
  }
  findings.count('usesWithoutEffect', holds.untold());
  return findings.report();
}

interface Judges {
  readonly judge: JudgeApproval;
  readonly judgeEndorsement: JudgeEndorsement;
  readonly keys: BodyKeys;
  readonly policies: PolicyRecords;
}

function checkAllow(frame: Frame, holds: Holds, judges: Judges, findings: Findings): void {
  const { entry } = frame;
  const opened = openBody(entry, frame.stored(), judges.keys);
  const use = holds.useOf(entry);
  const endorsed = holds.endorsements.useOf(entry);
  if (opened.kind !== 'open') {
    findings.leave(`not looked at: ${opened.why}`);
    return;
  }
  // Almost nothing is let through by people; what is not need not be read.
  const body = opened.bytes.includes('"approval":') ? parseObject(opened.bytes) : null;
  const approval = body?.['approval'] as
    | { readonly quorum?: unknown; readonly ids?: unknown; readonly groups?: unknown }
    | undefined;
  if (body === null || approval === undefined) {
    if (use !== null || endorsed !== null)
      findings.fail(frame.failure('approval', 'a use is on record, and the decision knows of no approval'));
    return;
  }
  const byName = approval.quorum === 0;
  findings.count(byName ? 'endorsed' : 'approved');
  const used = byName ? endorsed : use;
  if (used === null) {
    findings.fail(frame.failure('unapproved', 'says that people approved it, and no use of their answer is on record'));
    return;
  }
  if (used.gone !== null) {
    findings.leave(`not looked at: ${used.gone}`);
    return;
  }
  const judged = judgeUse({ use, endorsed: byName ? endorsed : null }, { entry, body }, judges);
  if (typeof judged === 'string') {
    findings.fail(frame.failure('approval', judged));
    return;
  }
  const same =
    judged.quorum === approval.quorum &&
    JSON.stringify(judged.ids) === JSON.stringify(approval.ids) &&
    JSON.stringify(judged.groups) === JSON.stringify(approval.groups ?? []);
  if (!same) findings.fail(frame.failure('approval', 'the signed answers are not those that it was allowed by'));
}

function judgeUse(
  { use, endorsed }: { readonly use: RecordedUse | null; readonly endorsed: RecordedEndorsement | null },
  decision: RecordedDecision,
  { judge, judgeEndorsement, policies }: Judges,
): ReturnType<JudgeApproval> {
  if (endorsed !== null) {
    const judged = judgeEndorsement(endorsed, decision, policies);
    return typeof judged === 'string' ? judged : { ...judged, quorum: 0 };
  }
  return use === null ? 'no use is on record' : judge(use, decision, policies);
}

class Holds {
  readonly #findings: Findings;
  readonly #people = new People();
  readonly #holds = new Map<string, HoldRecord>();
  readonly #uses = new Map<string, Use>();
  readonly endorsements: RecordedEndorsements;

  constructor(findings: Findings) {
    this.#findings = findings;
    this.endorsements = new RecordedEndorsements(findings);
  }

  add(frame: Frame, keys: BodyKeys): void {
    const { entry } = frame;
    if (entry.type === 'admin') this.#people.add(entry);
    else if (entry.type === 'hold') this.#addHold(entry);
    else if (entry.type === 'approval') this.#addAnswer(frame, keys);
    else if (entry.type === 'approval.used') this.#addUse(frame);
    else if (entry.type === 'endorsement' || entry.type === 'endorsement.used') this.#addEndorsement(frame, keys);
  }

  useOf(entry: Entry): Use | null {
    const use = this.#uses.get(textOf(entry, 'attempt') ?? '') ?? null;
    if (use !== null) use.told = true;
    return use;
  }

  /** A crash between a use and its effect costs the use. */
  untold(): number {
    return [...this.#uses.values()].filter(({ told }) => !told).length + this.endorsements.untold();
  }

  #addEndorsement(frame: Frame, keys: BodyKeys): void {
    const holdOf = (id: string): unknown => this.#holds.get(id)?.record;
    this.endorsements.add(frame, keys, { directory: this.#people.known, holdOf });
  }

  #addHold({ data }: Entry): void {
    const { act, record, hold } = data;
    if (act !== 'open') {
      const known = this.#holds.get(String(hold));
      if (known !== undefined) known.over = String(act);
      return;
    }
    this.#findings.count('holds');
    const id = (record as { readonly id?: unknown } | undefined)?.id;
    this.#holds.set(String(id), { record, envelopes: [], used: 0, gone: null, over: null });
  }

  #addAnswer(frame: Frame, keys: BodyKeys): void {
    this.#findings.count('answers');
    const hold = this.#holds.get(String(frame.entry.data['hold']));
    if (hold === undefined) {
      this.#findings.fail(frame.failure('hold', 'an answer to a question that is not on record'));
      return;
    }
    const opened = openBody(frame.entry, frame.stored(), keys);
    const body = opened.kind === 'open' ? parseObject(opened.bytes) : null;
    if (opened.kind !== 'open') hold.gone = opened.why;
    else hold.envelopes.push(body?.['envelope']);
  }

  #addUse(frame: Frame): void {
    const { data, at } = frame.entry;
    this.#findings.count('uses');
    const hold = this.#holds.get(String(data['hold']));
    const attempt = String(data['attempt']);
    if (hold === undefined) {
      this.#findings.fail(frame.failure('hold', 'the use of a question that is not on record'));
      return;
    }
    if (hold.over !== null)
      this.#findings.fail(frame.failure('use', `the question was ${hold.over} before it was used`));
    if (this.#uses.has(attempt)) this.#findings.fail(frame.failure('use', `${attempt} used two answers`));
    const { record, used, gone } = hold;
    const use = { hold: record, envelopes: [...hold.envelopes], directory: this.#people.known, at, used, gone };
    this.#uses.set(attempt, { ...use, frame, told: false });
    hold.used += 1;
  }
}
