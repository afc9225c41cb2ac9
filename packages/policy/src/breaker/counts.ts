import { coreRuleIds } from '../core.ts';

/** As it stands in the clear part of its entry. */
export interface RecordedDenial {
  readonly outcome: string;
  readonly by: 'policy' | 'gateway';
  readonly code: string;
  readonly reasons: readonly string[];
}

/** Denials that say nothing of what the agent asks for: it would be closed out for an outage of ours. */
const ofOurs: ReadonlySet<string> = new Set(['stale-policy', 'session-stopped', 'slow-decision']);

/** To wait for a person is no sign of an agent that has lost its way, and what the breaker itself denied says nothing new. */
export function countsAsDenial({ outcome, by, code, reasons }: RecordedDenial): boolean {
  if (outcome !== 'deny' || code.startsWith('hold-') || ofOurs.has(code)) return false;
  return by !== 'policy' || !reasons.includes(coreRuleIds.breaker);
}
