import type { Entry } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import { type BodyKeys, openBody } from '../seal/open.ts';
import type { Frame } from './frames.ts';
import type { People } from './people.ts';
import { parseObject } from './policies.ts';
import type { RecordedDecision, RecordedPolicies } from './replay.ts';
import type { Findings } from './report.ts';

/** One use of an endorsement, as the ledger tells it; nothing about the signatures has been believed. */
export interface RecordedEndorsement {
  readonly id: string;
  /** The question that it was made from. */
  readonly hold: unknown;
  readonly envelopes: readonly unknown[];
  /** Who was known then, by which keys. */
  readonly directory: People['known'];
  readonly at: string;
  /** Before this use. */
  readonly used: { readonly uses: number; readonly bytes: number };
  /** What was counted for it. */
  readonly bytes: unknown;
  /** What it stood for, and what policy asked for without it. */
  readonly named: unknown;
  readonly rung: unknown;
  readonly groups: unknown;
}

/** By which signed records people had named who got what this decision allowed; a text says why they do not count. */
export type JudgeEndorsement = (
  use: RecordedEndorsement,
  decision: RecordedDecision,
  policies: RecordedPolicies,
) => { readonly ids: readonly string[]; readonly groups: readonly string[] } | string;

interface Made {
  readonly hold: string;
  readonly envelopes: unknown[];
  uses: number;
  bytes: number;
  gone: string | null;
  /** It is over: nothing may use it from here on. */
  over: string | null;
}

interface Use extends RecordedEndorsement {
  readonly gone: string | null;
  told: boolean;
}

/** What people have named for a time, in the order in which the control plane recorded it. */
export class RecordedEndorsements {
  readonly #findings: Findings;
  readonly #made = new Map<string, Made>();
  readonly #uses = new Map<string, Use>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  add(
    frame: Frame,
    keys: BodyKeys,
    known: { readonly directory: People['known']; readonly holdOf: (id: string) => unknown },
  ): void {
    if (frame.entry.type === 'endorsement.used') this.#addUse(frame, keys, known);
    else this.#addMade(frame, keys);
  }

  useOf(entry: Entry): Use | null {
    const use = this.#uses.get(textOf(entry, 'attempt') ?? '') ?? null;
    if (use !== null) use.told = true;
    return use;
  }

  untold(): number {
    return [...this.#uses.values()].filter(({ told }) => !told).length;
  }

  #addMade(frame: Frame, keys: BodyKeys): void {
    const { data } = frame.entry;
    const id = String(data['id']);
    const known = this.#made.get(id);
    if (data['act'] !== 'sign') {
      if (known !== undefined) known.over = String(data['act']);
      return;
    }
    this.#findings.count('endorsements', known === undefined ? 1 : 0);
    const hold = String(data['hold']);
    const made = known ?? { hold, envelopes: [], uses: 0, bytes: 0, gone: null, over: null };
    this.#made.set(id, made);
    const opened = openBody(frame.entry, frame.stored(), keys);
    if (opened.kind === 'open') made.envelopes.push(parseObject(opened.bytes)?.['envelope']);
    else made.gone = opened.why;
  }

  #addUse(
    frame: Frame,
    keys: BodyKeys,
    { directory, holdOf }: { readonly directory: People['known']; readonly holdOf: (id: string) => unknown },
  ): void {
    const { data, at } = frame.entry;
    this.#findings.count('endorsedUses');
    const id = String(data['id']);
    const attempt = String(data['attempt']);
    const made = this.#made.get(id);
    const hold = made === undefined ? undefined : holdOf(made.hold);
    if (made === undefined || hold === undefined) {
      this.#findings.fail(frame.failure('endorsement', 'the use of an endorsement that is not on record'));
      return;
    }
    if (made.over !== null)
      this.#findings.fail(frame.failure('use', `the endorsement was ${made.over} before it was used`));
    if (this.#uses.has(attempt)) this.#findings.fail(frame.failure('use', `${attempt} used two endorsements`));
    const { bytes, rung, groups } = data;
    const opened = openBody(frame.entry, frame.stored(), keys);
    const named = opened.kind === 'open' ? parseObject(opened.bytes)?.['named'] : undefined;
    const gone = made.gone ?? (opened.kind === 'open' ? null : opened.why);
    const used = { uses: made.uses, bytes: made.bytes };
    const envelopes = [...made.envelopes];
    const use = { id, hold, envelopes, directory, at, used, bytes, named, rung, groups, gone, told: false };
    this.#uses.set(attempt, use);
    made.uses += 1;
    made.bytes += Number(bytes);
  }
}
