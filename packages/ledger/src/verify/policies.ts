import type { RecordValue } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import type { OpenedBody } from '../seal/open.ts';
import { type Frame, mayBe } from './frames.ts';
import type { RecordedPolicies } from './replay.ts';
import type { Findings } from './report.ts';

const policyTypes: ReadonlySet<string> = new Set(['policy', 'session.start', 'shred']);

type Kept =
  | { readonly kind: 'policy'; readonly value: unknown; readonly digest: string }
  | { readonly kind: 'gone'; readonly why: string };

/** The policies that `policy` and `session.start` entries put on record, by the numbers that decisions name. */
export class PolicyRecords implements RecordedPolicies {
  readonly #findings: Findings;
  readonly #tenant = new Map<number, Kept>();
  readonly #sessions = new Map<string, Kept>();
  readonly #signers = new Map<number, readonly RecordValue[]>();
  readonly #starters = new Map<string, string>();
  /** Keys that an entry says are gone. */
  readonly shredded = new Map<string, Frame>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** A cheap look, so that most entries are never parsed: canonical JSON writes each type in one way only. */
  static concerns(bytes: Buffer): boolean {
    return mayBe(bytes, policyTypes);
  }

  add(frame: Frame, body: OpenedBody): void {
    const { entry } = frame;
    const key = entry.type === 'shred' ? textOf(entry, 'key') : null;
    if (key !== null) this.shredded.set(key, frame);
    if (entry.type === 'session.start' && textOf(entry, 'phase') === 'order') {
      this.#keepSession(frame, body, numberOf(entry.data['revision']) ?? 1);
      this.#starters.set(entry.session ?? '', textOf(entry, 'by') ?? '');
    } else if (entry.type === 'policy' && entry.session !== null) {
      this.#keepSession(frame, body, numberOf(entry.data['revision']) ?? 0);
    } else if (entry.type === 'policy') {
      const generation = numberOf(entry.data['generation']);
      if (generation !== null && entry.seal !== null) this.#keepTenant(frame, generation, body);
      const { signedBy } = entry.data;
      if (generation !== null && Array.isArray(signedBy)) this.#signers.set(generation, signedBy);
    }
  }

  tenant(generation: number): unknown {
    return contentOf(this.#tenant.get(generation));
  }

  session(session: string, revision: number): unknown {
    return contentOf(this.#sessions.get(`${session} ${revision}`));
  }

  signers(generation: number): readonly RecordValue[] {
    return this.#signers.get(generation) ?? [];
  }

  starter(session: string): string | null {
    return this.#starters.get(session) ?? null;
  }

  /** Why a policy that an entry does name cannot be read; null when no entry names it, or it can be. */
  whyGone(session: string, revision: number, generation: number): string | null {
    for (const kept of [this.#tenant.get(generation), this.#sessions.get(`${session} ${revision}`)]) {
      if (kept?.kind === 'gone') return kept.why;
    }
    return null;
  }

  #keepTenant(frame: Frame, generation: number, body: OpenedBody): void {
    const kept = toKept(frame, body, 'policy');
    const before = this.#tenant.get(generation);
    // One number, two contents: what was decided by it could be shown as allowed by the other.
    if (before?.kind === 'policy' && kept.kind === 'policy' && before.digest !== kept.digest) {
      this.#findings.fail(frame.failure('generation', `generation ${generation} was put in force with two contents`));
      return;
    }
    this.#tenant.set(generation, kept);
    this.#findings.count('generations');
  }

  #keepSession(frame: Frame, body: OpenedBody, revision: number): void {
    this.#sessions.set(`${frame.entry.session} ${revision}`, toKept(frame, body, 'policy'));
  }
}

function toKept(frame: Frame, body: OpenedBody, member: string): Kept {
  if (body.kind !== 'open') return { kind: 'gone', why: body.why };
  const parsed = parseObject(body.bytes);
  if (parsed === null) return { kind: 'gone', why: 'the body of a policy is no JSON' };
  return { kind: 'policy', value: parsed[member] ?? parsed, digest: frame.entry.seal?.digest ?? '' };
}

function contentOf(kept: Kept | undefined): unknown {
  return kept?.kind === 'policy' ? kept.value : null;
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** Null for what is no JSON object. */
export function parseObject(bytes: Buffer): { readonly [member: string]: unknown } | null {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as { readonly [member: string]: unknown })
      : null;
  } catch {
    return null;
  }
}
