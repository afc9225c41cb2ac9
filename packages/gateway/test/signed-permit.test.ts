import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { type PermitClaims, type PermitOrder, permitSigningInput, permitToken } from '@cordon/protocol';
import { PermitKeys, verifyPermit } from '@cordon/sdk/effector';
import { HttpSink } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PermitDesk, parseSigningAnswer } from '../src/control/permit-desk.ts';
import { type Answer, connectThrough } from './client.ts';
import { anything, client, H2Server, host } from './h2-server.ts';
import { session as id, Rig, type RigOptions, upstreamCa } from './rig.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** As the supervisor writes one. */
function permitOf(order: PermitOrder, kid = 'k'.repeat(43), issued = Date.parse('2026-11-21T00:00:00.000Z')): string {
  const claims: PermitClaims = {
    ...order,
    v: 'permit/1',
    id: `prm_${order.attempt.slice(4)}`,
    boot: `bot_0${'c'.repeat(25)}`,
    tenant: 'local',
    epoch: 0,
    issued: new Date(issued).toISOString(),
    until: new Date(issued + 60_000).toISOString(),
  };
  const input = permitSigningInput(kid, claims);
  return permitToken(input, sign('sha256', Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }));
}

let sink: HttpSink;
beforeAll(async () => {
  sink = await HttpSink.start({ tls: upstreamCa.issue(['pay.example.com']) });
});
afterAll(() => sink[Symbol.asyncDispose]());

// Its answers to a credential of the person's are private, and what is sent next knows them.
const grant = {
  allow: 'pay.example.com',
  clearance: 'private' as const,
  methods: ['POST'],
  permit: 'payments',
  limits: { bytes: '1KiB' },
};

function rigWith(options: Partial<RigOptions> = {}): Promise<Rig> {
  return Rig.start({ grants: [grant], hosts: { 'pay.example.com:443': sink.port }, ...options });
}

async function pay(rig: Rig, ...headers: string[]): Promise<Answer> {
  using client = await connectThrough(rig.ports.proxy, { target: 'pay.example.com:443', ca: rig.ca.certificate });
  const lines = ['POST /pay?a=1 HTTP/1.1', 'Host: pay.example.com', 'Accept: */*', 'Content-Length: 4', ...headers];
  return await client.ask(`${[...lines, '', ''].join('\r\n')}body`);
}

const ended = async (rig: Rig) => {
  await rig.until(async () => (await rig.entriesOf('outcome')).length === 1);
  return (await rig.entriesOf('outcome'))[0]?.data;
};

