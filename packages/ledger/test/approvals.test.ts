import { describe, expect, it } from 'vitest';
import {
  type EntryDraft,
  type JudgeApproval,
  type JudgeEndorsement,
  type PartReport,
  verifyLedger,
} from '../src/index.ts';
import { journalsOf, openTestJournal, temporary } from './rig.ts';

const ada = { iss: 'local:x', sub: 'ada' };
const key = (id: string) => ({ id, algorithm: 'ed25519', publicKey: 'AA' });

const people = (act: 'add' | 'remove', id = 'k1'): EntryDraft => ({
  session: null,
  type: 'admin',
  data: { act: `people.${act}`, by: 'cordond', person: ada, ...(act === 'add' ? { key: key(id) } : { keys: [id] }) },
});
const hold = (act = 'open'): EntryDraft => ({
  session: 'ses_a',
  type: 'hold',
  data: act === 'open' ? { act, record: { id: 'hld_1' } } : { act, hold: 'hld_1', reason: 'x' },
});
const answer = (envelope = 'signed'): EntryDraft => ({
  session: 'ses_a',
  type: 'approval',
  data: { hold: 'hld_1', verdict: 'approve' },
  body: JSON.stringify({ envelope, reason: '' }),
});
const used = (attempt = 'att_1', of = 'hld_1'): EntryDraft => ({
  session: 'ses_a',
  type: 'approval.used',
  data: { hold: of, attempt, approvals: ['a'] },
});
const allow = (attempt = 'att_1', approval: unknown = { quorum: 1, strong: false, ids: ['a'] }): EntryDraft => ({
  session: 'ses_a',
  type: 'decision',
  data: { attempt, outcome: 'allow' },
  body: JSON.stringify({ decision: {}, ...(approval === null ? {} : { approval }) }),
});

const asked: Parameters<JudgeApproval>[0][] = [];
const says =
  (answered: ReturnType<JudgeApproval>): JudgeApproval =>
  (use) => {
    asked.push(use);
    return answered;
  };
const good = says({ quorum: 1, ids: ['a'], groups: [] });

const nobody: JudgeEndorsement = () => 'not asked';

async function verify(
  control: EntryDraft[],
  gateway: EntryDraft[],
  judge: JudgeApproval = good,
  judgeEndorsement: JudgeEndorsement = nobody,
): Promise<PartReport> {
  const root = temporary();
  asked.length = 0;
  {
    await using cp = await openTestJournal(root, { writer: 'cp' });
    for (const draft of control) await cp.append({ ...draft, seq: null }, 'os');
    await using gw = await openTestJournal(root);
    for (const draft of gateway) await gw.append(draft, 'os');
  }
  const journals = journalsOf(root);
  const report = verifyLedger({
    journals,
    tree: null,
    verifierKey: null,
    parts: ['approvals'],
    approvals: { judge, judgeEndorsement },
  });
  return report.parts[0] ?? (undefined as never);
}
const codes = ({ failures }: PartReport): string[] => failures.map(({ code }) => code);
const asUsual = [people('add'), hold(), answer(), used()];

const raised = (attempt = 'att_1', by = 10, resource = 'agent/robot'): EntryDraft => {
  const raise = { unit: 'requests', window: 'ever', max: 10, by: 10 };
  return {
    session: 'ses_a',
    type: 'budget',
    data: { act: 'raised', attempt, hold: 'hld_1', account: 'agent/robot', ...raise, by },
    body: JSON.stringify({ decision: {}, facts: {}, intent: { resource, args: raise } }),
  };
};

describe('a budget that was raised', () => {
  it('was raised by the use of answers that count, and by what they were asked for', async () => {
    const report = await verify([...asUsual, raised()], []);
    expect(report).toMatchObject({ ok: true, counts: { raised: 1, usesWithoutEffect: 0 } });
    expect(codes(await verify([...asUsual, raised('att_2')], []))).toEqual(['unapproved']);
    expect(codes(await verify([...asUsual, raised('att_1', 1_000)], []))).toEqual(['approval']);
    expect(codes(await verify([...asUsual, raised('att_1', 10, 'tenant/local')], []))).toEqual(['approval']);
    expect(codes(await verify([...asUsual, raised()], [], says('approval-quorum')))).toEqual(['approval']);
  });
});

