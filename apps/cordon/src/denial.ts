import type { Decision, RefusedRequest } from '@cordon/protocol';
import { type painter, visible } from './text.ts';

/** One thing that did not happen, however often it was tried. */
export interface Denial {
  /** Equal for what a reader would call the same. */
  readonly key: string;
  readonly session: string;
  readonly title: string;
  readonly code: string;
  /** Which rule or layer said no, and why. */
  readonly words: string;
  readonly steps: readonly string[];
  /** A grant of the session may mend it. */
  readonly grantable: boolean;
  count: number;
  readonly first: string;
  last: string;
}

export function denialOfDecision(decision: Decision): Denial {
  const { attempt, session, at, summary, reasons, next, outcome, result } = decision;
  const code = outcome === 'allow' ? (result ?? decision.code) : decision.code;
  const explain = `cordon policy explain ${attempt}`;
  return {
    key: JSON.stringify([session, code, summary, reasons]),
    session,
    title: summary,
    code,
    words: wordsOf(decision, code),
    steps: next.includes(explain) || next.some((step) => step.includes(attempt)) ? next : [...next, explain],
    grantable: code === 'no-grant' && reasons.includes('session'),
    count: 1,
    first: at,
    last: at,
  };
}

export function denialOfRefusal({ at, session, code, detail, suppressed }: RefusedRequest): Denial {
  return {
    key: JSON.stringify([session, code, detail]),
    session,
    title: 'refused before a decision',
    code,
    words: detail,
    steps: code === 'tls-client-refused' ? [`cordon policy suggest ${session}`] : [],
    grantable: code === 'tls-client-refused',
    count: 1 + suppressed,
    first: at,
    last: at,
  };
}

function wordsOf({ reasons, outcome }: Decision, code: string): string {
  const named = reasons.join(', ');
  if (outcome === 'allow')
    return `${placeWords[code] ?? 'the destination is not one that is dialled'}; policy had allowed it`;
  if (code === 'no-grant') {
    const layers = reasons.map((layer) => (layer === 'session' ? "the session's own grants" : `the ${layer}'s policy`));
    return `${layers.join(' and ')} ${layers.length === 1 && reasons[0] !== 'session' ? 'does' : 'do'} not permit it (nothing forbids it)`;
  }
  const words = decisionWords[code];
  if (words === undefined) return named === '' ? 'denied' : named;
  return named === '' ? words : `${words}: ${named}`;
}

const placeWords: Readonly<Record<string, string>> = {
  'address-forbidden': 'the address is private, of this host, or reserved',
  'name-forbidden': 'the name stands for a forbidden address, or serves credentials',
  'port-forbidden': 'the port is reserved for grants of the tenant',
};

/** codes.md in half a line each; what is not here speaks by its reasons. */
const decisionWords: Readonly<Record<string, string>> = {
  forbidden: 'a policy forbids it, and no grant lifts that',
  'flow-R0': 'a core rule forbids it, and nobody lifts those',
  'over-limit': 'the body is larger than the grant allows',
  'obligation-unknown': 'the grant asks for a duty that is not kept here',
  'policy-error': 'a policy failed while it was evaluated',
  'request-invalid': 'the request could not be judged',
  'slice-incomplete': 'the host could not be placed among its domains',
  'stale-policy': 'the policy is expired, or the control plane was silent',
  'session-stopped': 'the session was stopped',
  'slow-decision': 'deciding took too long, twice',
  'secret-misplaced': 'a secret stood where it may not be used',
  'credential-unavailable': 'a secret could not be had',
  'rate-limited': 'the rate of the grant was used up',
  'approval-unsatisfiable': 'nobody could approve it',
};

/** How many different ones are remembered; the oldest is forgotten, and shown anew if it comes again. */
const rememberedMax = 10_000;

/** Denials by what a reader would call the same. */
export class Denials {
  readonly #known = new Map<string, Denial>();

  /** The one that is kept for it, and whether it is new. */
  add(denial: Denial): { readonly kept: Denial; readonly fresh: boolean } {
    const known = this.#known.get(denial.key);
    if (known !== undefined) {
      known.count += denial.count;
      if (denial.last > known.last) known.last = denial.last;
      return { kept: known, fresh: false };
    }
    const [oldest] = this.#known.keys();
    if (this.#known.size >= rememberedMax && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(denial.key, denial);
    return { kept: denial, fresh: true };
  }

  /** In the order in which each was last seen. */
  all(): readonly Denial[] {
    return [...this.#known.values()].sort((a, b) => (a.last < b.last ? -1 : 1));
  }
}

export function denialText(denial: Denial, paint: ReturnType<typeof painter>): string {
  const { title, code, words, steps, count, first, last } = denial;
  const when = count === 1 || clock(first) === clock(last) ? clock(last) : `${clock(first)} to ${clock(last)}`;
  const times = count === 1 ? when : `×${count}, ${when}`;
  const lines = [
    `${paint('bold', visible(title))}  ${paint('dim', times)}`,
    `    ${paint('red', visible(code))}: ${visible(words)}`,
    ...steps.map((step) => `    → ${visible(step)}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** One line for those that came again since the last look. */
export function againText(denial: Denial, more: number, paint: ReturnType<typeof painter>): string {
  return `${paint('dim', `${clock(denial.last)} again ×${more} (${denial.count} in all):`)} ${visible(denial.title)} ${paint('red', visible(denial.code))}\n`;
}

/** What a reader does next. */
export function footer(denials: readonly Denial[]): string {
  if (denials.length === 0) return 'nothing was denied\n';
  const attempts = denials.reduce((sum, { count }) => sum + count, 0);
  const lines = ['', `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}, ${denials.length} different`];
  const grantable = [...new Set(denials.filter((denial) => denial.grantable).map((denial) => denial.session))];
  if (grantable.length > 0) {
    lines.push(`→ cordon policy suggest ${grantable.slice(0, 3).join(' ')}   the narrowest grants for these`);
  }
  lines.push('→ cordon policy explain ATTEMPT   every layer, reason and fact of one');
  return `${lines.join('\n')}\n`;
}

/** `2026-11-21T14:02:11.100Z` → `2026-11-21 14:02:11`, UTC as in every record. */
function clock(at: string): string {
  return at.replace('T', ' ').slice(0, 19);
}
