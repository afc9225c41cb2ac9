import {
  canonicalize,
  type EndorsementRecord,
  endorsementType,
  type Hold,
  type Intent,
  type Person,
  type RecordValue,
} from '@cordon/protocol';
import { createSigningKey, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkEndorsement,
  digestEndorsement,
  digestHold,
  type EndorsementQuestion,
  hashIntent,
  isDestination,
  isNamedBy,
  parseEndorsement,
  rangeText,
  trafficOf,
  usualFlow,
} from '../src/index.ts';
import { intentOf } from './support/world.ts';

const iss = 'local:0123456789abcdef';
const person = (sub: string): Person => ({ iss, sub });
const known = (sub: string, count = 1, groups: readonly string[] = []) => {
  const keys = Array.from({ length: count }, () => createSigningKey());
  return { sub, keys, entry: { person: person(sub), addedAt: '', groups, keys: keys.map((key) => key.pinned) } };
};
const ada = known('ada', 2);
const bob = known('bob', 1, ['finance']);
const eve = known('eve');

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const id = (kind: string, letter: string): string => `${kind}_0${letter.repeat(25)}`;
const session = id('ses', 'a');
const github = 'https://api.github.com:443';
const issue = (path = '/repos/acme/app/issues', more: Partial<Intent> = {}): Intent =>
  intentOf(github, 'POST', path, { session, payload: { sha256: 'f'.repeat(64), bytes: 100, kind: 'json' }, ...more });

const intent = issue();
const unnamed = ['account github/acme'];
const policy = { generation: 7, revision: 3, digest: digest('4'), engine: digest('5') };
const from = '2026-03-04T05:00:00.000Z';
const now = '2026-03-04T05:06:07.089Z';
const expires = '2026-03-04T06:00:00.000Z';
const floor = { ...usualFlow, ctxInteg: 0, argInteg: 0, ctxConf: 2, argConf: 2, clearance: 2, destInteg: 0 };
const hold: Hold = {
  ...{ v: 'hold/1', id: id('hld', 'a'), kind: 'intent', intent: hashIntent(intent), attempt: 'att_1', policy, floor },
  ...{ rung: { quorum: 1, strong: false }, groups: [], nonce: '6'.repeat(32), view: digest('7') },
  expires: '2026-03-04T05:15:00.000Z',
};
const two = { ...hold, rung: { quorum: 2, strong: false } };

function recordOf(who: typeof ada, change: Partial<EndorsementRecord> = {}, of = hold): EndorsementRecord {
  return {
    ...{ v: 'endorsement/1', id: id('end', 'a'), tenant: 'local', scope: { session }, hold: of.id },
    ...{ record: digestHold(of), destinations: unnamed, uses: 3, bytes: 10_000, from, expires },
    ...{ person: person(who.sub), via: 'operator-key' },
    ...change,
  } as EndorsementRecord;
}

function signed(who: typeof ada, change: Partial<EndorsementRecord> = {}, of = hold, key = 0): unknown {
  const signer = openSigningKey(who.keys[key]?.privatePem ?? '');
  const text = canonicalize(recordOf(who, change, of) as unknown as RecordValue);
  return signEnvelope(endorsementType, text, [signer]);
}

function check(change: Partial<EndorsementQuestion> = {}) {
  return checkEndorsement({
    ...{ hold, endorsements: [signed(ada)], intent, unnamed, rung: hold.rung, groups: [], flow: floor, policy, now },
    ...{ directory: [ada.entry, bob.entry], used: { uses: 0, bytes: 0 }, excluded: [] },
    ...change,
  });
}
const code = (change: Partial<EndorsementQuestion>): string => {
  const checked = check(change);
  return checked.ok ? 'ok' : checked.code;
};
const as = (change: Partial<EndorsementRecord>): string => code({ endorsements: [signed(ada, change)] });

