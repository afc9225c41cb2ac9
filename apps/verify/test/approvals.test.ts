import type { RecordedPolicies, RecordedUse } from '@cordon/ledger';
import { hashIntent, usualFlow } from '@cordon/policy';
import {
  type ApprovalRecord,
  approvalType,
  canonicalize,
  type Entry,
  type Hold,
  type Intent,
  type Person,
  type RecordValue,
} from '@cordon/protocol';
import { createSigningKey, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { describe, expect, it } from 'vitest';
import { judgeApproval } from '../src/approvals.ts';

const iss = 'local:0123456789abcdef';
const names = ['ada', 'bob', 'eve'] as const;
const keys = { ada: createSigningKey(), bob: createSigningKey(), eve: createSigningKey() };
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const policy = { generation: 7, revision: 3, digest: digest('4'), engine: digest('5') };
const later = '2026-03-04T05:21:07.089Z';
const intent: Intent = {
  ...{ v: 'intent/1', tenant: 'local', session: 'ses_1', agent: 'fixer', chain: digest('1'), salt: '0'.repeat(32) },
  ...{ action: 'http.request', resource: 'https://pay.example:443', args: { method: 'POST', path: '/' } },
  payload: { sha256: 'f'.repeat(64), bytes: 0, kind: 'none' },
};
const hold: Hold = {
  ...{
    v: 'hold/1',
    id: `hld_0${'a'.repeat(25)}`,
    kind: 'intent',
    intent: hashIntent(intent),
    attempt: 'att_1',
    policy,
  },
  ...{ floor: { ...usualFlow }, rung: { quorum: 1, strong: false }, groups: ['finance'] },
  ...{ nonce: '6'.repeat(32), view: digest('7'), expires: later },
};

function signedBy(sub: (typeof names)[number]): unknown {
  const record: ApprovalRecord = {
    ...{ v: 'approval/1', hold: hold.id, intent: hold.intent, policy, nonce: hold.nonce, view: hold.view },
    ...{ verdict: 'approve', person: { iss, sub }, via: 'operator-key', uses: 1, expires: later },
  };
  const signer = openSigningKey(keys[sub].privatePem);
  return signEnvelope(approvalType, canonicalize(record as unknown as RecordValue), [signer]);
}

interface Told {
  readonly groups?: readonly string[];
  readonly fourEyes?: boolean;
  readonly signers?: readonly Person[];
  readonly starter?: string;
}

/** What the verifier says of a yes by bob, for a session that acts for ada. */
function judge({ groups = ['finance'], fourEyes = false, signers = [], starter = 'ada' }: Told = {}) {
  const directory = names.map((sub) => ({
    person: { iss, sub },
    keys: [keys[sub].pinned],
    groups: sub === 'bob' ? groups : ['finance'],
  }));
  const at = '2026-03-04T05:06:07.089Z';
  const use = { hold, envelopes: [signedBy('bob')], directory, at, used: 0 } as unknown as RecordedUse;
  const policies = {
    tenant: () => ({ approvals: { fourEyes, webhook: null } }),
    session: () => ({ session: 'ses_1', person: 'ada' }),
    signers: (generation: number) => (generation === policy.generation ? signers : []),
    starter: () => starter,
  } as unknown as RecordedPolicies;
  const body = { decision: { policy }, intent, facts: { flow: usualFlow } };
  return judgeApproval(use, { entry: { session: 'ses_1' } as Entry, body }, policies);
}

describe('the verifier of approvals', () => {
  it('counts people of the group that was asked, as the ledger says it was', () => {
    expect(judge()).toMatchObject({ quorum: 1, groups: ['finance'] });
    expect(judge({ groups: [] })).toBe('approval-group');
    expect(judge({ groups: ['ops'] })).toBe('approval-group');
  });

  it('counts nobody whom four eyes leave out: acted for, started it, signed the policy', () => {
    const bob = { iss, sub: 'bob' };
    expect(judge({ fourEyes: true, signers: [{ iss, sub: 'eve' }] })).toMatchObject({ quorum: 1 });
    expect(judge({ fourEyes: true, signers: [bob] })).toBe('approval-four-eyes');
    expect(judge({ fourEyes: true, starter: 'bob' })).toBe('approval-four-eyes');
    expect(judge({ fourEyes: false, signers: [bob], starter: 'bob' })).toMatchObject({ quorum: 1 });
  });
});
