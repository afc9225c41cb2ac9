import type { Change } from '@cordon/protocol';

/**
 * What the supervisor asks of a workspace process: one job on its standard input, one answer on its standard output.
 * The supervisor itself reads nothing that an agent wrote: a process that lives for one job does.
 */
export interface WorkspaceJob {
  readonly kind: 'changes' | 'apply' | 'recover';
  readonly launch: string;
  /** `sessions/<id>`: upper/, and our own applied.json, shown.json, applying.json. */
  readonly sessionDir: string;
  readonly session: string;
  readonly workspace: string;
  /** Decimal nanoseconds by the clock of the file system. */
  readonly beganNs: string;
  readonly protectedPaths: readonly string[];
  readonly chosen: readonly string[] | null;
  readonly named: readonly string[];
  /** The agent may still write: what is applied must be what was shown. */
  readonly running: boolean;
}

export interface ApplyAnswer {
  readonly applied: string[];
  readonly refused: { path: string; why: string }[];
}

export type WorkspaceAnswer =
  | { readonly ok: true; readonly changes: Change[] }
  | { readonly ok: true; readonly outcome: ApplyAnswer }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly nextSteps: readonly string[] };
