import {
  type Amounts,
  type Budget,
  type BudgetRaise,
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
  /** What people have given beyond that. */
  readonly raised: number;
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
    { readonly purses: readonly Purse[]; readonly amounts: { [U in BudgetUnit]?: number } }
  >();
  /** Purses that were found empty, so that each is recorded once. */
  readonly #empty = new Set<string>();

  constructor(parts: BudgetParts) {
    this.#parts = parts;
  }

  /** At least what is needed, unless no more is left; `ask` gets what people could be asked for then. */
  async take(session: SessionPolicy, needed: Amounts, wanted: Amounts, ask?: AskRaise): Promise<Given> {
    const purses = this.#pursesOf(session);
    const given: { [U in BudgetUnit]?: number | null } = { requests: null, bytes: null };
    for (const unit of budgetUnits) {
      const limited = limitedBy(purses, unit);
      if (limited.length === 0) continue;
      const slice = { needed: whole(needed[unit] ?? 0), wanted: whole(wanted[unit] ?? 0) };
      const taken = await this.#parts.store.take(limited, unit, slice);
      given[unit] = taken;
      this.#note(session.session, purses, unit, taken);
      if (taken < slice.needed) await this.#exhausted(session, purses, unit, slice.needed - taken, ask);
    }
    return given;
  }

  /** What is counted here and not in a gateway; it does not come back. False: there is not so much left. */
  async spend(session: SessionPolicy, unit: BudgetUnit, amount: number, ask?: AskRaise): Promise<boolean> {
    const purses = this.#pursesOf(session);
    const limited = limitedBy(purses, unit);
    if (limited.length === 0) return true;
    const taken = await this.#parts.store.take(limited, unit, { needed: amount, wanted: 0 });
    if (taken < amount) await this.#exhausted(session, purses, unit, amount - taken, ask);
    return taken >= amount;
  }

  /** People have agreed. On record before it counts: what stops in between gives nothing. False: that window is over. */
  async raise(session: string, raise: BudgetRaise, { body, ...by }: RaisedBy): Promise<boolean> {
    const { account, unit, window } = raise;
    await this.#parts.recorder.record(
      { type: 'budget', session, data: { act: 'raised', ...by, ...raise }, body },
      'disk',
    );
    return await this.#parts.store.raise({ account, window }, unit, raise.by);
  }

  async giveBack(session: string, amounts: Amounts): Promise<void> {
    const out = this.#out.get(session);
    if (out === undefined) return;
    for (const unit of budgetUnits) {
      const known = out.amounts[unit] ?? 0;
      const amount = Math.min(whole(amounts[unit] ?? 0), known);
      if (amount === 0) continue;
      out.amounts[unit] = known - amount;
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
    const lines = new Map(
      (await this.#parts.store.list()).map((line) => [`${line.account} ${line.unit} ${line.window}`, line]),
    );
    const purses = new Map(
      this.#parts
        .sessions()
        .flatMap((session) => this.#pursesOf(session))
        .map((purse) => [purse.account, purse]),
    );
    return [...purses.values()].flatMap(({ account, window, budget }) =>
      budgetUnits.flatMap((unit) => {
        const max = budget[unit] ?? null;
        if (max === null) return [];
        const { taken = 0, raised = 0 } = lines.get(`${account} ${unit} ${window}`) ?? {};
        return [{ account, unit, per: budget.per, max, raised, taken }];
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
    const before = known !== undefined && areSame(known.purses, purses) ? known.amounts : {};
    this.#out.set(session, { purses, amounts: { ...before, [unit]: (before[unit] ?? 0) + taken } });
  }

  /** Recorded once; asked for where every purse that has not enough says so, and never by a question about questions. */
  async #exhausted(
    session: SessionPolicy,
    purses: readonly Purse[],
    unit: BudgetUnit,
    missing: number,
    ask: AskRaise | undefined,
  ): Promise<void> {
    const limited = limitedBy(purses, unit);
    await this.#recordEmpty(session.session, unit, limited);
    const left = await this.#parts.store.left(limited, unit);
    const short = limited.filter((_purse, at) => (left[at] ?? 0) < missing);
    const may = short.every(({ account }) =>
      purses.some((each) => each.account === account && each.budget.ask === true),
    );
    if (ask === undefined || !may || unit === 'holds') return;
    for (const { account, window, max } of short) ask(session.session, { account, unit, window, max, by: max });
  }

  async #recordEmpty(session: string, unit: BudgetUnit, limited: ReturnType<typeof limitedBy>): Promise<void> {
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

/** The hold, the use of it, and what its answers are checked against. */
export interface RaisedBy {
  readonly hold: string;
  readonly attempt: string;
  readonly body: string;
}

export type AskRaise = (session: string, raise: BudgetRaise) => void;

/** A gateway parses hostile bytes: what it says is a number only here. */
function whole(amount: number): number {
  return Number.isSafeInteger(amount) && amount > 0 ? amount : 0;
}
