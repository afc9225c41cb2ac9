import {
  type Amounts,
  type Budget,
  type BudgetUnit,
  budgetUnits,
  type Clock,
  type Given,
  type Budgets as Said,
  type SessionPolicy,
} from '@cordon/protocol';
import type { BudgetStore } from '@cordon/store';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import { limitedBy, type Purse, pursesOf } from './purses.ts';

export interface BudgetParts {
  readonly store: BudgetStore;
  readonly recorder: Recorder;
  readonly clock: Clock;
  /** What the tenant says now. */
  readonly said: () => Said;
  readonly sessions: () => readonly SessionPolicy[];
}

export interface BudgetView {
  readonly account: string;
  readonly unit: BudgetUnit;
  readonly per: Budget['per'];
  readonly max: number;
  /** Spent, and handed out to a gateway that may spend it. */
  readonly taken: number;
}

/**
 * Hands out slices of purses. What was handed out counts as spent until it comes back: a gateway that dies with a slice
 * has spent it, so no crash and no number of gateways ever spends more than the whole.
 */
export class Budgets {
  readonly #parts: BudgetParts;
  /** Per session: more than this never comes back. Forgotten at our own restart, which only counts more as spent. */
  readonly #out = new Map<
    string,
    { readonly purses: readonly Purse[]; readonly amounts: { [U in BudgetUnit]: number } }
  >();
  /** Purses that were found empty, so that each is recorded once. */
  readonly #empty = new Set<string>();

  constructor(parts: BudgetParts) {
    this.#parts = parts;
  }

  /** At least what is needed, unless no more is left. */
  async take(session: SessionPolicy, needed: Amounts, wanted: Amounts): Promise<Given> {
    const purses = this.#pursesOf(session);
    const given: { [U in BudgetUnit]: number | null } = { requests: null, bytes: null };
    for (const unit of budgetUnits) {
      const limited = limitedBy(purses, unit);
      if (limited.length === 0) continue;
      const slice = { needed: whole(needed[unit]), wanted: whole(wanted[unit]) };
      const taken = await this.#parts.store.take(limited, unit, slice);
      given[unit] = taken;
      this.#note(session.session, purses, unit, taken);
      if (taken < slice.needed) await this.#recordEmpty(session, unit, limited);
    }
    return given;
  }

  async giveBack(session: string, amounts: Amounts): Promise<void> {
    const out = this.#out.get(session);
    if (out === undefined) return;
    for (const unit of budgetUnits) {
      const amount = Math.min(whole(amounts[unit]), out.amounts[unit]);
      if (amount === 0) continue;
      out.amounts[unit] -= amount;
      await this.#parts.store.giveBack(limitedBy(out.purses, unit), unit, amount);
    }
  }

  /** A session that is over. */
  async close(session: string): Promise<void> {
    this.#out.delete(session);
    await this.#parts.store.forget(`session/${session}`);
    await this.#parts.store.forget(`session/${session}/own`);
  }

  async list(): Promise<BudgetView[]> {
    const taken = new Map(
      (await this.#parts.store.list()).map((line) => [`${line.account} ${line.unit} ${line.window}`, line.taken]),
    );
    const purses = new Map(
      this.#parts
        .sessions()
        .flatMap((session) => this.#pursesOf(session))
        .map((purse) => [purse.account, purse]),
    );
    return [...purses.values()].flatMap(({ account, window, budget }) =>
      budgetUnits.flatMap((unit) => {
        const max = budget[unit];
        if (max === null) return [];
        return [{ account, unit, per: budget.per, max, taken: taken.get(`${account} ${unit} ${window}`) ?? 0 }];
      }),
    );
  }

  #pursesOf(session: SessionPolicy): Purse[] {
    const { clock, said } = this.#parts;
    return pursesOf(session, said(), clock.now());
  }

  #note(session: string, purses: readonly Purse[], unit: BudgetUnit, taken: number): void {
    const known = this.#out.get(session);
    // What was taken from yesterday's purse is not put back into today's.
    const before = known !== undefined && areSame(known.purses, purses) ? known.amounts : { requests: 0, bytes: 0 };
    this.#out.set(session, { purses, amounts: { ...before, [unit]: before[unit] + taken } });
  }

  async #recordEmpty(
    { session }: SessionPolicy,
    unit: BudgetUnit,
    limited: ReturnType<typeof limitedBy>,
  ): Promise<void> {
    const name = limited.map(({ account, window }) => `${account} ${window}`).join(' ') + unit;
    if (this.#empty.has(name)) return;
    if (this.#empty.size >= limits.emptyPursesMax) this.#empty.clear();
    this.#empty.add(name);
    const purses = limited.map(({ account, window, max }) => ({ account, window, max }));
    await this.#parts.recorder.record({ type: 'budget', session, data: { act: 'empty', unit, purses } }, 'os');
  }
}

function areSame(a: readonly Purse[], b: readonly Purse[]): boolean {
  return (
    a.length === b.length && a.every(({ account, window }, i) => b[i]?.account === account && b[i].window === window)
  );
}

/** A gateway parses hostile bytes: what it says is a number only here. */
function whole(amount: number): number {
  return Number.isSafeInteger(amount) && amount > 0 ? amount : 0;
}
