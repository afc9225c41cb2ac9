import { type ApprovalReceipt, approvalType, type HoldOrder, type RecordValue, receiptType } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { createSigningKey, openEnvelope } from '@cordon/protocol/dsse';
import { describe, expect, test } from 'vitest';
import { flow, Rig } from './approval-rig.ts';
import { until } from './harness.ts';

describe('a hold', () => {
  test('is shown whole, answered by a signature, used once with a receipt for this gateway, and all is in the ledger', async () => {
    await using rig = await Rig.start();
    const news = await rig.open();
    expect(news).toMatchObject({ state: 'open', session: rig.session });
    const { hold, record, view } = await rig.detail(news.hold);
    expect(hold).toMatchObject({ state: 'open', summary: 'POST https://pay.example/pay', answers: [], used: 0 });
    expect(record).toMatchObject({
      v: 'hold/1',
      kind: 'intent',
      floor: flow,
      groups: [],
      nonce: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(digestRecord('view', view as unknown as RecordValue)).toBe(record.view);
    expect(view).toMatchObject({ payload: { data: 'amount=10' }, code: 'approval-required', person: 'ada' });
    // The same bytes are one question.
    expect((await rig.open()).hold).toBe(news.hold);
    await expect(rig.use(news.hold)).rejects.toMatchObject({ code: 'hold-settled' });

    const answered = await rig.answer(news.hold);
    expect(answered.status, answered.text).toBe(201);
    expect(answered.json).toMatchObject({
      state: 'approved',
      answers: [{ verdict: 'approve', person: { sub: 'ada' } }],
    });
    await until(() => rig.gateway.news.some(({ state }) => state === 'approved'));
    const taken = await rig.use(news.hold);
    const opened = openEnvelope(taken.receipt, receiptType, [rig.harness.approvalKey.pinned]);
    const receipt = JSON.parse(opened.ok ? opened.payload.toString() : '{}') as ApprovalReceipt;
    expect(receipt).toMatchObject({
      gateway: 'bot_gw',
      attempt: 'att_2',
      use: 1,
      session: rig.session,
      hold: news.hold,
    });
    expect(Date.parse(receipt.expires) - Date.now()).toBeLessThan(300_000);
    expect(taken.approvals).toHaveLength(1);
    await expect(rig.use(news.hold, undefined, 'att_3')).rejects.toMatchObject({ code: 'hold-settled' });
    // Once it is settled nothing of what it was about stays in the database.
    expect(await rig.detail(news.hold)).toMatchObject({ hold: { state: 'used', used: 1 }, view: null });
    // Asked again, it is another question.
    expect((await rig.open()).hold).not.toBe(news.hold);

    const [held] = await rig.harness.entries('hold');
    expect(held).toMatchObject({ act: 'open', record: { id: news.hold } });
    const [approval] = await rig.harness.entries('approval');
    expect(approval).toMatchObject({ hold: news.hold, verdict: 'approve', selfApproved: true, person: { sub: 'ada' } });
    const [used] = await rig.harness.entries('approval.used');
    expect(used).toMatchObject({ hold: news.hold, attempt: 'att_2', use: 1, left: 0, gateway: 'bot_gw' });
    expect(used?.['approvals']).toEqual([approval?.['approval']]);
  });

  test('has one use, however many ask for it at once', async () => {
    await using rig = await Rig.start();
    const { hold } = await rig.open();
    await rig.answer(hold);
    const tries = Array.from({ length: 1000 }, (_, i) => rig.use(hold, undefined, `att_${i}`));
    const settled = await Promise.allSettled(tries);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = settled.map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : 'used'));
    expect(new Set(codes)).toEqual(new Set(['used', 'hold-settled']));
    expect(await rig.harness.entries('approval.used')).toHaveLength(1);
  }, 60_000);

  test('has as many uses as were approved, and not one more', async () => {
    await using rig = await Rig.start();
    const { hold } = await rig.open();
    expect((await rig.answer(hold, { change: { uses: 3 } })).json.state).toBe('approved');
    const settled = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => rig.use(hold, undefined, `att_${i}`)));
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect((await rig.harness.entries('approval.used')).map(({ use, left }) => [use, left])).toEqual([
      [1, 2],
      [2, 1],
      [3, 0],
    ]);
  });
});

