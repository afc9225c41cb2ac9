import { type Amounts, type BudgetUnit, budgetUnits, type Given } from '@cordon/protocol';

export interface PurseParts {
  /** Whether some purse above this session limits it, by the policy in force. What nobody limits is not asked for. */
  readonly isLimited: (unit: BudgetUnit) => boolean;
  /** A slice from the control plane, which keeps the whole. */
  readonly take: (needed: Amounts, wanted: Amounts) => Promise<Given>;
  readonly giveBack: (amounts: Amounts) => void;
  /** Nothing is left for what is already under way. */
  readonly empty: () => void;
  readonly now: () => number;
  readonly limits: {
    readonly budgetSliceRequestsMax: number;
    readonly budgetSliceBytesMax: number;
    readonly budgetIdleMs: number;
  };
}

/**
 * What one session may still spend without asking. Requests are paid before they go out; so are the bytes of a request.
 * The bytes of an answer are paid as they pass, so one answer may overdraw the purse by what arrives during one question
 * to the control plane; the next has to make up for it.
 */
export class Purse {
  readonly #parts: PurseParts;
  readonly #left: { [U in BudgetUnit]: number } = { requests: 0, bytes: 0 };
  #asking: Promise<void> | null = null;
  #spentAt = 0;
  #closed = false;

  constructor(parts: PurseParts) {
    this.#parts = parts;
  }

  /** Takes it out of the purse, or takes nothing. Fails closed: a control plane that cannot be asked gives nothing. */
  async pay(amounts: Amounts): Promise<boolean> {
    // A second question, because others who waited for the same slice may have been faster.
    for (let asked = 0; !this.#covers(amounts) && asked < 2; asked++) {
      await this.#ask(amounts).catch(() => undefined);
    }
    if (!this.#covers(amounts)) return false;
    this.#spend(amounts);
    return true;
  }

  /** What was paid for and did not go out. */
  refund(amounts: Amounts): void {
    for (const unit of this.#limited()) this.#left[unit] += amounts[unit];
  }

  /** Bytes that have passed. */
  passed(bytes: number): void {
    this.#spend({ requests: 0, bytes });
    if (!this.#parts.isLimited('bytes') || this.#left.bytes >= this.#parts.limits.budgetSliceBytesMax / 4) return;
    this.#ask({ requests: 0, bytes: Math.max(1, -this.#left.bytes) }).then(
      () => {
        if (this.#left.bytes <= 0) this.#parts.empty();
      },
      () => this.#parts.empty(),
    );
  }

  /** Now and then: a slice that nobody spends belongs to others. */
  sweep(): void {
    if (this.#parts.now() - this.#spentAt >= this.#parts.limits.budgetIdleMs) this.#giveBack();
  }

  close(): void {
    this.#closed = true;
    this.#giveBack();
  }

  #spend(amounts: Amounts): void {
    this.#spentAt = this.#parts.now();
    for (const unit of this.#limited()) this.#left[unit] -= amounts[unit];
  }

  #covers(amounts: Amounts): boolean {
    return this.#limited().every((unit) => this.#left[unit] >= amounts[unit]);
  }

  #limited(): BudgetUnit[] {
    return budgetUnits.filter((unit) => this.#parts.isLimited(unit));
  }

  /** One question at a time: what it brings may be enough for all who wait. */
  #ask(amounts: Amounts): Promise<void> {
    this.#asking ??= this.#fill(amounts).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fill(amounts: Amounts): Promise<void> {
    if (this.#closed) return;
    const { limits } = this.#parts;
    const given = await this.#parts.take(
      { requests: this.#lack('requests', amounts), bytes: this.#lack('bytes', amounts) },
      {
        requests: this.#room('requests', limits.budgetSliceRequestsMax),
        bytes: this.#room('bytes', limits.budgetSliceBytesMax),
      },
    );
    for (const unit of budgetUnits) this.#left[unit] += given[unit] ?? 0;
    if (this.#closed) this.#giveBack();
  }

  #lack(unit: BudgetUnit, amounts: Amounts): number {
    return Math.max(0, amounts[unit] - this.#left[unit]);
  }

  /** No more than one slice lies here. */
  #room(unit: BudgetUnit, slice: number): number {
    return Math.max(0, slice - Math.max(0, this.#left[unit]));
  }

  #giveBack(): void {
    const amounts = { requests: Math.max(0, this.#left.requests), bytes: Math.max(0, this.#left.bytes) };
    if (amounts.requests + amounts.bytes === 0) return;
    this.#left.requests -= amounts.requests;
    this.#left.bytes -= amounts.bytes;
    this.#parts.giveBack(amounts);
  }
}
