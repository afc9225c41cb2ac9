import {
  type BodyKeys,
  Findings,
  type Frame,
  framesOf,
  listWriters,
  noKeys,
  openBody,
  type PartReport,
  PolicyRecords,
} from '@cordon/ledger';
import type { Entry, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import { BudgetSums, type Spender } from './budgets.ts';
import { SessionDenials } from './denials.ts';
import { type CountedDecision, numberIn, textIn, toCounted } from './entry.ts';
import { SessionRates } from './rates.ts';
import { Destinations } from './sinks.ts';

const types = ['decision', 'outcome', 'breaker', 'recovery'].map((type) => `"type":"${type}"`);
const concerns = (bytes: Buffer): boolean => types.some((type) => bytes.includes(type));
const orders = (bytes: Buffer): boolean => PolicyRecords.concerns(bytes) || bytes.includes('"type":"budget"');

/** Who a session is for, and what the policies of each generation and revision say of budgets. */
interface Known {
  readonly policies: PolicyRecords;
  readonly persons: ReadonlyMap<string, string>;
  /** What people added to budgets, by account and unit. */
  readonly raised: ReadonlyMap<string, number>;
}

/**
 * What stood outside of `authorize` and went into it as facts, counted again from what is on record: breakers of sessions
 * and of destinations, rates, budgets. Names what was allowed although its counter said no. A counter that begins anew
 * with its gateway begins anew here; where the record allows only a bound, only what is beyond the bound is named.
 */
export function verifyCounters(journals: string, keys: BodyKeys = noKeys): PartReport {
  const findings = new Findings('counters');
  const known = knownOf(journals, keys);
  const gateways = listWriters(journals).filter((writer) => hasDecisions(journals, writer));
  // Which of two gateways was first is on record nowhere, so what they spent together cannot be summed up.
  const budgets = gateways.length === 1 ? new BudgetSums(known.raised) : null;
  if (gateways.length > 1) findings.leave('not counted again: budgets of several gateways');
  for (const writer of gateways) {
    const gateway = new Gateway(findings, known, budgets);
    for (const frame of framesOf(journals, writer, concerns)) gateway.add(frame);
  }
  return findings.report();
}

/** One gateway's journal, one life after the other. */
class Gateway {
  readonly #findings: Findings;
  readonly #known: Known;
  readonly #budgets: BudgetSums | null;
  #denials = new Map<string, SessionDenials>();
  #rates = new Map<string, SessionRates>();
  #destinations = new Destinations();
  #resources = new Map<string, string>();
  /** Ways that a breaker closed in an earlier life. */
  #closed = new Map<string, ReadonlySet<string>>();

  constructor(findings: Findings, known: Known, budgets: BudgetSums | null) {
    this.#findings = findings;
    this.#known = known;
    this.#budgets = budgets;
  }

  add(frame: Frame): void {
    const { entry } = frame;
    if (entry.type === 'recovery' && entry.data['part'] === 1) this.#begin();
    else if (entry.type === 'decision') this.#addDecision(frame);
    else if (entry.type === 'breaker') this.#addBreaker(frame);
    else if (entry.type === 'outcome') this.#addOutcome(frame);
  }

  /** Level 2 stays until a person resets it; all else lives as long as its gateway. */
  #begin(): void {
    for (const [session, denials] of this.#denials) this.#closed.set(session, denials.closed());
    this.#denials = new Map();
    this.#rates = new Map();
    this.#destinations = new Destinations();
    this.#resources = new Map();
    this.#budgets?.forgetOpen();
  }

  #denialsOf(session: string): SessionDenials {
    let denials = this.#denials.get(session);
    if (denials === undefined) {
      denials = new SessionDenials(this.#closed.get(session) ?? new Set());
      this.#denials.set(session, denials);
    }
    return denials;
  }

  #addDecision(frame: Frame): void {
    const { entry } = frame;
    const decision = toCounted(entry);
    if (decision === null) {
      if (entry.session !== null) this.#denialsOf(entry.session).lose();
      this.#findings.leave('not counted again: decisions of before counters were recorded');
      return;
    }
    this.#findings.count('decisions');
    const denials = this.#denialsOf(decision.session);
    if (decision.outcome === 'allow') this.#checkAllow(frame, decision, denials);
    denials.addDenial(decision);
    denials.saw(decision);
    if (denials.lost) this.#findings.leave('not counted again: the breaker of a session');
  }

  #checkAllow(frame: Frame, decision: CountedDecision, denials: SessionDenials): void {
    this.#resources.set(decision.attempt, decision.resource);
    const fail = (code: string, detail: string | null): void => {
      if (detail !== null) this.#findings.fail(frame.failure(code, detail));
    };
    fail('breaker', denials.check(decision) ?? this.#destinations.check(decision));
    if (decision.rates.length > 0) {
      const rates = this.#rates.get(decision.session) ?? new SessionRates();
      this.#rates.set(decision.session, rates);
      this.#findings.count('rates', decision.rates.length);
      fail('rate', rates.take(decision));
    }
    const spender = this.#budgets === null ? null : this.#spenderOf(frame.entry, decision);
    if (spender !== null) fail('budget', this.#budgets?.take(decision, spender) ?? null);
  }

  /** Null, and said so, when the policy that it was decided under cannot be read. */
  #spenderOf({ tenant }: Entry, { session, generation, revision }: CountedDecision): Spender | null {
    const policy = this.#known.policies.tenant(generation) as TenantPolicy | null;
    const own = this.#known.policies.session(session, revision) as SessionPolicy | null;
    if (policy === null || own === null) {
      this.#findings.leave('not counted again: budgets under a policy that cannot be read');
      if (policy === null) return null;
    }
    const person = own?.person ?? this.#known.persons.get(session) ?? '';
    return { tenant, person, said: policy.budgets ?? {}, own: own?.budget };
  }

  #addBreaker(frame: Frame): void {
    const { entry } = frame;
    const { act, tick } = entry.data;
    this.#findings.count('breakers');
    if (typeof tick !== 'number') {
      if (entry.session !== null) this.#denialsOf(entry.session).lose();
    } else if (act === 'close' || act === 'open' || entry.session === null) this.#destinations.addBreaker(entry);
    else {
      const wrong = this.#denialsOf(entry.session).addBreaker(entry);
      if (wrong !== null) this.#findings.fail(frame.failure('breaker', wrong));
    }
  }

  #addOutcome(frame: Frame): void {
    const { data } = frame.entry;
    const attempt = textIn(data['attempt']);
    const resource = this.#resources.get(attempt);
    this.#resources.delete(attempt);
    this.#budgets?.settle(attempt, data);
    if (resource === undefined) return;
    const wrong = this.#destinations.addOutcome(frame.entry, resource);
    if (wrong !== null) this.#findings.fail(frame.failure('breaker', wrong));
  }
}

function knownOf(journals: string, keys: BodyKeys): Known {
  const policies = new PolicyRecords(new Findings('counters'));
  const persons = new Map<string, string>();
  const raised = new Map<string, number>();
  for (const writer of listWriters(journals)) {
    for (const frame of framesOf(journals, writer, orders)) {
      policies.add(frame, openBody(frame.entry, frame.stored(), keys));
      const { session, type, data } = frame.entry;
      if (type === 'budget' && data['act'] === 'raised') {
        const key = `${textIn(data['account'])} ${textIn(data['unit'])}`;
        raised.set(key, (raised.get(key) ?? 0) + numberIn(data['by']));
      }
      if (session !== null && typeof data['person'] === 'string') persons.set(session, data['person']);
    }
  }
  return { policies, persons, raised };
}

function hasDecisions(journals: string, writer: string): boolean {
  for (const _ of framesOf(journals, writer, (bytes) => bytes.includes('"type":"decision"'))) return true;
  return false;
}