describe('a request to an effector', () => {
  it('takes the signed permit of this very request along, asked for after the record', async () => {
    const orders: PermitOrder[] = [];
    let recorded = 0;
    await using rig = await rigWith({
      sign: (order, { journal }) => {
        orders.push(order);
        recorded = journal.head.wseq;
        return { type: 'signed', token: permitOf(order) };
      },
    });
    const before = sink.requests.length;
    expect((await pay(rig)).status).toBe(200);
    const [decision] = await rig.entriesOf('decision');
    const sha256 = hash('sha256', 'body');
    const request = `{"credentials":[],"destination":"https://pay.example.com:443","headers":[["accept","*/*"]],"method":"POST","payload":{"bytes":4,"sha256":"${sha256}"},"target":"/pay?a=1","v":"request/1"}`;
    expect(orders).toEqual([
      {
        aud: 'payments',
        session: id,
        attempt: decision?.data['attempt'],
        intent: decision?.data['intent'],
        decision: decision?.data['decision'],
        recorded: { writer: 'gw', wseq: decision?.wseq, tier: expect.stringMatching(/^(os|disk)$/) },
        generation: 1,
        revision: 1,
        destination: 'https://pay.example.com:443',
        payload: { sha256, bytes: 4 },
        request: `sha256:${hash('sha256', `cordon/request/1\n${request}`)}`,
        credentials: [],
        obligations: ['bytes:1024'],
      },
    ]);
    expect(recorded).toBeGreaterThanOrEqual(decision?.wseq ?? Number.NaN);
    // All but the signature, which is another each time.
    const unsigned = (token: string | undefined): string => (token ?? '').slice(0, (token ?? '').lastIndexOf('.'));
    const sent = sink.requests.at(-1)?.headers['cordon-permit'];
    expect(unsigned(sent)).toBe(unsigned(permitOf(orders[0] as PermitOrder)));
    expect(sink.requests.length).toBe(before + 1);
  });

  it('goes without, and nobody is asked, where no grant names an effector', async () => {
    const { permit: _, ...plain } = grant;
    await using rig = await rigWith({ grants: [plain] });
    expect((await pay(rig)).status).toBe(200);
    expect(sink.requests.at(-1)?.headers['cordon-permit']).toBeUndefined();
    expect(rig.sent.filter((message) => (message as { type: string }).type === 'sign')).toEqual([]);
  });

  it('names the headers that carry a credential, and covers no value of theirs', async () => {
    const orders: PermitOrder[] = [];
    await using rig = await rigWith({
      sign: (order) => {
        orders.push(order);
        return { type: 'signed', token: permitOf(order) };
      },
      secrets: [
        {
          name: 'pay',
          to: ['https://pay.example.com'],
          at: { header: 'authorization', form: 'Bearer {}' },
          methods: null,
          paths: null,
          require: false,
        },
      ],
    });
    expect((await pay(rig, 'Authorization: Bearer cordon:secret:pay')).status).toBe(200);
    expect(sink.requests.at(-1)?.headers['authorization']).toBe('Bearer sk-real-value-0123456789');
    expect((await pay(rig)).status).toBe(200);
    expect(orders.map(({ credentials }) => credentials)).toEqual([['authorization'], []]);
    expect(JSON.stringify(orders)).not.toContain('sk-real');
  });

  it.each([
    ['the signer refuses', { type: 'unsigned', code: 'session-stopped' }, 503, 'permit-unavailable'],
    ['the signer has no key', { type: 'unsigned', code: 'signer-unavailable' }, 503, 'permit-unavailable'],
    ['the signer is silent', null, 503, 'permit-unavailable'],
    ['the answer is no permit', { type: 'signed', token: 'a.b.c' }, 500, 'permit-mismatch'],
  ] as const)('is not sent when %s', async (_, answer, status, code) => {
    // Only silence is waited out: an answer may take its time on a busy machine.
    await using rig = await rigWith({ sign: () => answer, limits: answer === null ? { permitSignTimeoutMs: 50 } : {} });
    const before = sink.requests.length;
    expect((await pay(rig)).status).toBe(status);
    expect(await ended(rig)).toMatchObject({ code, bytesOut: 0, doubt: false });
    expect(sink.requests.length).toBe(before);
  });

  it.each([
    ['another attempt', { attempt: `att_0${'0'.repeat(25)}` }],
    ['another effector', { aud: 'refunds' }],
    ['another request', { request: `sha256:${'0'.repeat(64)}` }],
    ['another place', { destination: 'https://other.example.com:443' }],
    ['other bytes', { payload: { sha256: '0'.repeat(64), bytes: 4 } }],
  ])('is not sent with a permit for %s', async (_, change) => {
    await using rig = await rigWith({
      sign: (order) => ({ type: 'signed', token: permitOf({ ...order, ...change }) }),
    });
    const before = sink.requests.length;
    expect((await pay(rig)).status).toBe(500);
    expect(await ended(rig)).toMatchObject({ code: 'permit-mismatch', bytesOut: 0 });
    expect(sink.requests.length).toBe(before);
  });

  it('is not sent when the session is stopped while the permit is signed', async () => {
    await using rig = await rigWith({
      sign: (order, { control, sent, tell }) => {
        const n = (sent.at(-1) as { n: number }).n;
        const stopped = control?.call('session.stop', { session: id, stopped: true });
        stopped?.then(() => tell.call(rig, { type: 'signed', n, token: permitOf(order) }));
        return null;
      },
    });
    const before = sink.requests.length;
    using client = await connectThrough(rig.ports.proxy, { target: 'pay.example.com:443', ca: rig.ca.certificate });
    const asked = client.ask('POST /pay HTTP/1.1\r\nHost: pay.example.com\r\nContent-Length: 4\r\n\r\nbody');
    await asked.catch(() => undefined);
    expect(await ended(rig)).toMatchObject({ bytesOut: 0 });
    expect(sink.requests.length).toBe(before);
  });

  it('may not bring a permit of its own, however it is spelt', async () => {
    await using rig = await rigWith({ sign: (order) => ({ type: 'signed', token: permitOf(order) }) });
    const before = sink.requests.length;
    for (const name of ['Cordon-Permit', 'cordon-permit', 'Cordon_Permit', 'CORDON-PERMIT']) {
      const answer = await pay(rig, `${name}: x`);
      expect([answer.status, JSON.parse(answer.body).code], name).toEqual([400, 'header-reserved']);
    }
    expect(sink.requests.length).toBe(before);
    expect(await rig.entriesOf('decision')).toEqual([]);
  });
});

