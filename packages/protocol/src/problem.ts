/** RFC 9457 problem details as an agent, the CLI or an SDK reads them. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  /** Digest of the refused intent; `cordon policy explain ID` takes the attempt. */
  readonly intent?: string;
  readonly attempt?: string;
  /** What waits for a person; the same request again finds it. */
  readonly hold?: string;
  readonly next_steps: readonly string[];
}

export const problemType = (code: string): string => `urn:cordon:problem:${code}`;
