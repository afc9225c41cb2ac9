import type { SessionRequest } from '@cordon/protocol';

/** What a command inside said and how it ended. */
export interface Run {
  /** 137 when it was killed from outside. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly session: string;
}

/** A session whose attack is under way. */
export interface Underway {
  readonly session: string;
  /** What it has written to stdout so far. */
  readonly said: () => string;
}

/** What a case may ask of its session beyond the field's own request. */
export type SessionOptions = Pick<SessionRequest, 'workspaceMode' | 'resources' | 'allow' | 'env' | 'policy'>;
