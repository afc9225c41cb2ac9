import { type BudgetStore, SqliteBudgetStore } from './budgets.ts';
import { Database } from './database.ts';
import { type DecisionIndex, SqliteDecisionIndex } from './decisions.ts';
import { type EndorsementStore, SqliteEndorsementStore } from './endorsements.ts';
import { type HoldStore, SqliteHoldStore } from './holds.ts';
import { type IdempotencyStore, SqliteIdempotencyStore } from './idempotency.ts';
import { type LabelStore, SqliteLabelStore } from './labels.ts';
import { type PolicyStore, SqlitePolicyStore } from './policies.ts';
import { type RefusalIndex, SqliteRefusalIndex } from './refusals.ts';
import { type SessionStore, SqliteSessionStore } from './sessions.ts';
import { type SettingStore, SqliteSettingStore } from './settings.ts';
import { SqliteStopStore, type StopStore } from './stops.ts';

/**
 * Everything the control plane keeps beside the ledger. Every method is one atomic step and on disk when it resolves;
 * they are asynchronous so that a database across a network fits behind the same interfaces.
 */
export interface Store extends AsyncDisposable {
  readonly sessions: SessionStore;
  readonly stops: StopStore;
  readonly decisions: DecisionIndex;
  readonly refusals: RefusalIndex;
  readonly policies: PolicyStore;
  readonly settings: SettingStore;
  readonly holds: HoldStore;
  readonly endorsements: EndorsementStore;
  readonly idempotency: IdempotencyStore;
  /** What was overwritten or removed is no longer in the files either, as far as the file system lets go of it. */
  scrub(): Promise<void>;
  readonly labels: LabelStore;
  readonly budgets: BudgetStore;
  close(): Promise<void>;
}

/**
 * Opens or makes the database and holds it alone until closed or dead.
 *
 * @throws CordonError `store-locked` `store-damaged` `store-version`
 */
export async function openStore(path: string): Promise<Store> {
  const database = new Database(path);
  const close = (): Promise<void> => database.close();
  return {
    scrub: async () => database.scrub(),
    sessions: new SqliteSessionStore(database),
    stops: new SqliteStopStore(database),
    decisions: new SqliteDecisionIndex(database),
    refusals: new SqliteRefusalIndex(database),
    policies: new SqlitePolicyStore(database),
    settings: new SqliteSettingStore(database),
    holds: new SqliteHoldStore(database),
    endorsements: new SqliteEndorsementStore(database),
    idempotency: new SqliteIdempotencyStore(database),
    labels: new SqliteLabelStore(database),
    budgets: new SqliteBudgetStore(database),
    close,
    [Symbol.asyncDispose]: close,
  };
}