describe('an answer is refused', () => {
  test('whoever cannot sign for it, or signs for something else', async () => {
    await using rig = await Rig.start();
    const { hold } = await rig.open();
    const other = await rig.open('amount=11');
    const [bob, eve] = [createSigningKey(), createSigningKey()];
    await rig.harness.post('/v1/people', { name: 'bob', publicKey: bob.pinned.publicKey });
    const { record } = await rig.detail(other.hold);
    const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
    const past = '2020-01-01T00:00:00.000Z';
    for (const [by, code] of [
      [{ key: eve.privatePem }, 'approval-signature'],
      [{ key: bob.privatePem }, 'approval-person'],
      [{ name: 'bob' }, 'approval-person'],
      [{ change: { hold: other.hold } }, 'approval-other-hold'],
      [{ change: { intent: record.intent } }, 'approval-other-intent'],
      [{ change: { policy: { ...record.policy, generation: record.policy.generation + 1 } } }, 'approval-other-policy'],
      [{ change: { nonce: record.nonce } }, 'approval-other-nonce'],
      [{ change: { view: digest('1') } }, 'approval-other-view'],
      [{ change: { expires: past } }, 'approval-expired'],
      [{ change: { uses: 21 } }, 'approval-malformed'],
      [{ change: { via: 'webauthn' } }, 'approval-malformed'],
    ] as const) {
      const reply = await rig.answer(hold, by as Parameters<Rig['answer']>[1]);
      expect([reply.status, reply.json.code], JSON.stringify(by)).toEqual([422, code]);
    }
    const target = `/v1/approvals/${hold}/verdicts`;
    expect((await rig.harness.post(target, { verdict: 'approve' })).status).toBe(400);
    expect((await rig.harness.post(target, {})).status).toBe(400);
    const unsigned = { payloadType: approvalType, payload: '', signatures: [] };
    expect((await rig.harness.post(target, { envelope: unsigned })).status).toBe(400);
    expect((await rig.harness.get('/v1/approvals/hld_x')).status).toBe(404);
    expect((await rig.harness.get(`/v1/approvals/hld_0${'a'.repeat(25)}`)).status).toBe(404);
    expect(await rig.state(hold)).toBe('open');
    expect(await rig.harness.entries('approval')).toEqual([]);
  });

  test('of one person twice, under however many keys; two people are a quorum of two', async () => {
    await using rig = await Rig.start('default: allow\napprovals: { rungs: [1, 2] }\n');
    const rung = { quorum: 2, strong: false };
    const { hold } = await rig.open(undefined, { rung });
    const second = createSigningKey();
    await rig.harness.post('/v1/people', { name: 'ada', publicKey: second.pinned.publicKey });
    expect((await rig.answer(hold)).json.state).toBe('open');
    await expect(rig.use(hold, undefined, undefined, { rung })).rejects.toMatchObject({ code: 'hold-settled' });
    expect((await rig.answer(hold)).json.code).toBe('approval-person-twice');
    expect((await rig.answer(hold, { key: second.privatePem })).json.code).toBe('approval-person-twice');
    expect(await rig.state(hold)).toBe('open');
    const bob = createSigningKey();
    await rig.harness.post('/v1/people', { name: 'bob', publicKey: bob.pinned.publicKey });
    expect((await rig.answer(hold, { key: bob.privatePem, name: 'bob' })).json.state).toBe('approved');
    const taken = await rig.use(hold, undefined, undefined, { rung });
    expect(taken.approvals).toHaveLength(2);
    // A tenant has the rungs that it has, whatever a gateway says.
    await expect(rig.open('x', { rung: { quorum: 3, strong: false } })).rejects.toMatchObject({
      code: 'hold-mismatch',
    });
  });

  test('of the person acted for, where four eyes are wanted; everybody may say no', async () => {
    await using rig = await Rig.start('default: allow\napprovals: { fourEyes: true }\n');
    const [one, two] = [await rig.open('one'), await rig.open('two')];
    expect((await rig.answer(one.hold)).json.code).toBe('approval-four-eyes');
    const bob = createSigningKey();
    await rig.harness.post('/v1/people', { name: 'bob', publicKey: bob.pinned.publicKey });
    expect((await rig.answer(one.hold, { key: bob.privatePem, name: 'bob' })).json.state).toBe('approved');
    expect((await rig.use(one.hold, 'one')).approvals).toHaveLength(1);
    const no = await rig.answer(two.hold, { change: { verdict: 'deny' }, reason: 'not today' });
    expect(no.json).toMatchObject({ state: 'denied', reason: 'not today' });
    const [, approval] = await rig.harness.entries('approval');
    expect(approval).toMatchObject({ verdict: 'deny', selfApproved: true });
  });

  test('after a no, which ends it and answers the same bytes until it would have expired', async () => {
    await using rig = await Rig.start();
    const { hold } = await rig.open();
    expect((await rig.answer(hold, { change: { verdict: 'deny' }, reason: 'use staging' })).json.state).toBe('denied');
    expect((await rig.answer(hold)).json.code).toBe('hold-settled');
    expect(await rig.open()).toMatchObject({ hold, state: 'denied', reason: 'use staging' });
    await expect(rig.use(hold)).rejects.toMatchObject({ code: 'hold-settled' });
    // Also of what was approved already, while it is not used.
    const other = await rig.open('amount=11');
    await rig.answer(other.hold);
    expect((await rig.answer(other.hold)).json.code).toBe('approval-person-twice');
    expect((await rig.answer(other.hold, { change: { verdict: 'deny' } })).json.state).toBe('denied');
    await expect(rig.use(other.hold, 'amount=11')).rejects.toMatchObject({ code: 'hold-settled' });
  });

  test('when the hold has changed since it was read', async () => {
    await using rig = await Rig.start('default: allow\napprovals: { rungs: [2] }\n');
    const { hold } = await rig.open(undefined, { rung: { quorum: 2, strong: false } });
    const { headers } = await rig.harness.get(`/v1/approvals/${hold}`);
    expect(headers.etag).toBe('"v1"');
    await rig.answer(hold);
    const stale = await rig.harness.post(
      `/v1/approvals/${hold}/verdicts`,
      { envelope: { payloadType: 'x', payload: '', signatures: [{ keyid: 'x', sig: 'x' }] } },
      { 'if-match': '"v1"' },
    );
    expect([stale.status, stale.json.code]).toEqual([412, 'etag-mismatch']);
  });
});

