export { type Lock, openLock as openLockFile } from '@cordon/ledger';
export type { BudgetAccount, BudgetLine, BudgetStore, LimitedAccount, Slice } from './budgets.ts';
export type { DecisionIndex, DecisionQuery, FinishedDecision, IndexedDecision, StoredDecision } from './decisions.ts';
export type {
  EndorsementChange,
  EndorsementQuery,
  EndorsementStore,
  ListedEndorsement,
  StoredEndorsement,
} from './endorsements.ts';
export type { StoreErrorCode } from './error.ts';
export { createKeyFile, ensureDirectory, readKeyFile, removeFile, writeFileAtomic } from './files.ts';
export type { ApprovedHold, HoldChange, HoldQuery, HoldStore, ListedHold, StoredAnswer, StoredHold } from './holds.ts';
export type { Claim, IdempotencyStore } from './idempotency.ts';
export type { LabelContainer, LabelStore, StoredLabel } from './labels.ts';
export type { Page, PageRequest } from './page.ts';
export type { PolicyGeneration, PolicySource, PolicyStore } from './policies.ts';
export type { IndexedRefusal, RefusalIndex, RefusalQuery, StoredRefusal } from './refusals.ts';
export type { SessionChange, SessionQuery, SessionRecord, SessionStore, StoredSession } from './sessions.ts';
export type { SettingStore } from './settings.ts';
export type { StopRecord, StopScope, StopStore } from './stops.ts';
export { openStore, type Store } from './store.ts';