describe('an effector that speaks HTTP/2', () => {
  it('verifies the request that it receives, as over HTTP/1.1', async () => {
    const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
    const kid = hash('sha256', JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }), 'base64url');
    using server = await H2Server.start();
    await using rig = await server.rig({
      grants: [{ ...anything, permit: 'payments' }],
      sign: (order) => ({ type: 'signed', token: permitOf(order, kid, Date.now()) }),
    });
    using agent = await client(rig);
    const fields = { ':method': 'POST', ':path': '/echo?q=1', accept: '*/*', cookie: 'a=1; b=2' };
    expect((await agent.ask(fields, 'hello')).status).toBe(200);
    expect(server.versions).toEqual(['2.0']);
    const marks: string[] = [];
    const effector = {
      keys: await PermitKeys.import({ keys: [{ kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' }] }),
      audience: 'payments',
      destination: `https://${host}:443`,
      clock: Date,
      used: {
        look: async () => ({ used: false, outlived: false, superseded: false }),
        take: async ({ id: mark }: { readonly id: string }) =>
          marks.push(mark) > 1 ? ('used' as const) : ('taken' as const),
      },
    };
    const [headers = []] = server.heads;
    const request = { method: 'POST', target: '/echo?q=1', headers, body: Buffer.from('hello') };
    expect(await verifyPermit(request, effector)).toMatchObject({ ok: true, permit: { session: id } });
    const other = {
      ...request,
      headers: headers.map(([name, value]) => [name, name === 'accept' ? 'a' : value] as const),
    };
    expect(await verifyPermit(other, effector)).toEqual({ ok: false, code: 'permit-request' });
  });
});

describe('the desk', () => {
  const order = {} as PermitOrder;
  const never = new AbortController().signal;

  it('lets so many wait, and takes an answer for the one that asked', async () => {
    const sent: number[] = [];
    const desk = new PermitDesk((message) => sent.push(message.type === 'sign' ? message.n : 0), {
      permitSignTimeoutMs: 60_000,
      permitsWaitedForMax: 2,
    });
    const [first, second] = [desk.sign(order, never), desk.sign(order, never)];
    await expect(desk.sign(order, never)).rejects.toMatchObject({ code: 'permit-unavailable' });
    desk.take({ type: 'signed', n: 99, token: 'nobody' });
    desk.take({ type: 'signed', n: sent[1] ?? 0, token: 'two' });
    desk.take({ type: 'signed', n: sent[1] ?? 0, token: 'again' });
    desk.take({ type: 'unsigned', n: sent[0] ?? 0, code: 'permit-rate' });
    expect(await second).toBe('two');
    await expect(first).rejects.toMatchObject({ code: 'permit-unavailable' });
    const third = desk.sign(order, never);
    desk.take({ type: 'signed', n: sent[2] ?? 0, token: 'three' });
    expect(await third).toBe('three');
  });

  it('waits no longer than whoever asked', async () => {
    const desk = new PermitDesk(() => undefined, { permitSignTimeoutMs: 60_000, permitsWaitedForMax: 1 });
    const gone = new AbortController();
    const asked = desk.sign(order, gone.signal);
    gone.abort(new Error('gone'));
    await expect(asked).rejects.toThrow('gone');
    await expect(desk.sign(order, gone.signal)).rejects.toThrow('gone');
    const next = desk.sign(order, never);
    desk.take({ type: 'signed', n: 3, token: 'x' });
    expect(await next).toBe('x');
  });

  it('reads only what a signer says', () => {
    expect(parseSigningAnswer({ type: 'signed', n: 1, token: 'x' })).toEqual({ type: 'signed', n: 1, token: 'x' });
    expect(parseSigningAnswer({ type: 'signed', n: 1 })).toBeNull();
    expect(parseSigningAnswer({ type: 'signed', token: 'x' })).toBeNull();
    expect(parseSigningAnswer({ type: 'unsigned', n: 1, code: 'because' })).toBeNull();
    expect(parseSigningAnswer({ type: 'unsigned', n: 1, code: 'permit-rate' })).not.toBeNull();
  });
});
