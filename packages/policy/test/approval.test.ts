import {
  type ApprovalRecord,
  approvalType,
  canonicalize,
  type Hold,
  type Person,
  type RecordValue,
} from '@cordon/protocol';
import { createSigningKey, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ApprovalQuestion,
  checkApprovals,
  digestApproval,
  hashIntent,
  parseApproval,
  usualFlow,
} from '../src/index.ts';
import { intentOf } from './support/world.ts';

const iss = 'local:0123456789abcdef';
const person = (sub: string): Person => ({ iss, sub });
const known = (sub: string, count = 1) => {
  const keys = Array.from({ length: count }, () => createSigningKey());
  return {
    sub,
    keys,
    entry: { person: person(sub), addedAt: '', keys: keys.map((key) => key.pinned), groups: [] as string[] },
  };
};
const ada = known('ada', 2);
const bob = known('bob');
const eve = known('eve');

const intent = intentOf();
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const policy = { generation: 7, revision: 3, digest: digest('4'), engine: digest('5') };
const now = '2026-03-04T05:06:07.089Z';
const later = '2026-03-04T05:21:07.089Z';
const hold: Hold = {
  v: 'hold/1',
  id: `hld_0${'a'.repeat(25)}`,
  kind: 'intent',
  intent: hashIntent(intent),
  attempt: 'att_1',
  policy,
  floor: {
    ...usualFlow,
    ctxInteg: 1,
    ctxConf: 1,
    argConf: 1,
    clearance: 1,
    argInteg: 1,
    destInteg: 2,
    leakOk: true,
  },
  rung: { quorum: 1, strong: false },
  groups: [],
  nonce: '6'.repeat(32),
  view: digest('7'),
  expires: later,
};

function answer(who: typeof ada, change: Partial<ApprovalRecord> = {}, key = 0): unknown {
  const record: ApprovalRecord = {
    ...{ v: 'approval/1', hold: hold.id, intent: hold.intent, policy, nonce: hold.nonce, view: hold.view },
    ...{ verdict: 'approve', person: person(who.sub), via: 'operator-key', uses: 1, expires: later },
    ...change,
  } as ApprovalRecord;
  const signer = openSigningKey(who.keys[key]?.privatePem ?? '');
  return signEnvelope(approvalType, canonicalize(record as unknown as RecordValue), [signer]);
}

function check(change: Partial<ApprovalQuestion> = {}) {
  return checkApprovals({
    ...{ hold, approvals: [answer(ada)], intent, flow: hold.floor, policy, now },
    ...{ directory: [ada.entry, bob.entry], used: 0, excluded: [] },
    ...change,
  });
}
const code = (change: Partial<ApprovalQuestion>) => {
  const checked = check(change);
  return checked.ok ? 'ok' : checked.code;
};
const two = { ...hold, rung: { quorum: 2, strong: false } };

describe('an approval counts', () => {
  it('for this very intent, and says whose answers it was', () => {
    const checked = check();
    expect(checked).toMatchObject({
      ok: true,
      left: 1,
      people: [person('ada')],
      approval: { quorum: 1, strong: false },
    });
    expect(checked.ok && checked.approval.ids).toHaveLength(1);
    expect(checked.ok && checked.approval.ids[0]).toMatch(/^sha256:/);
  });

  it('towards a quorum of two different people', () => {
    expect(code({ hold: two })).toBe('approval-quorum');
    expect(code({ hold: two, approvals: [answer(ada), answer(bob)] })).toBe('ok');
    // More agree than are needed: as often as the strictest of them said.
    const both = check({ hold: two, approvals: [answer(ada, { uses: 5 }), answer(bob, { uses: 3 })], used: 1 });
    expect(both).toMatchObject({ ok: true, left: 2, approval: { quorum: 2 } });
  });
});

