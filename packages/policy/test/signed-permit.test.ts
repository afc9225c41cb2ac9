import { type PermitClaims, permitSigningInput, permitToken, type Recorded } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import {
  type Allow,
  acceptSigned,
  compileGrants,
  createPermit,
  createPermitMinter,
  createSigningOrder,
  type Grant,
  type Permit,
} from '../src/index.ts';
import { anything, decide, freshEngine, intentFor, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const permit = (annotations: string) => `${annotations} ${anything}`;
const intent = intentOf('https://pay.example:443', 'POST', '/pay', {
  args: { method: 'POST', path: '/pay', query: [], headers: [['Accept', '*/*']] },
  payload: { sha256: '2'.repeat(64), bytes: 4, kind: 'text' },
});

function permitFor(annotations: string): Permit {
  const decision = decide(snapshotOf(engine, { session: { 'session/a': permit(annotations) } }), intent);
  if (decision.outcome !== 'allow') throw new TypeError(decision.record.code);
  const allow: Allow = decision;
  // Only `ledger` makes one; here it stands in for the journal.
  const recorded = { writer: 'gw', wseq: 9, tier: 'disk', leaf: 'l', decision: allow.digest } as unknown as Recorded;
  return createPermit(allow, recorded, createPermitMinter({ monotonic: () => 0 }, { boot: 'b' }));
}

const wire = { target: '/pay', credentials: [] };

describe('the order for a signed permit', () => {
  it('says what was decided and recorded, and what is left to keep', () => {
    const made = permitFor('@permit("payments") @bytes("100") @durable("disk") @rate("3/1m") @lease("pay")');
    expect(createSigningOrder(made, { target: '/pay?x=1', credentials: ['b', 'a', 'b'] }).claims).toEqual({
      aud: 'payments',
      session: 'ses_1',
      attempt: 'att_1',
      intent: made.intentDigest,
      decision: made.decision,
      recorded: { writer: 'gw', wseq: 9, tier: 'disk' },
      generation: 7,
      revision: 3,
      destination: 'https://pay.example:443',
      payload: { sha256: '2'.repeat(64), bytes: 4 },
      request: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      credentials: ['a', 'b'],
      obligations: ['bytes:100', 'durable:disk'],
    });
  });

  it('is for another request when anything of it is another', () => {
    const made = permitFor('@permit("payments")');
    const requestOf = (target: string, credentials: string[], of = made) =>
      createSigningOrder(of, { target, credentials }).claims.request;
    const digests = [
      requestOf('/pay', []),
      requestOf('/pay?', []),
      requestOf('/pay', ['accept']),
      requestOf('/pay', [], { ...made, destination: 'https://other.example:443' } as Permit),
      requestOf('/pay', [], { ...made, payload: { ...made.payload, bytes: 5 } } as Permit),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    expect(requestOf('/pay', [])).toBe(digests[0]);
  });

  it('is not to be had where no grant names an effector', () => {
    expect(() => createSigningOrder(permitFor('@bytes("100")'), wire)).toThrow(
      expect.objectContaining({ code: 'permit-unaddressed' }),
    );
  });

  it('is answered with a permit for the very same, or not at all', () => {
    const grown = permitFor('@permit("payments")');
    // Ids of a real session have the length that the form wants.
    const made = { ...grown, session: `ses_0${'a'.repeat(25)}`, attempt: `att_0${'b'.repeat(25)}` } as Permit;
    const order = createSigningOrder(made, wire);
    const answer = (change: Partial<PermitClaims> = {}): string => {
      const own = {
        v: 'permit/1',
        id: `prm_0${'b'.repeat(25)}`,
        boot: `bot_0${'c'.repeat(25)}`,
        tenant: 'local',
      } as const;
      const times = { epoch: 0, issued: '2026-01-01T00:00:00.000Z', until: '2026-01-01T00:01:00.000Z' };
      const claims = { ...order.claims, ...own, ...times, ...change };
      return permitToken(permitSigningInput('k'.repeat(43), claims), new Uint8Array(64));
    };
    expect(acceptSigned(order, answer()).permit).toBe(made);
    expect(acceptSigned(order, answer({ epoch: 7 })).token).toBe(answer({ epoch: 7 }));
    const digest = `sha256:${'f'.repeat(64)}`;
    for (const change of [
      { aud: 'refunds' },
      { session: `ses_1${'a'.repeat(25)}` },
      { attempt: `att_1${'b'.repeat(25)}` },
      { intent: digest },
      { decision: digest },
      { request: digest },
      { recorded: { ...order.claims.recorded, wseq: 10 } },
      { generation: 8 },
      { revision: 4 },
      { destination: 'https://other.example:443' },
      { payload: { ...order.claims.payload, bytes: 5 } },
      { credentials: ['authorization'] },
      { obligations: ['bytes:1'] },
    ]) {
      expect(() => acceptSigned(order, answer(change)), JSON.stringify(change)).toThrow(
        expect.objectContaining({ code: 'permit-mismatch' }),
      );
    }
    expect(() => acceptSigned(order, 'a.b.c')).toThrow(expect.objectContaining({ code: 'permit-mismatch' }));
  });
});

describe('a grant with `permit`', () => {
  const options = { layer: 'session', source: 'cordon.yaml' } as const;
  const messageOf = (grant: Grant): string | null => {
    const result = compileGrants([grant], options);
    return result.ok ? null : (result.problems[0]?.message ?? '');
  };

  it('is an obligation of the permit that allows, and is said', () => {
    const result = compileGrants([{ allow: 'pay.example', methods: ['POST'], permit: 'payments' }], options);
    if (!result.ok) throw new TypeError(JSON.stringify(result.problems));
    expect(Object.values(result.policies)[0]).toContain('@permit("payments")');
    expect(result.describe[0]).toContain('each with a signed permit for payments');
    const decision = decide(snapshotOf(engine, { session: result.policies }), intent);
    if (decision.outcome !== 'allow') throw new TypeError(decision.record.code);
    expect(decision.obligations.audience).toBe('payments');
    expect(decision.record.obligations).toEqual(['permit:payments']);
  });

  it('is refused where no permit could go along', () => {
    expect(messageOf({ allow: 'tcp://pay.example:5432', permit: 'payments' })).toContain('permit');
    expect(messageOf({ allow: 'wss://pay.example', permit: 'payments' })).toContain('permit');
    expect(messageOf({ allow: 'pay.example', websocket: true, permit: 'payments' })).toContain('permit');
    expect(messageOf({ deny: 'pay.example', permit: 'payments' })).toContain('permit');
    for (const name of ['', 'Payments', 'pay ments', 'a"b', `a${'b'.repeat(64)}`, '-a', 'a.']) {
      expect(messageOf({ allow: 'pay.example', permit: name }), name).toContain('permit');
    }
  });

  it('denies what two grants would address to two effectors, and what is no request', () => {
    const both = snapshotOf(engine, {
      tenant: { name: 'tenant', policies: { 'tenant/a': permit('@permit("refunds")') } },
      session: { 'session/a': permit('@permit("payments")') },
    });
    expect(decide(both, intent).record).toMatchObject({ outcome: 'deny', code: 'obligation-unknown' });
    const one = snapshotOf(engine, { session: { 'session/a': permit('@permit("payments")'), 'session/b': anything } });
    expect(decide(one, intent)).toMatchObject({ outcome: 'allow', obligations: { audience: 'payments' } });
    for (const action of ['http.upgrade', 'http.message', 'http.tunnel'] as const) {
      const resource = action === 'http.tunnel' ? 'tls://pay.example:443' : 'https://pay.example:443';
      expect(decide(one, intentFor(action, resource)).record.code, action).toBe('obligation-unknown');
    }
  });
});