describe('an endorsement counts', () => {
  it('for another request to the same destination, and says by whose records and what is left', () => {
    const other = issue('/repos/acme/other/issues');
    expect(check({ intent: other })).toEqual({
      ok: true,
      id: id('end', 'a'),
      approval: { quorum: 0, strong: false, ids: [digestEndorsement(recordOf(ada))] },
      left: { uses: 2, bytes: 10_000 - trafficOf(other) },
      people: [person('ada')],
    });
  });

  it('until its uses or its bytes are used up, whichever is first', () => {
    const bytes = trafficOf(intent);
    expect(code({ used: { uses: 2, bytes: 0 } })).toBe('ok');
    expect(code({ used: { uses: 3, bytes: 0 } })).toBe('endorsement-used');
    expect(code({ used: { uses: 0, bytes: 10_000 - bytes } })).toBe('ok');
    expect(code({ used: { uses: 0, bytes: 10_000 - bytes + 1 } })).toBe('endorsement-bytes');
    expect(bytes).toBeGreaterThan(100 + '/repos/acme/app/issues'.length);
  });

  it('for all sessions of an agent where it says so, under the tenant’s generation', () => {
    const elsewhere = issue(undefined, { session: id('ses', 'b') });
    const endorsements = [signed(ada, { scope: { agent: 'fixer' } })];
    const theirs = { ...policy, revision: 9, digest: digest('8') };
    expect(code({ intent: elsewhere, policy: theirs })).toBe('endorsement-other-session');
    expect(code({ endorsements, intent: elsewhere, policy: theirs })).toBe('ok');
    expect(code({ endorsements, policy: { ...theirs, generation: 8 } })).toBe('endorsement-other-policy');
    expect(code({ endorsements, policy: { ...theirs, engine: digest('8') } })).toBe('endorsement-other-policy');
    expect(code({ endorsements, intent: issue(undefined, { agent: 'other' }) })).toBe('endorsement-other-session');
  });

  it('with as many different people as the question wanted, and as policy wants now', () => {
    const both = [signed(ada, {}, two), signed(bob, {}, two)];
    expect(code({ hold: two, endorsements: [signed(ada, {}, two)] })).toBe('endorsement-quorum');
    expect(code({ hold: two, endorsements: both })).toBe('ok');
    // What it was made from took one person; what it would stand for here takes two.
    expect(code({ rung: two.rung })).toBe('endorsement-quorum');
    expect(code({ rung: two.rung, endorsements: [signed(ada), signed(bob)] })).toBe('ok');
    const twice = [signed(ada, {}, two), signed(ada, {}, two, 1)];
    expect(code({ hold: two, endorsements: twice })).toBe('endorsement-person-twice');
    const wider = [signed(ada, {}, two), signed(bob, { uses: 4 }, two)];
    expect(code({ hold: two, endorsements: wider })).toBe('endorsement-other-terms');
  });
});