describe('an approval is refused', () => {
  it.each<[string, Partial<ApprovalQuestion>, string]>([
    ['for other bytes', { intent: intentOf(undefined, 'POST') }, 'approval-other-intent'],
    [
      'for another session',
      { intent: intentOf(undefined, 'GET', '/repos/acme', { session: 'ses_2' }) },
      'approval-other-intent',
    ],
    [
      'for another tenant',
      { intent: intentOf(undefined, 'GET', '/repos/acme', { tenant: 'other' }) },
      'approval-other-intent',
    ],
    ['under another generation', { policy: { ...policy, generation: 8 } }, 'approval-other-policy'],
    ['under another revision', { policy: { ...policy, revision: 4 } }, 'approval-other-policy'],
    ['under another digest', { policy: { ...policy, digest: digest('8') } }, 'approval-other-policy'],
    ['under another engine', { policy: { ...policy, engine: digest('8') } }, 'approval-other-policy'],
    [
      'when the question has expired, though it has not',
      { now: later, approvals: [answer(ada, { expires: '2026-03-05T00:00:00.000Z' })] },
      'approval-expired',
    ],
    ['when the question has expired', { now: later }, 'approval-expired'],
    ['when it has expired itself', { approvals: [answer(ada, { expires: now })] }, 'approval-expired'],
    ['when it was used', { used: 1 }, 'approval-used'],
    ['when all its uses are', { approvals: [answer(ada, { uses: 3 })], used: 3 }, 'approval-used'],
    ['of another hold', { approvals: [answer(ada, { hold: `hld_0${'b'.repeat(25)}` })] }, 'approval-other-hold'],
    ['of another intent', { approvals: [answer(ada, { intent: digest('8') })] }, 'approval-other-intent'],
    [
      'of another policy',
      { approvals: [answer(ada, { policy: { ...policy, revision: 2 } })] },
      'approval-other-policy',
    ],
    ['with another nonce', { approvals: [answer(ada, { nonce: '8'.repeat(32) })] }, 'approval-other-nonce'],
    ['of another view', { approvals: [answer(ada, { view: digest('8') })] }, 'approval-other-view'],
    ['of nobody', { approvals: [] }, 'approval-quorum'],
    [
      'of one person twice under two keys',
      { hold: two, approvals: [answer(ada), answer(ada, {}, 1)] },
      'approval-person-twice',
    ],
    ['of one answer given twice', { hold: two, approvals: [answer(ada), answer(ada)] }, 'approval-person-twice'],
    ['of a stranger', { approvals: [answer(eve)] }, 'approval-signature'],
    ['of somebody removed', { directory: [bob.entry] }, 'approval-signature'],
    ['in another name', { approvals: [answer(ada, { person: person('bob') })] }, 'approval-person'],
    [
      'in another issuer’s name',
      { approvals: [answer(ada, { person: { iss: 'local:x', sub: 'ada' } })] },
      'approval-person',
    ],
    ['of the person acted for, where four eyes are wanted', { excluded: [person('ada')] }, 'approval-four-eyes'],
    [
      'when somebody said no',
      { hold: two, approvals: [answer(ada), answer(bob, { verdict: 'deny' })] },
      'approval-denied',
    ],
    [
      'beside enough others, when somebody said no',
      { approvals: [answer(ada), answer(bob, { verdict: 'deny' })] },
      'approval-denied',
    ],
    ['where a strong one is asked for', { hold: { ...hold, rung: { quorum: 1, strong: true } } }, 'approval-quorum'],
    ['where a group is asked for', { hold: { ...hold, groups: ['finance'] } }, 'approval-group'],
    ['with too many uses', { approvals: [answer(ada, { uses: 21 })] }, 'approval-malformed'],
    ['by a browser, which is not read here', { approvals: [answer(ada, { via: 'webauthn' })] }, 'approval-malformed'],
    ['that is none', { approvals: [null] }, 'approval-signature'],
  ])('%s', (_name, change, expected) => {
    expect(code(change)).toBe(expected);
  });

  it('when any label is worse than when it was asked for, and not when it is better', () => {
    const { floor } = hold;
    const worse = {
      ...{ argInteg: 0, ctxInteg: 0, destInteg: 1, clearance: 0 },
      ...{ argConf: 2, ctxConf: 2, leakOk: false },
    };
    for (const [name, value] of Object.entries(worse)) {
      expect(code({ flow: { ...floor, [name]: value } }), name).toBe('approval-floor');
    }
    for (const name of ['readersOk', 'linksOk'] as const) {
      const fine = { ...hold, floor: { ...floor, [name]: true } };
      expect(code({ hold: fine, flow: { ...floor, [name]: false } }), name).toBe('approval-floor');
    }
    const better = {
      ...floor,
      argInteg: 4,
      ctxInteg: 4,
      destInteg: 4,
      clearance: 3,
      argConf: 0,
      ctxConf: 0,
      readersOk: true,
    };
    expect(code({ flow: better })).toBe('ok');
    const { leakOk: _, ...missing } = floor;
    expect(code({ flow: missing as typeof floor })).toBe('approval-floor');
  });

  it('with two signatures in one envelope: an answer is one person’s', () => {
    const signers = [ada, bob].map(({ keys }) => openSigningKey(keys[0]?.privatePem ?? ''));
    // In whose name it is, and whose signature is looked at first, makes no difference.
    for (const who of [ada, bob]) {
      const { payload } = answer(who) as { payload: string };
      const text = Buffer.from(payload, 'base64').toString();
      expect(code({ approvals: [signEnvelope(approvalType, text, signers)] })).toBe('approval-person');
    }
  });
});

