import type { BudgetRaise, Clock, Person, Random, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import type { Signer } from '@cordon/protocol/dsse';
import type { HoldStore, StoredHold } from '@cordon/store';
import type { RaisedBy } from '../budgets/budgets.ts';
import type { Recorder } from '../ledger/recorder.ts';
import type { Log } from '../log.ts';
import type { People } from '../people/people.ts';
import type { SessionRegistry } from '../sessions/registry.ts';
import type { StopTable } from '../stops/table.ts';
import type { Earlier } from './earlier.ts';

export interface ApprovalParts {
  readonly store: HoldStore;
  readonly registry: SessionRegistry;
  readonly stops: StopTable;
  readonly recorder: Recorder;
  readonly people: Pick<People, 'directory' | 'operator' | 'local'>;
  readonly tenant: () => TenantPolicy;
  /** Who signed the policy in force: to four eyes they wrote the grant. */
  readonly authors: () => readonly Person[];
  readonly earlier: Earlier;
  /** Signs receipts and nothing else; gateways know its public half from their own disk. */
  readonly signer: Signer;
  /** False: the questions that the session, or somebody above it, may ask are used up. */
  readonly payQuestion: (session: SessionPolicy) => Promise<boolean>;
  readonly raise: (session: string, raise: BudgetRaise, by: RaisedBy) => Promise<boolean>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** To gateways that wait, to those who watch, and to the webhook. */
  readonly changed: (hold: StoredHold) => void;
}
