import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { VerifiedPermit } from '@cordon/sdk/effector';

export interface Payment {
  readonly to: string;
  /** In hundredths, so that no sum is ever a float. */
  readonly cents: number;
  readonly purpose: string;
}

/** One line of the file: what was paid, and by which permit, so that it can be found in Cordon's own ledger. */
export interface Paid extends Payment {
  readonly at: string;
  readonly session: string;
  readonly attempt: string;
  readonly decision: string;
}

/** Null for anything but a payment with exactly these members. */
export function parsePayment(body: Uint8Array): Payment | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 3) return null;
  const { to, cents, purpose } = value as Partial<Record<string, unknown>>;
  if (typeof to !== 'string' || !/^[a-z0-9-]{1,64}$/.test(to)) return null;
  if (typeof cents !== 'number' || !Number.isSafeInteger(cents) || cents < 1) return null;
  return typeof purpose === 'string' && purpose.length <= 200 ? { to, cents, purpose } : null;
}

/** Payments in a file, one a line, each on disk before it is confirmed. */
export class Payments {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  list(): Paid[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Paid);
  }

  /** Takes a permit that was verified: without one there is no payment, and this does not compile. */
  pay(payment: Payment, permit: VerifiedPermit, at: string): Paid {
    const { session, attempt, decision } = permit;
    const paid: Paid = { ...payment, at, session, attempt, decision };
    const descriptor = openSync(this.#file, 'a', 0o600);
    try {
      writeSync(descriptor, `${JSON.stringify(paid)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    return paid;
  }
}
