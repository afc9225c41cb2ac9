import { type Amounts, assertNever, type BudgetUnit, budgetUnits, type Given } from '@cordon/protocol';

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
    readonly budgetSliceLeakBytesMax: number;
    readonly budgetSliceSecondsMax: number;
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
  readonly #left: { [U in BudgetUnit]: number } = { requests: 0, bytes: 0, leak: 0, holds: 0, seconds: 0 };
  #asking: Promise<void> | null = null;
  #spentAt = 0;
  #closed = false;
  #countedAt: number;

  constructor(parts: PurseParts) {
    this.#parts = parts;
    this.#countedAt = parts.now();
  }

  isLimited(unit: BudgetUnit): boolean {
    return this.#parts.isLimited(unit);
  }

  /** Takes it out of the purse, or takes nothing. Fails closed: a control plane that cannot be asked gives nothing. */
  async pay(given: Amounts): Promise<boolean> {
    const seconds = this.#elapsed();
    this.#countedAt += seconds * 1000;
    const amounts = seconds === 0 ? given : { ...given, seconds };
    if (await this.#take(amounts)) return true;
    this.#countedAt -= seconds * 1000;
    return false;
  }

  async #take(amounts: Amounts): Promise<boolean> {
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
    for (const unit of this.#limited()) this.#left[unit] += amounts[unit] ?? 0;
  }

  /** Bytes that have passed. */
  passed(bytes: number): void {
    this.#spend({ bytes });
    if (!this.#parts.isLimited('bytes') || this.#left.bytes >= this.#parts.limits.budgetSliceBytesMax / 4) return;
    this.#ask({ bytes: Math.max(1, -this.#left.bytes) }).then(
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

  /** Whole seconds since they were paid for last; whether anything was asked for meanwhile or not. */
  #elapsed(): number {
    return this.#parts.isLimited('seconds') ? Math.floor((this.#parts.now() - this.#countedAt) / 1000) : 0;
  }

  #spend(amounts: Amounts): void {
    this.#spentAt = this.#parts.now();
    for (const unit of this.#limited()) this.#left[unit] -= amounts[unit] ?? 0;
  }

  #covers(amounts: Amounts): boolean {
    return this.#limited().every((unit) => this.#left[unit] >= (amounts[unit] ?? 0));
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
    const slices = this.#limited().filter((unit) => unit !== 'holds');
    const given = await this.#parts.take(
      Object.fromEntries(slices.map((unit) => [unit, this.#lack(unit, amounts)])),
      Object.fromEntries(slices.map((unit) => [unit, this.#room(unit)])),
    );
    for (const unit of budgetUnits) this.#left[unit] += given[unit] ?? 0;
    if (this.#closed) this.#giveBack();
  }

  #lack(unit: BudgetUnit, amounts: Amounts): number {
    return Math.max(0, (amounts[unit] ?? 0) - this.#left[unit]);
  }

  /** No more than one slice lies here. */
  #room(unit: BudgetUnit): number {
    return Math.max(0, sliceOf(unit, this.#parts.limits) - Math.max(0, this.#left[unit]));
  }

  #giveBack(): void {
    const units = budgetUnits.filter((unit) => this.#left[unit] > 0);
    if (units.length === 0) return;
    const amounts = Object.fromEntries(units.map((unit) => [unit, this.#left[unit]]));
    for (const unit of units) this.#left[unit] = 0;
    this.#parts.giveBack(amounts);
  }
}

function sliceOf(unit: BudgetUnit, limits: PurseParts['limits']): number {
  switch (unit) {
    case 'requests':
      return limits.budgetSliceRequestsMax;
    case 'bytes':
      return limits.budgetSliceBytesMax;
    case 'leak':
      return limits.budgetSliceLeakBytesMax;
    case 'seconds':
      return limits.budgetSliceSecondsMax;
    // The control plane counts questions itself.
    case 'holds':
      return 0;
    default:
      return assertNever(unit, 'budget unit');
  }
}
