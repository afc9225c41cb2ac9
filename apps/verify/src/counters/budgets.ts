import type { Budget, Budgets as Said } from '@cordon/protocol';
import type { CountedDecision } from './entry.ts';

/** What this counts again: each request once, and bytes of bodies, both ways. */
const units = ['requests', 'bytes'] as const;
type Unit = (typeof units)[number];
type Amounts = Readonly<Record<Unit, number>>;

/** Whose purses a session pays from, and what they hold. */
export interface Spender {
  readonly tenant: string;
  readonly person: string;
  readonly said: Said;
  readonly own: Budget | undefined;
}

interface Purse {
  readonly per: Budget['per'];
  readonly max: number;
  /** Sessions that were older than this limit may hold slices of before it. */
  readonly since: number;
  readonly firstDay: number;
  /** Of each session, what must have been handed out to it: all that it had spent when it was last let through. */
  readonly given: Map<string, number>;
  total: number;
}

interface Spent {
  /** How many sessions were there before it. */
  readonly number: number;
  decisions: number;
  /** Paid before it went out. */
  readonly amounts: Record<Unit, number>;
  /** Bytes of answers, paid as they passed. */
  passed: number;
}

interface Paid extends Amounts {
  readonly session: string;
  readonly action: string;
}

const dayMs = 24 * 3600_000;

/**
 * Budgets, counted again: the sum of what sessions had certainly spent when they were let through never exceeds what
 * there was to hand out. Slices themselves are not on record, so this is a lower bound: a gateway that pays nothing at all
 * is found, one that overspends by less than what others hold in their hands is not.
 */
export class BudgetSums {
  readonly #purses = new Map<string, Purse>();
  readonly #sessions = new Map<string, Spent>();
  readonly #paid = new Map<string, Paid>();
  /** What people added to an account, by account and unit. */
  readonly #raised: ReadonlyMap<string, number>;
  /** Purses of each session, to take back from what was never sent. */
  readonly #of = new Map<string, Set<string>>();

  constructor(raised: ReadonlyMap<string, number>) {
    this.#raised = raised;
  }

  /** Of an allow: null, or which purse was empty. */
  take(decision: CountedDecision, { tenant, person, said, own }: Spender): string | null {
    const { session, agent, action, attempt, bytes } = decision;
    const cost = { requests: action === 'http.message' ? 0 : 1, bytes };
    const spent = this.#spentOf(session);
    spent.decisions += 1;
    for (const unit of units) spent.amounts[unit] += cost[unit];
    this.#paid.set(attempt, { session, action, ...cost });
    const purses: ReadonlyArray<readonly [string, Budget | undefined]> = [
      [`tenant/${tenant}`, said.tenant],
      [`person/${person}`, said.person],
      [`agent/${agent}`, said.agent],
      [`session/${session}`, said.session],
      [`session/${session}/own`, own],
    ];
    // Where leaks are paid too, a request waits for that behind its own payment, and answers may pass meanwhile.
    const passed = purses.some(([, budget]) => budget?.leak != null) ? 0 : spent.passed;
    let over: string | null = null;
    for (const [account, budget] of purses) {
      for (const unit of units) over = this.#put(account, unit, budget, { decision, spent, passed }) ?? over;
    }
    return over;
  }

  /** What came of it: the rest of what it cost, or, where the server cannot have it, nothing at all. */
  settle(attempt: string, data: Readonly<Record<string, unknown>>): void {
    const paid = this.#paid.get(attempt);
    this.#paid.delete(attempt);
    if (paid === undefined) return;
    const { session, action } = paid;
    const spent = this.#spentOf(session);
    const exchange = action === 'http.request' || action === 'http.upgrade';
    if (exchange && data['status'] === null && data['doubt'] === false) {
      for (const unit of units) this.#giveBack(session, unit, paid[unit]);
      return;
    }
    const [bytesIn, bytesOut] = [Number(data['bytesIn'] ?? 0), Number(data['bytesOut'] ?? 0)];
    if (exchange) spent.passed += bytesIn;
    else if (action === 'http.tunnel') spent.passed += bytesIn + bytesOut;
  }

  /** A gateway that ended has spent what it had not told about. */
  forgetOpen(): void {
    this.#paid.clear();
  }

  #giveBack(session: string, unit: Unit, amount: number): void {
    this.#spentOf(session).amounts[unit] -= amount;
    for (const key of this.#of.get(session) ?? []) {
      const purse = this.#purses.get(key);
      const given = purse?.given.get(session);
      if (purse === undefined || given === undefined || !key.endsWith(` ${unit}`)) continue;
      purse.given.set(session, given - amount);
      purse.total -= amount;
    }
  }

  #spentOf(session: string): Spent {
    const known = this.#sessions.get(session);
    if (known !== undefined) return known;
    const made = { number: this.#sessions.size, decisions: 0, amounts: { requests: 0, bytes: 0 }, passed: 0 };
    this.#sessions.set(session, made);
    return made;
  }

  #put(
    account: string,
    unit: Unit,
    budget: Budget | undefined,
    { decision, spent, passed }: { readonly decision: CountedDecision; readonly spent: Spent; readonly passed: number },
  ): string | null {
    const key = `${account} ${unit}`;
    const max = budget?.[unit] ?? null;
    if (budget === undefined || max === null) {
      this.#purses.delete(key);
      return null;
    }
    const day = Math.floor(Date.parse(decision.at) / dayMs);
    const known = this.#purses.get(key);
    const same = known !== undefined && known.per === budget.per && known.max === max;
    // Who had decided before this limit was there may hold slices of before it, so only sessions that begin now count.
    const since = spent.decisions === 1 ? spent.number : this.#sessions.size;
    const purse = same
      ? known
      : { per: budget.per, max, since, firstDay: day, given: new Map<string, number>(), total: 0 };
    this.#purses.set(key, purse);
    if (spent.number < purse.since) return null;
    const given = spent.amounts[unit] + (unit === 'bytes' ? passed : 0);
    purse.total += given - (purse.given.get(decision.session) ?? 0);
    purse.given.set(decision.session, given);
    const own = this.#of.get(decision.session) ?? new Set();
    this.#of.set(decision.session, own.add(key));
    const allowed = max * windowsOf(purse, day) + (this.#raised.get(key) ?? 0);
    return purse.total > allowed ? `${key}: ${purse.total} were spent of ${allowed}` : null;
  }
}

/** How many days or months slices can have been taken in: one more than were seen, since one may be held over midnight. */
function windowsOf({ per, firstDay }: Purse, day: number): number {
  switch (per) {
    case 'ever':
      return 1;
    case 'day':
      return Math.abs(day - firstDay) + 2;
    case 'month':
      return Math.abs(monthOf(day) - monthOf(firstDay)) + 2;
  }
}

function monthOf(day: number): number {
  const date = new Date(day * dayMs);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}