describe('a hold is void', () => {
  test('for other bytes, another session, another policy, worse labels, whoever uses it', async () => {
    await using rig = await Rig.start();
    const { hold } = await rig.open();
    await rig.answer(hold);
    const { policy } = rig.order();
    for (const [body, change, code] of [
      ['amount=11', {}, 'hold-mismatch'],
      [undefined, { session: await rig.newSession() }, 'hold-mismatch'],
      [undefined, { policy: { ...policy, generation: policy.generation + 1 } }, 'hold-stale'],
      [undefined, { policy: { ...policy, revision: policy.revision + 1 } }, 'hold-stale'],
      [undefined, { policy: { ...policy, digest: `sha256:${'1'.repeat(64)}` } }, 'approval-other-policy'],
      [undefined, { flow: { ...flow, ctxInteg: 0, destInteg: 0 } }, 'approval-floor'],
      [undefined, { flow: { ...flow, leakOk: 'yes' as unknown as boolean } }, 'request-invalid'],
    ] as const) {
      const use = rig.use(hold, body, 'att_2', change);
      await expect(use, JSON.stringify(change)).rejects.toMatchObject({ code });
    }
    expect((await rig.use(hold)).approvals).toHaveLength(1);
  });

  test('when the session is frozen, lifted, killed or over, and nothing is let through after that', async () => {
    await using rig = await Rig.start();
    const open = await rig.open();
    await rig.answer(open.hold);
    const scope = { session: rig.session };
    await rig.harness.post('/v1/stops', { scope, strength: 'freeze' });
    await expect(rig.use(open.hold)).rejects.toMatchObject({ code: 'hold-settled' });
    await expect(rig.open('more')).rejects.toMatchObject({ code: 'session-stopped' });
    await until(async () => (await rig.state(open.hold)) === 'void');
    await rig.harness.post('/v1/lifts', { scope });
    await expect(rig.use(open.hold)).rejects.toMatchObject({ code: 'hold-settled' });
    const again = await rig.open();
    expect(again.hold).not.toBe(open.hold);
    await rig.answer(again.hold);
    await rig.harness.post('/v1/stops', { scope, strength: 'kill' });
    await expect(rig.use(again.hold)).rejects.toMatchObject({ code: 'hold-settled' });
    await until(async () => (await rig.state(again.hold)) === 'void');
    expect(rig.gateway.news.filter(({ state }) => state === 'void')).toHaveLength(2);
    expect((await rig.harness.entries('hold')).filter(({ act }) => act === 'void')).toHaveLength(2);
  });

  test('when another generation comes into force', async () => {
    await using rig = await Rig.start();
    const { hold } = await rig.open();
    await rig.answer(hold);
    rig.harness.policyFile('more.yaml', 'denies:\n  - deny: evil.example\n');
    await rig.harness.post('/v1/policy/reload');
    await until(async () => (await rig.state(hold)) === 'void');
    await expect(rig.use(hold)).rejects.toMatchObject({ code: 'hold-settled' });
    expect((await rig.open()).hold).not.toBe(hold);
  });
});

