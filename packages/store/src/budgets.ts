import type { Database } from './database.ts';
import { integer, type Row, text } from './row.ts';

/** One purse and one unit of it. `window`: since when it counts; of another one than is kept nothing has been taken yet. */
export interface BudgetAccount {
  readonly account: string;
  readonly window: string;
}

export interface LimitedAccount extends BudgetAccount {
  readonly max: number;
}

export interface BudgetLine extends BudgetAccount {
  readonly unit: string;
  readonly taken: number;
  /** What people have given beyond the limit, in this window. */
  readonly raised: number;
}

export interface Slice {
  readonly needed: number;
  readonly wanted: number;
}

/** What has been handed out of every purse; it only ever counts what was taken, never what was spent. */
export interface BudgetStore {
  /**
   * Takes from every account at once: what is wanted, but no more than an eighth of what the emptiest has left, so that
   * others find something too; and what is needed, as far as it is there. Says how much that was. On disk when it
   * resolves, so no crash lets the same be taken twice.
   */
  take(accounts: readonly LimitedAccount[], unit: string, slice: Slice): Promise<number>;
  /** What each has left. */
  left(accounts: readonly LimitedAccount[], unit: string): Promise<readonly number[]>;
  /** So much more may be taken in this window; false: it is over. On disk when it resolves. */
  raise(account: BudgetAccount, unit: string, by: number): Promise<boolean>;
  /** Puts back what was taken in the same window; of a window that is over there is nothing to put back to. */
  giveBack(accounts: readonly BudgetAccount[], unit: string, amount: number): Promise<void>;
  list(): Promise<readonly BudgetLine[]>;
  /** Of a holder that will never ask again. */
  forget(account: string): Promise<void>;
}

export class SqliteBudgetStore implements BudgetStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async take(accounts: readonly LimitedAccount[], unit: string, { needed, wanted }: Slice): Promise<number> {
    return await this.#database.durable(() => {
      const left = Math.max(0, Math.min(...accounts.map((each) => this.#left(each, unit))));
      const given = Math.max(Math.min(needed, left), Math.min(wanted, Math.floor(left / 8)));
      if (given > 0) for (const each of accounts) this.#set(each, unit, { taken: given });
      return given;
    });
  }

  async giveBack(accounts: readonly BudgetAccount[], unit: string, amount: number): Promise<void> {
    await this.#database.durable(() => {
      for (const each of accounts) {
        const { taken } = this.#of(each, unit);
        if (taken > 0) this.#set(each, unit, { taken: -Math.min(amount, taken) });
      }
    });
  }

  async left(accounts: readonly LimitedAccount[], unit: string): Promise<readonly number[]> {
    return accounts.map((each) => this.#left(each, unit));
  }

  async raise(account: BudgetAccount, unit: string, by: number): Promise<boolean> {
    return await this.#database.durable(() => {
      const kept = this.#kept(account, unit);
      if (kept !== null && kept.window !== account.window && !isOver(kept.window, account.window)) return false;
      this.#set(account, unit, { raised: by });
      return true;
    });
  }

  async list(): Promise<readonly BudgetLine[]> {
    return this.#database.all('SELECT * FROM budgets ORDER BY account, unit').map(toLine);
  }

  async forget(account: string): Promise<void> {
    this.#database.run('DELETE FROM budgets WHERE account = ?', account);
  }

  #left(account: LimitedAccount, unit: string): number {
    const { taken, raised } = this.#of(account, unit);
    return account.max + raised - taken;
  }

  /** In the window that counts now. */
  #of(account: BudgetAccount, unit: string): Pick<BudgetLine, 'window' | 'taken' | 'raised'> {
    const kept = this.#kept(account, unit);
    return kept === null || isOver(kept.window, account.window)
      ? { window: account.window, taken: 0, raised: 0 }
      : kept;
  }

  #set(account: BudgetAccount, unit: string, more: { readonly taken?: number; readonly raised?: number }): void {
    const { window, taken, raised } = this.#of(account, unit);
    this.#database.run(
      `INSERT INTO budgets (account, unit, window, taken, raised) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (account, unit) DO UPDATE
         SET window = excluded.window, taken = excluded.taken, raised = excluded.raised`,
      ...[account.account, unit, window, taken + (more.taken ?? 0), raised + (more.raised ?? 0)],
    );
  }

  #kept({ account }: BudgetAccount, unit: string): BudgetLine | null {
    const row = this.#database.get('SELECT * FROM budgets WHERE account = ? AND unit = ?', account, unit);
    return row === undefined ? null : toLine(row);
  }
}

function toLine(row: Row): BudgetLine {
  return {
    account: text(row, 'account'),
    unit: text(row, 'unit'),
    window: text(row, 'window'),
    taken: integer(row, 'taken'),
    raised: integer(row, 'raised'),
  };
}

/** A clock that was set back does not fill a purse: the later of two days, or two months, is the one that counts. */
function isOver(kept: string, now: string): boolean {
  return kept.length === now.length ? kept < now : true;
}