describe('the part approvals', () => {
  it('asks about each allow that people let through, with what was on record when it was used', async () => {
    const report = await verify([...asUsual, people('remove')], [allow(), allow('att_2', null)]);
    expect(report).toMatchObject({ ok: true, open: false, counts: { approved: 1, uses: 1, answers: 1, holds: 1 } });
    expect(asked).toMatchObject([
      { hold: { id: 'hld_1' }, envelopes: ['signed'], used: 0, directory: [{ person: ada, keys: [key('k1')] }] },
    ]);
  });

  it('gives no answer, key or person that came later, and none that was gone', async () => {
    await verify([people('add'), hold(), answer(), used(), answer('later'), people('add', 'k2')], [allow()]);
    expect(asked).toMatchObject([{ envelopes: ['signed'], directory: [{ keys: [key('k1')] }] }]);
    await verify([people('add'), people('remove'), hold(), answer(), used()], [allow()]);
    expect(asked).toMatchObject([{ directory: [] }]);
  });

  it('says in which groups everybody was when it was used, who signed the policy and who started the session', async () => {
    const admin = (data: object): EntryDraft => ({
      session: null,
      type: 'admin',
      data: { by: 'cordond', person: ada, ...data },
    });
    const start: EntryDraft = {
      ...{ session: 'ses_a', type: 'session.start', body: '{"policy":{}}' },
      data: { phase: 'order', by: 'eve', revision: 1 },
    };
    const signed: EntryDraft = {
      ...{ session: null, type: 'policy', body: '{"policy":{}}' },
      data: { act: 'activate', generation: 1, signedBy: [ada] },
    };
    const seen: unknown[] = [];
    const judge: JudgeApproval = (use, _decision, policies) => {
      seen.push(
        use.directory.map(({ groups }) => groups),
        policies.signers(1),
        policies.signers(2),
        policies.starter('ses_a'),
      );
      return 'seen';
    };
    const first = admin({ act: 'people.add', key: key('k1'), groups: ['finance', 7] });
    const later = admin({ act: 'people.groups', groups: ['ops'] });
    await verify([start, signed, first, hold(), answer(), used(), later], [allow()], judge);
    expect(seen).toEqual([[['finance']], [ada], [], 'eve']);
    seen.length = 0;
    await verify([first, later, hold(), answer(), used()], [allow()], judge);
    expect(seen[0]).toEqual([['ops']]);
    seen.length = 0;
    // Who is in no list is in no group, and a group makes nobody known.
    await verify([admin({ act: 'people.groups', groups: ['ops'] }), hold(), answer(), used()], [allow()], judge);
    expect(seen[0]).toEqual([]);
  });

  it('names a decision that rests on other groups than were asked', async () => {
    const other = { quorum: 1, strong: false, ids: ['a'], groups: ['ops'] };
    expect(codes(await verify(asUsual, [allow('att_1', other)]))).toEqual(['approval']);
  });

  it('counts uses, so that the judge sees a second one as the second', async () => {
    await verify([...asUsual, used('att_2')], [allow(), allow('att_2')]);
    expect(asked.map((use) => use.used)).toEqual([0, 1]);
  });

  it('names an approval that nobody gave', async () => {
    expect(codes(await verify([people('add'), hold(), answer()], [allow()]))).toEqual(['unapproved']);
    expect(codes(await verify(asUsual, [allow('att_9')]))).toEqual(['unapproved']);
    expect(asked).toEqual([]);
  });

  it('names answers that do not count, and answers that are not those of the decision', async () => {
    const why = await verify(asUsual, [allow()], says('approval-signature'));
    expect([codes(why), why.failures[0]?.detail]).toEqual([['approval'], 'approval-signature']);
    expect(codes(await verify(asUsual, [allow()], says({ quorum: 2, ids: ['a'], groups: [] })))).toEqual(['approval']);
    expect(codes(await verify(asUsual, [allow()], says({ quorum: 1, ids: ['b'], groups: [] })))).toEqual(['approval']);
    expect(codes(await verify(asUsual, [allow('att_1', null)]))).toEqual(['approval']);
  });

  it('names a use of what was void, of what was never asked, and two of one attempt', async () => {
    const late = [people('add'), hold(), answer(), hold('void'), used()];
    expect(codes(await verify(late, [allow()]))).toEqual(['use']);
    expect(codes(await verify([used()], []))).toEqual(['hold']);
    expect(codes(await verify([answer()], []))).toEqual(['hold']);
    expect(codes(await verify([...asUsual, used()], [allow()]))).toEqual(['use']);
  });

  it('counts a use without an effect, which a crash explains', async () => {
    expect(await verify(asUsual, [])).toMatchObject({ ok: true, counts: { usesWithoutEffect: 1 } });
  });
});

