import type { EntryDraft } from '../src/index.ts';

export function decision(attempt: string, session = 'ses_a', result: 'allow' | 'deny' = 'allow'): EntryDraft {
  return {
    session,
    type: 'decision',
    data: {
      attempt,
      decision: `sha256:${'d'.repeat(64)}`,
      outcome: result,
      action: 'http.request',
      resource: 'https://example.test',
    },
    body: JSON.stringify({ intent: { attempt } }),
  };
}

export function start(attempt: string, session = 'ses_a'): EntryDraft {
  return { session, type: 'start', data: { attempt } };
}

export function outcome(attempt: string, session = 'ses_a'): EntryDraft {
  return { session, type: 'outcome', data: { attempt, status: 200, bytesIn: 1, bytesOut: 2 } };
}