describe('a gateway', () => {
  test('is believed only what can be checked', async () => {
    await using rig = await Rig.start();
    const order = rig.order();
    const { intent } = order;
    const body = { encoding: 'utf8' as const, data: 'amount=10' };
    for (const [change, code] of [
      [{ session: 'ses_none' }, 'session-ended'],
      [{ intent: { ...intent, tenant: 'acme' } }, 'hold-mismatch'],
      [{ intent: { ...intent, agent: 'other' } }, 'hold-mismatch'],
      [{ intent: { ...intent, salt: 'f'.repeat(32) } }, 'hold-mismatch'],
      [{ intent: { ...intent, session: 'ses_other' } }, 'hold-mismatch'],
      [{ payload: { ...body, data: 'amount=1' } }, 'hold-mismatch'],
      [{ payload: null }, 'hold-mismatch'],
      [{ rung: { quorum: 1, strong: true } }, 'hold-mismatch'],
      [{ policy: { ...order.policy, generation: 99 } }, 'hold-stale'],
      [{ flow: { ...flow, ctxInteg: 9 } }, 'request-invalid'],
      [{ more: 1 }, 'request-invalid'],
    ] as const) {
      const open = rig.gateway.channel.call('hold.open', { ...order, ...change } as HoldOrder);
      await expect(open, JSON.stringify(change)).rejects.toMatchObject({ code });
    }
    expect((await rig.harness.get('/v1/approvals')).json.approvals).toEqual([]);
  });

  test('asks 16 questions a session at once and not one more, however fast', async () => {
    await using rig = await Rig.start();
    const asked = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => rig.open(`amount=${i}`)));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(16);
    const codes = asked.flatMap((each) => (each.status === 'rejected' ? [(each.reason as { code: string }).code] : []));
    expect(new Set(codes)).toEqual(new Set(['hold-limit']));
    // Another session has its own.
    rig.session = await rig.newSession();
    expect((await rig.open()).state).toBe('open');
  });
});

describe('those who watch', () => {
  test('see what waits and every change of it', async () => {
    await using rig = await Rig.start();
    const first = await rig.open('first');
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { event, data } of rig.harness.events('/v1/approvals?follow=true', stop.signal)) {
        seen.push(`${event} ${String(data['id']) === first.hold ? 'first' : 'second'} ${String(data['state'])}`);
      }
    })();
    await until(() => seen.length === 1);
    const second = await rig.open('second');
    await until(() => seen.length === 2);
    await rig.answer(second.hold);
    await until(() => seen.length === 3);
    await rig.use(second.hold, 'second');
    await until(() => seen.length === 4);
    stop.abort();
    await watching;
    expect(seen).toEqual(['hold first open', 'hold second open', 'hold second approved', 'hold second used']);
  });

  test('a webhook is told id and summary, a few times, and its answer changes nothing', async () => {
    const url = 'http://127.0.0.1:9/hook';
    await using rig = await Rig.start(`default: allow\napprovals: { webhook: "${url}" }\n`);
    const { hold } = await rig.open('secret=hunter2');
    await until(() => rig.harness.webhooks.length === 1);
    const [told] = rig.harness.webhooks;
    expect(told?.url).toBe(url);
    expect(JSON.parse(told?.body ?? '')).toEqual({
      ...{ v: 'hold-event/1', hold, state: 'open', session: rig.session, agent: 'generic' },
      ...{ summary: 'POST https://pay.example/pay', expires: expect.any(String) },
    });
    expect(told?.body).not.toContain('hunter2');
    rig.harness.webhookStatus = 500;
    await rig.answer(hold, { change: { verdict: 'deny' } });
    // Tried again after a moment, then given up.
    await until(() => rig.harness.webhooks.length === 4);
    expect(rig.harness.webhooks.slice(1).every(({ body }) => body.includes('"denied"'))).toBe(true);
    expect(await rig.state(hold)).toBe('denied');
  }, 30_000);

  test('a webhook goes to this host or over TLS', async () => {
    await using rig = await Rig.start();
    for (const url of ['http://example.com/', 'ftp://127.0.0.1/', 'https://u:p@example.com/', 'x']) {
      const files = [{ name: 'tenant.yaml', text: `default: allow\napprovals: { webhook: "${url}" }\n` }];
      expect((await rig.harness.post('/v1/policy/check', { files })).json.ok, url).toBe(false);
    }
    const text = 'default: allow\napprovals: { webhook: "https://example.com/hook" }\n';
    const check = (files: object[]) => rig.harness.post('/v1/policy/check', { files });
    expect((await check([{ name: 'a.yaml', text }])).json).toMatchObject({ ok: true });
    const twice = await check([
      { name: 'a.yaml', text },
      { name: 'b.yaml', text },
    ]);
    expect(JSON.stringify(twice.json.problems)).toContain('stands in another file');
  });
});
