import {
  type ApprovalRecord,
  type ApprovedBefore,
  approvalType,
  canonicalize,
  type Hold,
  type Intent,
  type KnownPerson,
  type RecordValue,
  type View,
} from '@cordon/protocol';
import { digestBytes, digestRecord } from '@cordon/protocol/digest';
import { createSigningKey, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { describe, expect, it } from 'vitest';
import { earlierOf } from '../src/earlier.ts';

const iss = 'local:0123456789abcdef';
const ada = createSigningKey();
const eve = createSigningKey();
const people: KnownPerson[] = [{ person: { iss, sub: 'ada' }, addedAt: '', keys: [ada.pinned], groups: [] }];
const policy = { generation: 1, revision: 1, digest: 'd', engine: 'e' };
const flow = {
  ...{ argInteg: 0, argConf: 0, ctxInteg: 0, ctxConf: 0, destInteg: 0, clearance: 0 },
  ...{ readersOk: false, linksOk: false, leakOk: false },
};

interface Change {
  readonly body?: string;
  readonly path?: string;
  readonly hold?: string;
  readonly before?: View['before'];
}

function asked({ body = 'amount=10', path = '/pay', hold: id = 'hld_0', before = null }: Change = {}) {
  const sha256 = digestBytes(body).slice('sha256:'.length);
  const intent: Intent = {
    ...{ v: 'intent/1', tenant: 'local', session: 'ses_1', agent: 'robot', chain: 'c', salt: 's' },
    ...{ action: 'http.request', resource: 'https://pay.example:443', args: { method: 'POST', path } },
    payload: { sha256, bytes: body.length, kind: 'form' },
  };
  const view: View = {
    ...{ v: 'view/1', hold: id, intent, payload: { encoding: 'utf8', data: body }, effect: 'spend', undoable: false },
    ...{ flow, code: 'approval-required', rules: [], unnamed: [], rung: { quorum: 1, strong: false }, before },
    ...{ person: 'ada', agent: 'robot', profile: 'p', sessionStartedAt: 'then', heldAt: 'then', expires: 'later' },
  };
  const record: Hold = {
    ...{ v: 'hold/1', id, kind: 'intent', attempt: 'att_1', policy, floor: flow, rung: view.rung, groups: [] },
    intent: digestRecord('intent', intent as unknown as RecordValue),
    ...{ nonce: 'n', view: digestRecord('view', view as unknown as RecordValue), expires: 'later' },
  };
  return { view, record };
}

function yes(record: Hold, change: Partial<ApprovalRecord> = {}, key = ada): unknown {
  const { id, intent, view, nonce } = record;
  const answer = {
    ...{ v: 'approval/1', hold: id, intent, policy, nonce, view, verdict: 'approve', person: { iss, sub: 'ada' } },
    ...{ via: 'operator-key', uses: 1, expires: 'later' },
    ...change,
  } as unknown as RecordValue;
  return signEnvelope(approvalType, canonicalize(answer), [openSigningKey(key.privatePem)]);
}

const old = asked();
const given = (change: Partial<Record<keyof ApprovedBefore, unknown>> = {}): ApprovedBefore =>
  ({ record: old.record, view: old.view, answers: [yes(old.record)], ...change }) as unknown as ApprovedBefore;
const named = { hold: 'hld_0', view: old.record.view };
const { view: now } = asked({ hold: 'hld_1', body: 'amount=900', before: named });

describe('what a view is compared with', () => {
  it('is the request that the signed view names, approved by who is known', () => {
    expect(earlierOf(now, given(), people)).toEqual({ kind: 'checked', view: old.view, by: ['ada'] });
  });

  it('is nothing where the view names none, and said where it cannot be had', () => {
    const first = asked({ hold: 'hld_1' }).view;
    expect(earlierOf(first, null, people)).toEqual({ kind: 'first' });
    const { before: _, ...older } = first;
    expect(earlierOf(older, null, people)).toEqual({ kind: 'first' });
    expect(earlierOf(now, null, people)).toEqual({ kind: 'unreadable', hold: 'hld_0' });
  });

  it('is refused where a daemon shows another one', () => {
    const other = asked({ body: 'amount=900' });
    const elsewhere = asked({ path: '/other' });
    const third = asked({ hold: 'hld_9' });
    const wrong: [View, ApprovedBefore][] = [
      // Its own record and view fit each other, and are not those that the new view names.
      [now, given({ record: other.record, view: other.view, answers: [yes(other.record)] })],
      [now, given({ record: third.record, view: third.view, answers: [yes(third.record)] })],
      // The view alone, the body alone, a record that names another hold.
      [now, given({ view: other.view })],
      [now, given({ view: { ...old.view, payload: { encoding: 'utf8', data: 'amount=900' } } })],
      [now, given({ record: { ...old.record, id: 'hld_9' } })],
      // Named by the view, and of another kind.
      [
        asked({ hold: 'hld_1', before: { hold: 'hld_0', view: elsewhere.record.view } }).view,
        given({ record: elsewhere.record, view: elsewhere.view, answers: [yes(elsewhere.record)] }),
      ],
      [asked({ hold: 'hld_1' }).view, given()],
    ];
    for (const [view, before] of wrong) {
      expect(() => earlierOf(view, before, people)).toThrow(expect.objectContaining({ code: 'view-mismatch' }));
    }
  });

  it('is not taken for approved by a no, by another answer, or by a key that nobody has', () => {
    const unsigned = { kind: 'unsigned', hold: 'hld_0' };
    for (const answers of [
      [],
      [yes(old.record, { verdict: 'deny' })],
      [yes(old.record, { view: 'other' })],
      [yes(old.record, { hold: 'hld_9' })],
      [yes(old.record, { intent: 'other' })],
      [yes(old.record, { person: { iss, sub: 'bob' } })],
      [yes(old.record, {}, eve)],
      [{ payloadType: approvalType, payload: '', signatures: [] }],
    ]) {
      expect(earlierOf(now, given({ answers }), people)).toEqual(unsigned);
    }
    expect(earlierOf(now, given(), [])).toEqual(unsigned);
  });
});
