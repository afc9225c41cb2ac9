import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { JournalArchive, readJournal } from '@cordon/ledger';
import type { Grant } from '@cordon/policy';
import type { Entry } from '@cordon/protocol';
import { createSigningKey } from '@cordon/protocol/dsse';
import { HttpSink, WebSocketSink } from '@cordon/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, RawClient } from './client.ts';
import { Rig, type RigOptions, session, upstreamCa } from './rig.ts';
import { dial } from './websocket-peers.ts';

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

const origin = 'http://pay.example';
const grants: readonly Grant[] = [
  { allow: `${origin}/pay/**`, methods: ['POST'], approval: 1 },
  { allow: `${origin}/free` },
];

async function start(options: RigOptions = {}): Promise<{ rig: Rig; sink: HttpSink }> {
  const sink = await HttpSink.start();
  stack.push(sink);
  const rig = await Rig.start({ grants, hosts: { 'pay.example:80': sink.port }, ...options });
  stack.push(rig);
  return { rig, sink };
}

function pay(body = 'amount=10', headers = ''): string {
  return `POST ${origin}/pay/1 HTTP/1.1\r\nHost: pay.example\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;
}

/** Sends it on a connection of its own; the answer comes when it comes. */
async function send(rig: Rig, bytes: string): Promise<{ client: RawClient; answer: () => Promise<Answer> }> {
  const client = await RawClient.to(rig.ports.proxy);
  stack.push({ [Symbol.asyncDispose]: async () => client[Symbol.dispose]() });
  client.send(bytes);
  const answer = async (): Promise<Answer> => {
    await client.until((text) => text.includes('\r\n\r\n'), 60_000);
    return await client.answer();
  };
  return { client, answer };
}

/** What lies beside an entry. */
async function bodyOf(rig: Rig, wanted: Entry | undefined): Promise<string> {
  const folder = join(rig.home, 'journal');
  const archive = new JournalArchive(folder);
  for await (const { entry, position } of readJournal(folder, 'gw')) {
    if (entry.wseq === wanted?.wseq && entry.seal !== null)
      return Buffer.from(archive.body(position, entry)).toString();
  }
  return '';
}

const asked = (rig: Rig, count = 1): Promise<void> => rig.until(() => rig.people.orders.length >= count, 30_000);
const outcomes = async (rig: Rig) =>
  (await rig.entriesOf('decision')).map(({ data }) => `${data['outcome']} ${data['code']}`);

describe('a request that is held', () => {
  it('waits with nothing sent, and is sent when a person has said yes, under a decision of its own', async () => {
    const { rig, sink } = await start();
    const { answer } = await send(rig, pay());
    await asked(rig);
    const [order] = rig.people.orders;
    expect(order).toMatchObject({
      ...{ session, code: 'approval-required', reasons: ['session/test/1'], rung: { quorum: 1, strong: false } },
      ...{ payload: { encoding: 'utf8', data: 'amount=10' }, intent: { args: { method: 'POST', path: '/pay/1' } } },
    });
    await rig.until(async () => (await outcomes(rig)).length === 1);
    expect(sink.requests).toHaveLength(0);
    await rig.answer('approved');
    expect(await answer()).toMatchObject({ status: 200 });
    expect(sink.requests.map(({ body }) => String(body))).toEqual(['amount=10']);
    expect(await outcomes(rig)).toEqual(['hold approval-required', 'allow allowed']);
    const [held, allowed] = await rig.entriesOf('decision');
    expect(allowed?.data['intent']).toBe(held?.data['intent']);
    expect(allowed?.data['attempt']).not.toBe(held?.data['attempt']);
    expect(rig.people.uses).toMatchObject([{ attempt: allowed?.data['attempt'], session }]);
    // The body beside the entry says by which answers, so that the decision can be computed again.
    const body = JSON.parse(await bodyOf(rig, allowed)) as { approval: unknown; decision: { approvals: string[] } };
    expect(body.approval).toEqual({ quorum: 1, strong: false, ids: body.decision.approvals });
    expect(body.decision.approvals).toHaveLength(1);
    expect(await rig.entriesOf('start')).toHaveLength(1);
  });

  it('that nobody answers in time is told how to come again; the same bytes find the hold, and go out once', async () => {
    const { rig, sink } = await start({ limits: { holdWaitMs: 100 } });
    const pending = await (await send(rig, pay())).answer();
    expect(pending.status).toBe(403);
    const id = rig.people.newsOf([...rig.people.holds.keys()][0] ?? '').hold;
    expect(pending.json).toMatchObject({ code: 'hold-pending', hold: id, status: 403 });
    expect(pending.headers.get('retry-after')).toBe('5');
    expect(pending.headers.get('cordon-hold')).toBe(id);
    expect(JSON.stringify(pending.json['next_steps'])).toContain(`cordon approve ${id}`);
    await rig.answer('approved');
    // What it says of the hold is no part of the request, and nobody upstream hears of it.
    const done = await (await send(rig, pay(undefined, `Cordon-Hold: ${id}\r\n`))).answer();
    expect(done.status).toBe(200);
    expect(sink.requests[0]?.rawHeaders.join(' ').toLowerCase()).not.toContain('cordon-hold');
    expect(rig.people.holds.size).toBe(1);
    const again = await (await send(rig, pay())).answer();
    expect([again.status, again.json['code']]).toEqual([403, 'hold-over']);
    expect(sink.requests).toHaveLength(1);
  });

  it('with one byte changed, or in the name of another hold, is another question', async () => {
    const { rig, sink } = await start({ limits: { holdWaitMs: 100 } });
    const { json } = await (await send(rig, pay())).answer();
    await rig.answer('approved');
    const hold = String(json['hold']);
    for (const bytes of [
      pay('amount=11'),
      pay('amount=10', 'X-More: 1\r\n'),
      pay('amount=11', `Cordon-Hold: ${hold}\r\n`),
    ]) {
      const other = await (await send(rig, bytes)).answer();
      expect(other.json).toMatchObject({ code: 'hold-pending' });
      expect(other.json['hold']).not.toBe(hold);
    }
    expect(sink.requests).toHaveLength(0);
  });

  it('is answered at once where the client prefers that, and only there with 202', async () => {
    const { rig, sink } = await start();
    const pending = await (await send(rig, pay(undefined, 'Prefer: respond-async, wait=10\r\n'))).answer();
    expect([pending.status, pending.json['code']]).toEqual([202, 'hold-pending']);
    expect(pending.headers.get('preference-applied')).toBe('respond-async');
    expect(pending.headers.get('location')).toBe('http://cordon.internal/denials');
    expect(sink.requests).toHaveLength(0);
  });

  it('that a person refuses is told why', async () => {
    const { rig, sink } = await start();
    const { answer } = await send(rig, pay());
    await asked(rig);
    await rig.answer('denied', 'use staging \u001b[31m');
    const refused = await answer();
    expect(refused).toMatchObject({ status: 403, json: { code: 'approval-denied' } });
    expect(refused.json['detail']).toContain('A person said no: use staging \\x1b[31m');
    expect(sink.requests).toHaveLength(0);
    expect(await outcomes(rig)).toEqual(['hold approval-required', 'deny approval-denied']);
  });

  it('is not sent for an agent that has gone', async () => {
    const { rig, sink } = await start();
    const { client } = await send(rig, pay());
    await asked(rig);
    await rig.until(async () => (await outcomes(rig)).length === 1);
    client.socket.destroy();
    await rig.until(async () => (await rig.control?.call('stats', null))?.sessions[0]?.inFlight === 0);
    await rig.answer('approved');
    expect(rig.people.uses).toEqual([]);
    expect(sink.requests).toHaveLength(0);
  });

  it('spends no approval on an agent that goes while the hold is looked for', async () => {
    const { rig, sink } = await start({ limits: { holdWaitMs: 100 } });
    await (await send(rig, pay())).answer();
    await rig.answer('approved');
    const gate = Promise.withResolvers<void>();
    rig.people.openGate = gate.promise;
    const { client } = await send(rig, pay());
    const inFlight = async () => (await rig.control?.call('stats', null))?.sessions[0];
    await rig.until(async () => (await inFlight())?.inFlight === 1);
    client.socket.destroy();
    // The connection of the first try is still there.
    await rig.until(async () => (await inFlight())?.sockets === 1);
    gate.resolve();
    await rig.until(async () => (await inFlight())?.inFlight === 0);
    expect(rig.people.uses).toEqual([]);
    expect(sink.requests).toHaveLength(0);
    // It is there for the next try.
    expect((await (await send(rig, pay())).answer()).status).toBe(200);
  });

  it('ends at once when the session is stopped, and nothing of it is sent afterwards', async () => {
    const { rig, sink } = await start();
    const { client } = await send(rig, pay());
    await asked(rig);
    await rig.control?.call('session.stop', { session, stopped: true });
    await client.until(() => client.ended);
    expect(client.ended).toBe(true);
    await rig.until(async () => (await rig.control?.call('stats', null))?.sessions[0]?.inFlight === 0);
    await rig.answer('approved');
    expect(rig.people.uses).toEqual([]);
    expect(sink.requests).toHaveLength(0);
  });

  it('is not sent when the session is stopped while the use is taken', async () => {
    const { rig, sink } = await start();
    const gate = Promise.withResolvers<void>();
    rig.people.gate = gate.promise;
    await send(rig, pay());
    await asked(rig);
    await rig.answer('approved');
    await rig.until(() => rig.people.uses.length === 1);
    await rig.control?.call('session.stop', { session, stopped: true });
    gate.resolve();
    await rig.until(async () => (await outcomes(rig)).length === 2);
    expect((await outcomes(rig))[1]).toMatch(/^deny /);
    expect(sink.requests).toHaveLength(0);
    expect(await rig.entriesOf('start')).toHaveLength(0);
  });

  it('leaves the way free for those that need nobody, and only so many wait', async () => {
    const { rig, sink } = await start({ limits: { holdsWaitingPerSessionMax: 2 } });
    const waiting = [await send(rig, pay('a=1')), await send(rig, pay('a=2'))];
    await asked(rig, 2);
    const third = await (await send(rig, pay('a=3'))).answer();
    expect([third.status, third.json['code']]).toEqual([403, 'hold-limit']);
    expect(rig.people.orders).toHaveLength(2);
    const free = await (await send(rig, `GET ${origin}/free HTTP/1.1\r\nHost: pay.example\r\n\r\n`)).answer();
    expect(free.status).toBe(200);
    await rig.answer('denied');
    for (const { answer } of waiting) expect((await answer()).json['code']).toBe('approval-denied');
    expect(sink.requests.map(({ target }) => target)).toEqual(['/free']);
    // Their places are free again.
    await send(rig, pay('a=4'));
    await asked(rig, 3);
  });
});

describe('what comes as an approval', () => {
  const forged = createSigningKey();
  it.each<[string, Rig['people']['change'], string]>([
    ['signed with another key', { signWith: forged.privatePem }, 'receipt-signature'],
    ['for another gateway', { receipt: { gateway: 'bot_other' } }, 'receipt-mismatch'],
    ['for another attempt', { receipt: { attempt: 'att_other' } }, 'receipt-mismatch'],
    ['for another session', { receipt: { session: 'ses_other' } }, 'receipt-mismatch'],
    ['for another tenant', { receipt: { tenant: 'other' } }, 'receipt-mismatch'],
    ['for other bytes', { receipt: { intent: `sha256:${'0'.repeat(64)}` } }, 'receipt-mismatch'],
    ['of another hold', { receipt: { record: `sha256:${'0'.repeat(64)}` } }, 'receipt-mismatch'],
    ['that names other answers', { receipt: { approvals: [`sha256:${'0'.repeat(64)}`] } }, 'receipt-mismatch'],
    ['too old', { receipt: { expires: '2020-01-01T00:00:00.000Z' } }, 'receipt-expired'],
    ['of another kind', { receipt: { v: 'receipt/2' as 'receipt/1' } }, 'receipt-malformed'],
    ['used before', { receipt: { use: 2 } }, 'approval-used'],
    [
      'by somebody who does not count',
      { receipt: { excluded: [{ iss: 'local:0123456789abcdef', sub: 'ada' }] } },
      'approval-four-eyes',
    ],
    ['with an answer of a stranger', { receipt: { people: [] } }, 'approval-signature'],
    ['with a no', { approval: { verdict: 'deny' } }, 'approval-denied'],
    ['with an answer to another view', { approval: { view: `sha256:${'0'.repeat(64)}` } }, 'approval-other-view'],
    [
      'with an answer under another policy',
      {
        approval: {
          policy: {
            generation: 9,
            revision: 1,
            digest: `sha256:${'0'.repeat(64)}`,
            engine: `sha256:${'0'.repeat(64)}`,
          },
        },
      },
      'approval-other-policy',
    ],
  ])('%s lets nothing through', async (_name, change, code) => {
    const { rig, sink } = await start();
    rig.people.change = change;
    const { answer } = await send(rig, pay());
    await asked(rig);
    await rig.answer('approved');
    expect((await answer()).json['code']).toBe(code);
    expect(sink.requests).toHaveLength(0);
    expect(await rig.entriesOf('start')).toHaveLength(0);
  });

  it('under a policy that came meanwhile lets nothing through', async () => {
    const { rig, sink } = await start();
    const { answer } = await send(rig, pay());
    await asked(rig);
    await rig.setGrants([...grants, { allow: `${origin}/more` }]);
    await rig.answer('approved');
    expect((await answer()).json['code']).toBe('approval-other-policy');
    expect(sink.requests).toHaveLength(0);
  });

  it('is one use: of many that wait for the same bytes one is sent', async () => {
    const { rig, sink } = await start();
    const waiting = await Promise.all(Array.from({ length: 10 }, () => send(rig, pay())));
    await asked(rig, 10);
    await rig.answer('approved');
    const answers = await Promise.all(waiting.map(({ answer }) => answer()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.map(({ json, status }) => json['code'] ?? status))).toEqual(new Set([200, 'hold-over']));
    expect(sink.requests).toHaveLength(1);
    expect(await rig.entriesOf('start')).toHaveLength(1);
  });
});

describe('what cannot wait', () => {
  it('is a body that nobody could read whole', async () => {
    const { rig } = await start({ limits: { holdPayloadBytesMax: 20 } });
    const long = await (await send(rig, pay('a'.repeat(21)))).answer();
    expect(long.json['code']).toBe('hold-unshowable');
    const coded = gzipSync('amount=10').toString('latin1');
    const zipped = await (await send(rig, pay(coded, 'Content-Encoding: gzip\r\n'))).answer();
    expect(zipped.json['code']).toBe('hold-unshowable');
    expect(rig.people.orders).toEqual([]);
  });

  it('says so when the control plane asks nobody', async () => {
    const { rig } = await start();
    rig.people.failOpen = 'hold-limit';
    expect((await (await send(rig, pay('a=1'))).answer()).json['code']).toBe('hold-limit');
    rig.people.failOpen = 'session-ended';
    // That there is no room is believed for a moment, without asking.
    expect((await (await send(rig, pay('a=2'))).answer()).json['code']).toBe('hold-limit');
    const { rig: other } = await start({ limits: { holdFullMs: 0 } });
    other.people.failOpen = 'hold-limit';
    expect((await (await send(other, pay('a=1'))).answer()).json['code']).toBe('hold-limit');
    other.people.failOpen = 'session-ended';
    expect((await (await send(other, pay('a=2'))).answer()).json['code']).toBe('hold-unavailable');
    other.loseControl();
    expect((await (await send(other, pay('a=3'))).answer()).json['code']).toBe('hold-unavailable');
  });
});

describe('a request that a group is asked about', () => {
  const ofFinance: RigOptions = {
    grants: [{ allow: `${origin}/pay/**`, methods: ['POST'], approval: { people: 1, from: ['finance'] } }],
  };

  it('goes out when somebody of it has said yes', async () => {
    const { rig, sink } = await start(ofFinance);
    rig.people.adaGroups = ['finance'];
    const { answer } = await send(rig, pay());
    await asked(rig);
    expect(rig.people.orders[0]?.groups).toEqual(['finance']);
    await rig.answer('approved');
    expect((await answer()).status).toBe(200);
    expect(sink.requests).toHaveLength(1);
    const [held, allowed] = await rig.entriesOf('decision');
    const read = async (entry: Entry | undefined) =>
      JSON.parse(await bodyOf(rig, entry)) as { approval: unknown; decision: { obligations: string[] } };
    expect((await read(held)).decision.obligations).toEqual(['approvers:finance']);
    expect(await read(allowed)).toMatchObject({
      approval: { groups: ['finance'] },
      decision: { obligations: ['approvers:finance'] },
    });
  });

  it('does not for somebody else, whatever the control plane says; and says so where nobody could', async () => {
    const { rig, sink } = await start(ofFinance);
    rig.people.adaGroups = ['ops'];
    const { answer } = await send(rig, pay());
    await asked(rig);
    await rig.answer('approved');
    expect((await answer()).json['code']).toBe('approval-group');
    rig.people.failOpen = 'approval-unsatisfiable';
    const nobody = await (await send(rig, pay('a=2'))).answer();
    expect(nobody.json).toMatchObject({
      code: 'approval-unsatisfiable',
      detail: expect.stringContaining('1 of finance'),
    });
    expect(JSON.stringify(nobody.json['next_steps'])).toContain('cordon people add NAME --group finance');
    expect(sink.requests).toEqual([]);
  });
});

describe('a WebSocket that is held', () => {
  it('is opened when a person has said yes, and its messages need nobody', async () => {
    const server = await WebSocketSink.start(upstreamCa.issue(['live.example']));
    stack.push(server);
    const rig = await Rig.start({
      grants: [{ allow: 'wss://live.example/feed', approval: 1 }],
      hosts: { 'live.example:443': server.port },
    });
    stack.push(rig);
    using client = await dial(rig, 'wss://live.example/feed');
    await asked(rig);
    expect(rig.people.orders[0]).toMatchObject({ intent: { action: 'http.upgrade' }, payload: null });
    expect(server.received).toEqual([]);
    await rig.answer('approved');
    await client.opened();
    client.socket.send('hello');
    await client.until(() => client.messages.length === 1);
    expect(server.received).toEqual(['hello']);
    expect((await outcomes(rig)).slice(0, 2)).toEqual(['hold approval-required', 'allow allowed']);
    expect(rig.people.orders).toHaveLength(1);
  });
});