describe('the record of an answer', () => {
  const bytes = Buffer.from((answer(ada) as { payload: string }).payload, 'base64');

  it('is read in its one form alone', () => {
    const record = parseApproval(bytes);
    expect(record).toMatchObject({ v: 'approval/1', hold: hold.id });
    expect(record === null ? '' : digestApproval(record)).toMatch(/^sha256:/);
    const text = bytes.toString();
    const spoilt = [
      `${text} `,
      text.replace('"hold":', '"hold" :'),
      text.replace('{"expires"', '{"extra":1,"expires"'),
      text.replace('"uses":1', '"uses":1.0'),
      text.replace('"uses":1', '"uses":1,"uses":1'),
      text.replace('approval/1', 'approval/2'),
      text.replace('"verdict":"approve"', '"verdict":"maybe"'),
      text.replace('"sub":"ada"', '"sub":"Ada"'),
      text.replace('.089Z', 'Z'),
      '[]',
      '',
    ];
    for (const each of spoilt) expect(parseApproval(Buffer.from(each)), each).toBeNull();
    expect(parseApproval(Buffer.alloc(9000, 0x20))).toBeNull();
  });

  it('never comes out of other bytes', () => {
    const mutated = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(mutated, ([at, flip]) => {
        const other = Buffer.from(bytes);
        other[at] = (other[at] ?? 0) ^ flip;
        const [one, two] = [parseApproval(bytes), parseApproval(other)];
        expect(two === null || one === null || digestApproval(two) !== digestApproval(one)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (any) => {
        expect(parseApproval(any)).toBeNull();
      }),
    );
  });
});

describe('where a group is asked', () => {
  const inGroups = (who: typeof ada, ...groups: string[]) => ({ ...who.entry, groups });
  const asked = { ...hold, groups: ['finance'] };
  const pair = { ...two, groups: ['finance', 'legal'] };

  it('its people count, and the decision is told who was asked', () => {
    const directory = [inGroups(ada, 'finance', 'ops'), inGroups(bob)];
    expect(check({ hold: asked, directory })).toMatchObject({ ok: true, approval: { groups: ['finance'] } });
    const anybody = check({ directory });
    expect(anybody.ok && 'groups' in anybody.approval).toBe(false);
  });

  it('nobody else counts, by the list of now', () => {
    expect(code({ hold: asked })).toBe('approval-group');
    expect(code({ hold: asked, directory: [inGroups(ada, 'legal')] })).toBe('approval-group');
    // One who has left keeps the others from counting as well: the question is asked anew.
    const left = [inGroups(ada, 'finance'), inGroups(bob)];
    expect(code({ hold: pair, approvals: [answer(ada), answer(bob)], directory: left })).toBe('approval-group');
  });

  it('somebody in two of the groups is one person', () => {
    const directory = [inGroups(ada, 'finance', 'legal'), inGroups(bob, 'legal')];
    expect(code({ hold: pair, directory })).toBe('approval-quorum');
    expect(code({ hold: pair, approvals: [answer(ada), answer(ada, {}, 1)], directory })).toBe('approval-person-twice');
    expect(code({ hold: pair, approvals: [answer(ada), answer(bob)], directory })).toBe('ok');
  });

  it('a no is everybody’s', () => {
    const directory = [inGroups(ada, 'finance'), inGroups(bob)];
    const answers = [answer(ada), answer(bob, { verdict: 'deny' })];
    expect(code({ hold: asked, approvals: answers, directory })).toBe('approval-denied');
  });
});