describe('an endorsement is refused', () => {
  const foreign = { ...hold, nonce: '7'.repeat(32) };
  it.each<[string, Partial<EndorsementQuestion>, string]>([
    ['of nobody', { endorsements: [] }, 'endorsement-quorum'],
    ['of a stranger', { endorsements: [signed(eve)] }, 'endorsement-signature'],
    ['of somebody removed', { directory: [bob.entry] }, 'endorsement-signature'],
    ['that is none', { endorsements: [null] }, 'endorsement-signature'],
    ['in another name', { endorsements: [signed(ada, { person: person('bob') })] }, 'endorsement-person'],
    ['from another question', { endorsements: [signed(ada, { hold: id('hld', 'b') })] }, 'endorsement-other-hold'],
    ['whose question the store has changed', { hold: foreign }, 'endorsement-other-hold'],
    [
      'whose labels the store has changed',
      { hold: { ...hold, floor: { ...floor, ctxConf: 3 } } },
      'endorsement-other-hold',
    ],
    ['of another tenant', { endorsements: [signed(ada, { tenant: 'other' })] }, 'endorsement-other-tenant'],
    ['for another tenant', { intent: issue(undefined, { tenant: 'other' }) }, 'endorsement-other-tenant'],
    ['for another session', { intent: issue(undefined, { session: id('ses', 'b') }) }, 'endorsement-other-session'],
    ['under another generation', { policy: { ...policy, generation: 8 } }, 'endorsement-other-policy'],
    ['under another revision', { policy: { ...policy, revision: 4 } }, 'endorsement-other-policy'],
    ['under another digest', { policy: { ...policy, digest: digest('8') } }, 'endorsement-other-policy'],
    ['when its time is over', { now: expires }, 'endorsement-expired'],
    ['of whom four eyes exclude', { excluded: [person('ada')] }, 'endorsement-four-eyes'],
    ['for secret arguments', { flow: { ...floor, argConf: 3 } }, 'endorsement-secret'],
    ['in a session that has seen secrets', { flow: { ...floor, ctxConf: 3 } }, 'endorsement-secret'],
    ['for another account', { unnamed: ['account github/evil'] }, 'endorsement-other-place'],
    ['for one more name', { unnamed: [...unnamed, 'email a@x.example'] }, 'endorsement-other-place'],
    ['for nothing that it names', { unnamed: [] }, 'endorsement-other-place'],
    ['where a strong one is asked for', { rung: { quorum: 1, strong: true } }, 'endorsement-quorum'],
  ])('%s', (_name, change, expected) => {
    expect(code(change)).toBe(expected);
  });

  it('made from a question that wanted a strong key, or a group', () => {
    const strong = { ...hold, rung: { quorum: 1, strong: true } };
    expect(code({ hold: strong, endorsements: [signed(ada, {}, strong)] })).toBe('endorsement-quorum');
    const finance = { ...hold, groups: ['finance'] };
    expect(code({ hold: finance, endorsements: [signed(ada, {}, finance)] })).toBe('endorsement-group');
    expect(code({ hold: finance, endorsements: [signed(bob, {}, finance)] })).toBe('ok');
    expect(code({ groups: ['finance'] })).toBe('endorsement-group');
    expect(check({ groups: ['finance', 'legal'], endorsements: [signed(bob)] })).toMatchObject({
      ok: true,
      approval: { groups: ['finance', 'legal'] },
    });
    // Who left the group after signing.
    const directory = [ada.entry, { ...bob.entry, groups: [] }];
    expect(code({ hold: finance, directory, endorsements: [signed(bob, {}, finance)] })).toBe('endorsement-group');
  });

  it('when the session has seen worse since, and not when it has seen better, or this request is another one', () => {
    const fine = { ...hold, floor: { ...floor, ctxInteg: 1, argInteg: 1, ctxConf: 1, argConf: 1, clearance: 1 } };
    const endorsements = [signed(ada, {}, fine)];
    const asked = (change: Partial<typeof floor>): string =>
      code({ hold: fine, endorsements, flow: { ...fine.floor, ...change } });
    expect(asked({})).toBe('ok');
    for (const worse of [{ ctxInteg: 0 }, { argInteg: 0 }, { ctxConf: 2 }, { argConf: 2 }, { clearance: 0 }]) {
      expect(asked(worse), JSON.stringify(worse)).toBe('endorsement-floor');
    }
    const readers = { ...fine, floor: { ...fine.floor, readersOk: true } };
    const theirs = { hold: readers, endorsements: [signed(ada, {}, readers)] };
    expect(code({ ...theirs, flow: { ...readers.floor, readersOk: false } })).toBe('endorsement-floor');
    expect(asked({ ctxInteg: 4, argConf: 0, clearance: 3, readersOk: true, destInteg: 0, leakOk: false })).toBe('ok');
    const { ctxInteg: _, ...missing } = fine.floor;
    expect(code({ hold: fine, endorsements, flow: missing as typeof floor })).toBe('endorsement-floor');
  });

  it('with two signatures in one envelope: each is one person’s', () => {
    const signers = [ada, bob].map(({ keys }) => openSigningKey(keys[0]?.privatePem ?? ''));
    // In whose name it is, and whose signature is looked at first, makes no difference.
    for (const who of [ada, bob]) {
      const text = canonicalize(recordOf(who) as unknown as RecordValue);
      expect(code({ endorsements: [signEnvelope(endorsementType, text, signers)] })).toBe('endorsement-person');
    }
  });

  it('without an end in time, uses, bytes or names', () => {
    expect(as({})).toBe('ok');
    for (const change of [
      ...[{ uses: 0 }, { uses: 1001 }, { bytes: 0 }, { bytes: 64 * 1024 * 1024 + 1 }],
      { expires: '2026-03-04T13:00:00.001Z' },
      ...[{ expires: from }, { from: '2026-03-04' }, { destinations: [] }, { via: 'webauthn' as const }],
      { destinations: ['account github/b', 'account github/a'] },
      { destinations: ['account github/a', 'account github/a'] },
      { destinations: Array.from({ length: 17 }, (_, at) => `id ${String(at).padStart(2, '0')}`) },
      { scope: {} as never },
      { scope: { session, agent: 'fixer' } as never },
    ]) {
      expect(as(change as Partial<EndorsementRecord>), JSON.stringify(change)).toBe('endorsement-malformed');
    }
    expect(as({ expires: '2026-03-04T13:00:00.000Z', uses: 1000, bytes: 64 * 1024 * 1024 })).toBe('ok');
  });
});

