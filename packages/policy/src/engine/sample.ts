import type { Intent } from '@cordon/protocol';
import { createRequest } from '../decide/request.ts';
import { createSlice } from '../decide/slice.ts';
import { createFacts, noApproval } from '../fact/facts.ts';

/** One plain request that an open permit allows; what the self-tests put their planted policies to. */
export const sampleRequest: string = encodeSample();

function encodeSample(): string {
  const principal = { tenant: 'self-test', session: 'self-test', agent: 'self-test', person: 'self-test', chain: '' };
  const intent: Intent = {
    v: 'intent/1',
    tenant: principal.tenant,
    session: principal.session,
    agent: principal.agent,
    chain: principal.chain,
    salt: '',
    action: 'http.request',
    resource: 'https://self-test.example:443',
    args: { method: 'GET', path: '/', query: [], headers: [] },
    payload: { sha256: '', bytes: 0, kind: 'none' },
  };
  const at = '2026-01-01T00:00:00.000Z';
  const facts = createFacts(intent, { attempt: 'self-test', at, freshUntil: at, live: true });
  const slice = createSlice(principal, intent.action, intent.resource, { args: {}, nums: {} });
  // An empty text is a call that the engine refuses, so a broken encoder fails the self-test.
  return (slice === null ? null : createRequest(intent, facts, noApproval, slice))?.text() ?? '';
}
