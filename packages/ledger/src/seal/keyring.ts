import { createSecretKey } from 'node:crypto';
import { ledgerError } from '../error.ts';
import type { BodyKey, KeyFor } from './seal.ts';

/** Keys of sessions in memory alone, as a gateway has them: given over the private channel, dropped at the end. */
export class SessionKeyring {
  readonly #keys = new Map<string, BodyKey>();

  hold(session: string, id: string, key: Uint8Array): void {
    this.#keys.set(session, { id, key: createSecretKey(key) });
  }

  drop(session: string): void {
    this.#keys.delete(session);
  }

  /** @throws CordonError `ledger-key`: what cannot be sealed is not recorded, and so not done */
  readonly keyFor: KeyFor = (session) => {
    if (session === null) return null;
    const key = this.#keys.get(session);
    if (key === undefined) throw ledgerError('ledger-key', `there is no key to seal what ${session} says`);
    return key;
  };
}