describe('what an endorsement names', () => {
  const acme = `range ${github}/repos/acme/**`;

  it.each<[string, string, string, boolean]>([
    [acme, 'account github/acme', '/repos/acme/app/issues', true],
    [acme, 'account github/acme', '/repos/acme', true],
    [acme, 'account github/acme', '/repos/acmes/app', false],
    [acme, 'account github/evil', '/repos/evil/app', false],
    [acme, 'account github/evil', '/repos/acme/app', false],
    [acme, 'email boss@acme.example', '/repos/acme/app', false],
    [acme, `target ${github}/repos/acme/app`, '/repos/acme/app', false],
    [acme, `destination ${github}`, '/repos/acme/app', true],
    [acme, 'destination https://other.example:443', '/repos/acme/app', false],
    ['range https://other.example:443/repos/acme/**', 'account github/acme', '/repos/acme/app', false],
    [`range ${github}/repos/*/app/**`, 'account github/acme', '/repos/acme/app/x', false],
    [`range ${github}/repos/acme/app`, 'account github/acme', '/repos/acme/app', true],
    [`range ${github}/repos/acme/app`, 'account github/acme', '/repos/acme/app/x', false],
    ['account github/acme', 'account github/acme', '/repos/acme/app', true],
    ['account github/acme', 'account github/acmes', '/repos/acme/app', false],
    [`target ${github}/repos/acme/app`, `target ${github}/repos/acme/app`, '/repos/acme/app', true],
  ])('%s names %s of %s: %s', (destination, name, path, expected) => {
    expect(isNamedBy([destination], name, issue(path))).toBe(expected);
  });

  it('is one host and a path that is written out, in one spelling', () => {
    expect(rangeText('https://api.github.com/repos/acme/**')).toBe(acme);
    for (const text of [
      ...['https://api.github.com', 'https://api.github.com/**', 'https://api.github.com/*/acme', 'tcp://x.example:1'],
      ...['https://*.example.com/a/**', 'https://a b/c', 'wss://a.example/b', 'https://a.example/../b', ''],
    ]) {
      expect(rangeText(text), text).toBeNull();
    }
    for (const text of [acme, 'account github/acme', 'email a@x.example', 'id C1', 'money 12']) {
      expect(isDestination(text), text).toBe(true);
    }
    for (const text of [
      ...['', 'account', 'account ', ' x', 'anything x', 'range https://api.github.com/repos/acme/**'],
      ...['range https://API.github.com:443/repos/acme/**', `id ${'x'.repeat(1100)}`, 'id \ud800'],
    ]) {
      expect(isDestination(text), text).toBe(false);
    }
  });
});

describe('the record of an endorsement', () => {
  const bytes = Buffer.from((signed(ada) as { payload: string }).payload, 'base64');

  it('is read in its one form alone', () => {
    expect(parseEndorsement(bytes)).toEqual(recordOf(ada));
    const text = bytes.toString();
    const spoilt = [
      `${text} `,
      text.replace('{"bytes"', '{"a":1,"bytes"'),
      text.replace('"uses":3', '"uses":3.0'),
      text.replace('"uses":3', '"uses":3,"uses":3'),
      text.replace('endorsement/1', 'endorsement/2'),
      text.replace('"sub":"ada"', '"sub":"Ada"'),
      text.replace(`"session":"${session}"`, '"session":"x"'),
      text.replace(`"session":"${session}"`, '"agent":"a b"'),
      text.replace('"tenant":"local"', '"tenant":1'),
      text.replace('"id":"end_', '"id":"hld_'),
      text.replace('"hold":"hld_', '"hold":"end_'),
      text.replace('"record":"sha256:', '"record":"sha1:'),
      text.replace('account github/acme', 'account'),
      '[]',
      '',
    ];
    for (const each of spoilt) expect(parseEndorsement(Buffer.from(each)), each).toBeNull();
    expect(parseEndorsement(Buffer.alloc(25_000, 0x20))).toBeNull();
  });

  it('never comes out of other bytes', () => {
    const mutated = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(mutated, ([at, flip]) => {
        const other = Buffer.from(bytes);
        other[at] = (other[at] ?? 0) ^ flip;
        const two = parseEndorsement(other);
        expect(two === null || digestEndorsement(two) !== digestEndorsement(recordOf(ada))).toBe(true);
      }),
    );
  });
});
