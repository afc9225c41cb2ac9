import type { Clock, Random } from '@cordon/protocol';
import type { SandboxDriver } from '../driver.ts';
import type { PermitKey } from './permit-signer.ts';

/** A program of ours; its environment is exactly this, nothing is inherited. */
export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** One line of diagnostics in Cordon's own words; never the agent's, never a record. */
export interface SupervisorLogEvent {
  readonly event: string;
  readonly [key: string]: string | number | boolean | null;
}

export interface SupervisorOptions {
  /** `$CORDON_HOME`; sessions live below it. */
  readonly home: string;
  /** `$CORDON_RUNTIME_DIR`: supervisor.sock, stream.sock. */
  readonly runtime: string;
  /** Tells one supervisor process from the next. */
  readonly boot: string;
  readonly drivers: { readonly process: SandboxDriver };
  readonly programs: {
    /** Started with an IPC channel beside it; see `GatewayToSupervisor`. */
    readonly gateway: (tenant: string) => Program;
    /** Runs `runWorkspaceWorker` on its standard streams. */
    readonly workspace: Program;
    /** The built native program. */
    readonly launch: string;
  };
  /** Tenants whose gateway is started at once, so that their first session does not wait for it. */
  readonly warmTenants: readonly string[];
  /** Root: the reserved range, one uid per living session. Null: not root. */
  readonly uids: { readonly min: number; readonly count: number } | null;
  /** Signs permits that leave the host; null: none is signed. */
  readonly permitKey: PermitKey | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (event: SupervisorLogEvent) => void;
}
