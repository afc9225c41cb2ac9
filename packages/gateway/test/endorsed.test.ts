import { join } from 'node:path';
import { JournalArchive, readJournal } from '@cordon/ledger';
import type { Grant } from '@cordon/policy';
import type { Entry } from '@cordon/protocol';
import { createSigningKey } from '@cordon/protocol/dsse';
import { HttpSink } from '@cordon/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, RawClient } from './client.ts';
import { type EndorsedOptions, endorsing } from './endorsing.ts';
import { Rig, type RigOptions, session } from './rig.ts';

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

const origin = 'http://mail.example';
const mail: Grant = { allow: `${origin}/send`, methods: ['POST'], critical: { '/to': 'email' } };
const names = ['email x@y.example'];

async function start(options: RigOptions = {}): Promise<{ rig: Rig; sink: HttpSink }> {
  const sink = await HttpSink.start();
  stack.push(sink);
  const rig = await Rig.start({
    grants: [mail],
    hosts: { 'mail.example:80': sink.port },
    limits: { holdWaitMs: 50 },
    ...options,
  });
  stack.push(rig);
  return { rig, sink };
}

async function send(rig: Rig, to = 'x@y.example', text = ''): Promise<Answer> {
  const body = JSON.stringify({ to, text });
  const client = await RawClient.to(rig.ports.proxy);
  stack.push({ [Symbol.asyncDispose]: async () => client[Symbol.dispose]() });
  client.send(
    `POST ${origin}/send HTTP/1.1\r\nHost: mail.example\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await client.until((seen) => seen.includes('\r\n\r\n'), 60_000);
  return await client.answer();
}

async function bodyOf(rig: Rig, wanted: Entry | undefined): Promise<Record<string, never>> {
  const folder = join(rig.home, 'journal');
  const archive = new JournalArchive(folder);
  for await (const { entry, position } of readJournal(folder, 'gw')) {
    if (entry.wseq === wanted?.wseq && entry.seal !== null)
      return JSON.parse(Buffer.from(archive.body(position, entry)).toString()) as Record<string, never>;
  }
  return {};
}

const decisions = async (rig: Rig) =>
  (await rig.entriesOf('decision')).map(({ data }) => `${data['outcome']} ${data['code']}`);

describe('a request to whom people have named for a time', () => {
  it('goes out without a hold, under a decision that says by whose word, and another one is held', async () => {
    const { rig, sink } = await start();
    rig.people.endorsedBy = (use) =>
      use.unnamed.join() === names.join() ? endorsing(rig.people, { destinations: names })(use) : null;
    expect((await send(rig)).status).toBe(200);
    expect((await send(rig, 'x@y.example', 'another')).status).toBe(200);
    const other = await send(rig, 'evil@y.example');
    expect([other.status, other.json['code']]).toEqual([403, 'hold-pending']);
    expect(sink.requests).toHaveLength(2);
    expect(await decisions(rig)).toEqual(['allow allowed', 'allow allowed', 'hold flow-R1']);
    expect(rig.people.orders).toMatchObject([{ unnamed: ['email evil@y.example'], code: 'flow-R1' }]);
    const [allowed] = await rig.entriesOf('decision');
    expect(rig.people.endorsementUses[0]).toMatchObject({
      ...{ attempt: allowed?.data['attempt'], session, unnamed: names, rung: { quorum: 1, strong: false } },
      flow: { destInteg: 0 },
    });
    const body = await bodyOf(rig, allowed);
    expect(body).toMatchObject({
      approval: { quorum: 0, strong: false, ids: [expect.stringMatching(/^sha256:/)] },
      facts: { flow: { destInteg: 3 }, labels: { endorsed: { id: `end_0${'a'.repeat(25)}`, destInteg: 0 } } },
    });
    expect((body['decision'] as unknown as { approvals: string[] }).approvals).toEqual(
      (body['approval'] as unknown as { ids: string[] }).ids,
    );
    const last = (await rig.entriesOf('decision')).at(-1);
    expect(JSON.stringify(await bodyOf(rig, last))).not.toContain('endorsed');
  });

  const stranger = createSigningKey();
  it.each<[string, Partial<EndorsedOptions>, string]>([
    ['by another control plane', { receiptKey: stranger.privatePem }, 'receipt-signature'],
    ['for another gateway', { receipt: { gateway: 'bot_other' } }, 'receipt-mismatch'],
    ['for another attempt', { receipt: { attempt: 'att_other' } }, 'receipt-mismatch'],
    ['for other bytes', { receipt: { intent: `sha256:${'7'.repeat(64)}` } }, 'receipt-mismatch'],
    ['for another tenant', { receipt: { tenant: 'other' } }, 'receipt-mismatch'],
    ['for another session', { receipt: { session: 'ses_other' } }, 'receipt-mismatch'],
    ['for other names', { receipt: { named: ['email evil@y.example'] } }, 'receipt-mismatch'],
    ['of another question', { receipt: { record: `sha256:${'7'.repeat(64)}` } }, 'receipt-mismatch'],
    ['that names other records', { receipt: { endorsements: [] } }, 'receipt-mismatch'],
    ['that names another endorsement', { receipt: { endorsement: 'end_other' } }, 'receipt-mismatch'],
    ['that is too old', { receipt: { expires: '2026-01-01T00:00:00.000Z' } }, 'receipt-expired'],
    ['of another form', { receipt: { v: 'receipt/1' as never } }, 'receipt-malformed'],
    ['after its uses', { receipt: { used: { uses: 3, bytes: 0 } } }, 'endorsement-used'],
    ['after its bytes', { receipt: { used: { uses: 0, bytes: 99_990 } } }, 'endorsement-bytes'],
    [
      'of whom four eyes exclude',
      { receipt: { excluded: [{ iss: 'local:0123456789abcdef', sub: 'ada' }] } },
      'endorsement-four-eyes',
    ],
    ['by a stranger’s key', { key: stranger.privatePem }, 'endorsement-signature'],
    ['of another session', { record: { scope: { session: `ses_0${'b'.repeat(25)}` } } }, 'endorsement-other-session'],
    ['of another tenant', { record: { tenant: 'other' } }, 'endorsement-other-tenant'],
    ['of another place', { destinations: ['email evil@y.example'] }, 'endorsement-other-place'],
    [
      'whose time is over',
      { record: { from: '2026-01-01T00:00:00.000Z', expires: '2026-01-01T01:00:00.000Z' } },
      'endorsement-expired',
    ],
    ['from a question that wanted two', { hold: { rung: { quorum: 2, strong: false } } }, 'endorsement-quorum'],
  ])('%s is denied under its own code, and nothing goes out', async (_name, wrong, code) => {
    const { rig, sink } = await start();
    rig.people.endorsedBy = endorsing(rig.people, { destinations: names, ...wrong });
    const answer = await send(rig);
    expect([answer.status, answer.json['code']]).toEqual([403, code]);
    expect(sink.requests).toHaveLength(0);
    expect(await decisions(rig)).toEqual([`deny ${code}`]);
  });

  it('is asked about by the hold’s channel alone where it waits for another reason too', async () => {
    const { rig, sink } = await start({ grants: [{ ...mail, approval: 1 }] });
    rig.people.endorsedBy = endorsing(rig.people, { destinations: names });
    expect((await send(rig)).json['code']).toBe('hold-pending');
    expect(rig.people.endorsementUses).toHaveLength(0);
    // To endorse it would open nothing, so nobody is offered that.
    expect(rig.people.orders).toMatchObject([{ unnamed: [] }]);
    expect(sink.requests).toHaveLength(0);
  });

  it('waits for a person where the control plane knows of none, or cannot say', async () => {
    const { rig, sink } = await start();
    expect((await send(rig)).json['code']).toBe('hold-pending');
    rig.people.endorsedBy = () => {
      throw new TypeError('broken');
    };
    expect((await send(rig)).json['code']).toBe('hold-pending');
    expect(sink.requests).toHaveLength(0);
  });

  it('is judged by the labels of when it was counted: what the session saw meanwhile counts', async () => {
    const { rig, sink } = await start();
    rig.people.endorsedBy = (use) => {
      // The person was shown a session that had read nothing of strangers.
      const floor = { ...use.flow, ctxInteg: 3 };
      return endorsing(rig.people, { destinations: names, hold: { floor } })(use);
    };
    expect((await send(rig)).json['code']).toBe('endorsement-floor');
    expect(sink.requests).toHaveLength(0);
  });
});