const endorsed = (act = 'sign', envelope = 'e1'): EntryDraft => ({
  session: 'ses_a',
  type: 'endorsement',
  data: { act, id: 'end_1', hold: 'hld_1', reason: '' },
  ...(act === 'sign' ? { body: JSON.stringify({ envelope }) } : {}),
});
const usedIt = (attempt = 'att_1', bytes = 7): EntryDraft => ({
  session: 'ses_a',
  type: 'endorsement.used',
  data: { id: 'end_1', attempt, bytes, rung: { quorum: 1, strong: false } },
  body: JSON.stringify({ named: ['account github/acme'] }),
});
const byName = (attempt = 'att_1') => allow(attempt, { quorum: 0, strong: false, ids: ['e'] });

describe('the part approvals, of what went out because people had named it', () => {
  const uses: Parameters<JudgeEndorsement>[0][] = [];
  const names =
    (answered: ReturnType<JudgeEndorsement>): JudgeEndorsement =>
    (use) => {
      uses.push(use);
      return answered;
    };
  const yes = names({ ids: ['e'], groups: [] });
  const ask = (control: EntryDraft[], gateway: EntryDraft[], judge = yes) => {
    uses.length = 0;
    return verify([people('add'), hold(), ...control], gateway, good, judge);
  };

  it('asks about each with the signatures, people, uses and bytes of then', async () => {
    const control = [endorsed(), usedIt(), usedIt('att_2', 5), endorsed('sign', 'later'), endorsed('withdrawn')];
    const report = await ask(control, [byName(), byName('att_2')]);
    expect(report).toMatchObject({ ok: true, counts: { endorsements: 1, endorsedUses: 2, endorsed: 2 } });
    const then = { id: 'end_1', hold: { id: 'hld_1' }, envelopes: ['e1'], directory: [{ person: ada }] };
    expect(uses).toMatchObject([
      { ...then, named: ['account github/acme'], rung: { quorum: 1 }, used: { uses: 0, bytes: 0 }, bytes: 7 },
      { ...then, used: { uses: 1, bytes: 7 }, bytes: 5 },
    ]);
  });

  it('names a use that is not on record, of nothing that is, after its end, and two of one attempt', async () => {
    expect(codes(await ask([endorsed()], [byName()]))).toEqual(['unapproved']);
    expect(codes(await ask([usedIt()], []))).toEqual(['endorsement']);
    for (const end of ['withdrawn', 'expired', 'void']) {
      expect(codes(await ask([endorsed(), endorsed(end), usedIt()], [byName()])), end).toEqual(['use']);
    }
    expect(codes(await ask([endorsed(), usedIt(), usedIt()], [byName()]))).toEqual(['use']);
    expect(codes(await verify([people('add'), endorsed(), usedIt()], [byName()], good, yes))).toContain('endorsement');
  });

  it('names signatures that do not count, others than the decision names, and an approval in their place', async () => {
    const why = await ask([endorsed(), usedIt()], [byName()], names('endorsement-expired'));
    expect([codes(why), why.failures[0]?.detail]).toEqual([['approval'], 'endorsement-expired']);
    expect(codes(await ask([endorsed(), usedIt()], [byName()], names({ ids: ['f'], groups: [] })))).toEqual([
      'approval',
    ]);
    // A use of names is no use of a yes, and the other way round.
    expect(codes(await ask([endorsed(), usedIt()], [allow()]))).toEqual(['unapproved']);
    expect(codes(await ask([answer(), used()], [byName()]))).toEqual(['unapproved']);
    expect(codes(await ask([endorsed(), usedIt()], [allow('att_1', null)]))).toEqual(['approval']);
  });

  it('counts a use without an effect', async () => {
    expect(await ask([endorsed(), usedIt()], [])).toMatchObject({ ok: true, counts: { usesWithoutEffect: 1 } });
  });
});
