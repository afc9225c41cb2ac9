import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { type PermitOrder, parsePermitToken, type SessionState } from '@cordon/protocol';
import { FakeClock } from '@cordon/testkit';
import { describe, expect, it } from 'vitest';
import { supervisorLimits } from '../../src/limits.ts';
import { parseGatewayMessage } from '../../src/supervisor/gateway-message.ts';
import { PermitSigner } from '../../src/supervisor/permit-signer.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = 'k'.repeat(43);
const session = `ses_0${'a'.repeat(25)}`;
const digest = `sha256:${'d'.repeat(64)}`;
const order: PermitOrder = {
  aud: 'payments',
  session,
  attempt: `att_0${'b'.repeat(25)}`,
  intent: digest,
  decision: digest,
  recorded: { writer: 'gw', wseq: 7, tier: 'os' },
  generation: 3,
  revision: 1,
  destination: 'https://payments.example:443',
  payload: { sha256: 'e'.repeat(64), bytes: 12 },
  request: digest,
  credentials: [],
  obligations: [],
};

function place(state: SessionState | null = 'running') {
  const clock = new FakeClock();
  const sessions = new Map<string, { order: { tenant: string }; report: { state: SessionState } }>();
  if (state !== null) sessions.set(session, { order: { tenant: 'local' }, report: { state } });
  let signatures = 0;
  const signer = new PermitSigner({
    key: {
      kid,
      sign: (bytes) => {
        signatures += 1;
        return sign('sha256', bytes, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
      },
    },
    boot: `bot_0${'c'.repeat(25)}`,
    clock,
    sessionOf: (id) => sessions.get(id),
  });
  const code = (tenant = 'local', more: Partial<PermitOrder> = {}): string => {
    const signing = signer.sign(tenant, { ...order, ...more });
    return signing.ok ? 'signed' : signing.code;
  };
  const claims = () => {
    const signing = signer.sign('local', order);
    const read = signing.ok ? parsePermitToken(signing.token) : null;
    if (read === null || !read.ok) throw new Error('no permit');
    return read;
  };
  return { signer, clock, sessions, code, claims, signatures: () => signatures };
}

describe('the signer of permits', () => {
  it('writes the permit itself: start, tenant, epoch and times are its own', () => {
    const { claims, clock } = place();
    const { claims: read, signed, signature, kid: named } = claims();
    expect(named).toBe(kid);
    expect(read).toEqual({
      ...order,
      v: 'permit/1',
      id: `prm_0${'b'.repeat(25)}`,
      boot: `bot_0${'c'.repeat(25)}`,
      tenant: 'local',
      epoch: 0,
      issued: new Date(clock.now()).toISOString(),
      until: new Date(clock.now() + supervisorLimits.permitLifeMs).toISOString(),
    });
    expect(verify('sha256', signed, { key: pair.publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
  });

  it('signs for no session that is unknown, of another tenant, frozen or ended', () => {
    expect(place(null).code()).toBe('session-unknown');
    expect(place().code('other')).toBe('session-unknown');
    expect(place('frozen').code()).toBe('session-stopped');
    expect(place('ended').code()).toBe('session-stopped');
    expect(place('starting').code()).toBe('signed');
    const { signatures, code } = place(null);
    code();
    expect(signatures()).toBe(0);
  });

  it('knows of a stop before it is carried out, and every stop and lift raises the epoch', () => {
    const { signer, code, claims } = place();
    signer.stop(session);
    expect(code()).toBe('session-stopped');
    signer.lift(session);
    expect(claims().claims.epoch).toBe(2);
    signer.stop(session);
    signer.lift(session);
    expect(claims().claims.epoch).toBe(4);
  });

  it('signs nothing for a killed session, whatever is lifted', () => {
    const { signer, code } = place();
    signer.kill(session);
    expect(code()).toBe('session-stopped');
    signer.lift(session);
    expect(code()).toBe('session-stopped');
  });

  it('remembers nothing of sessions that are not there', () => {
    const { signer, sessions, claims } = place(null);
    signer.kill(session);
    sessions.set(session, { order: { tenant: 'local' }, report: { state: 'running' } });
    expect(claims().claims.epoch).toBe(0);
    signer.stop(session);
    signer.forget(session);
    expect(claims().claims.epoch).toBe(0);
  });

  it('signs so many a second for one session, and so many in all', () => {
    const { code, clock, sessions, signatures } = place();
    const most = supervisorLimits.permitsPerSecondMax;
    for (let i = 0; i < most; i++) expect(code()).toBe('signed');
    expect(code()).toBe('permit-rate');
    expect(signatures()).toBe(most);
    const others = Array.from({ length: 5 }, (_, i) => `ses_${i}${'f'.repeat(25)}`);
    for (const other of others) sessions.set(other, { order: { tenant: 'local' }, report: { state: 'running' } });
    const left = supervisorLimits.permitsPerSecondTotalMax - most;
    const answers = others.flatMap((other) => Array.from({ length: most }, () => code('local', { session: other })));
    expect(answers.filter((answer) => answer === 'signed')).toHaveLength(left);
    expect(answers.at(-1)).toBe('permit-rate');
    clock.advance(1000);
    expect(code()).toBe('signed');
  });

  it('signs nothing that is too long for a header, and nothing without a key', () => {
    const obligations = Array.from({ length: 16 }, (_, i) => `${String(i).padStart(2, '0')}${'x'.repeat(250)}`);
    expect(place().code('local', { obligations })).toBe('permit-too-large');
    const signer = new PermitSigner({ key: null, boot: '', clock: new FakeClock(), sessionOf: () => undefined });
    expect(signer.sign('local', order)).toEqual({ ok: false, code: 'signer-unavailable' });
  });
});

describe('an order of a gateway', () => {
  it('has exactly its members, each of its shape', () => {
    const message = { type: 'sign', n: 1, order };
    expect(parseGatewayMessage(message)).toEqual(message);
    for (const change of [
      { tenant: 'other' },
      { boot: 'bot_1' },
      { epoch: 9 },
      { until: '2099-01-01T00:00:00.000Z' },
      { session: 'x' },
      { aud: 'PAYMENTS' },
      { aud: 'a'.repeat(65) },
      { intent: 'sha256:0' },
      { recorded: { ...order.recorded, tier: 'none' } },
      { recorded: { writer: 'gw', wseq: 7 } },
      { generation: 1.5 },
      { destination: 'javascript:alert(1)' },
      { payload: { ...order.payload, bytes: -1 } },
      { credentials: ['b', 'a'] },
      { credentials: ['a', 'a'] },
      { credentials: ['A'] },
      { obligations: 'none' },
      { obligations: Array.from({ length: 17 }, (_, i) => String(i).padStart(2, '0')) },
      { request: undefined },
    ]) {
      expect(parseGatewayMessage({ ...message, order: { ...order, ...change } }), JSON.stringify(change)).toBeNull();
    }
    const { aud: _, ...without } = order;
    expect(parseGatewayMessage({ ...message, order: without })).toBeNull();
    expect(parseGatewayMessage({ ...message, n: 0.5 })).toBeNull();
  });
});
