import type { Recorded } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import {
  type Allow,
  consumePermit,
  createPermit,
  createPermitMinter,
  discardPermit,
  takeRate,
  tierOf,
} from '../src/index.ts';
import { limits } from '../src/limits.ts';
import { decide, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const snapshot = snapshotOf(engine);

function allowed(path = '/', method = 'GET'): Allow {
  const decision = decide(snapshot, intentOf(undefined, method, path));
  if (decision.outcome !== 'allow') throw new TypeError(decision.record.code);
  return decision;
}
// Only `ledger` makes one; here it stands in for the journal.
const recordOf = (allow: Allow, more: Partial<Recorded> = {}) =>
  ({ writer: 'gw', wseq: 1, tier: 'os', leaf: '', decision: allow.digest, ...more }) as Recorded;
const effectOf = (allow: Allow) => ({ intentDigest: allow.record.intent, payload: allow.intent.payload });

function clockAt(start: number) {
  let now = start;
  const advance = (ms: number) => {
    now += ms;
  };
  return { clock: { monotonic: () => now }, advance };
}

describe('a permit', () => {
  it('is for the recorded decision, and is used once', () => {
    const minter = createPermitMinter(clockAt(0).clock, { boot: 'b' });
    const allow = allowed();
    const permit = createPermit(allow, recordOf(allow), minter);
    expect(permit).toMatchObject({
      decision: allow.digest,
      destination: 'https://api.github.com:443',
      attempt: 'att_1',
      generation: 7,
      revision: 3,
    });
    consumePermit(permit, minter, effectOf(allow));
    expect(() => consumePermit(permit, minter, effectOf(allow))).toThrow(
      expect.objectContaining({ code: 'permit-used' }),
    );
  });

  it('is not made for another decision, nor twice for one', () => {
    const minter = createPermitMinter(clockAt(0).clock, { boot: 'b' });
    const [allow, other] = [allowed(), allowed('/other')];
    const mismatch = expect.objectContaining({ code: 'record-mismatch' });
    expect(() => createPermit(allow, recordOf(other), minter)).toThrow(mismatch);
    expect(() => createPermit(allow, recordOf(allow, { decision: null }), minter)).toThrow(mismatch);
    const recorded = recordOf(allow);
    createPermit(allow, recorded, minter);
    const spent = expect.objectContaining({ code: 'record-spent' });
    expect(() => createPermit(allow, recorded, minter)).toThrow(spent);
    expect(() => createPermit(allow, recordOf(allow), minter)).toThrow(spent);
    expect(() => createPermit(allowed(), recorded, minter)).toThrow(spent);
  });

  it('needs a record as durable as the risk', () => {
    const minter = createPermitMinter(clockAt(0).clock, { boot: 'b' });
    const destroy = allowed('/x', 'DELETE');
    expect(tierOf(destroy)).toBe('disk');
    expect(() => createPermit(destroy, recordOf(destroy), minter)).toThrow(
      expect.objectContaining({ code: 'tier-too-low' }),
    );
    expect(createPermit(destroy, recordOf(destroy, { tier: 'disk' }), minter).destination).toBe(
      'https://api.github.com:443',
    );
    expect(tierOf(allowed('/x', 'POST'))).toBe('os');
    expect(tierOf(decide(snapshot, intentOf(), { live: false }))).toBe('os');
    const shares = decide(snapshot, intentOf(undefined, 'POST'), { flow: { ...allowed().facts.flow, destInteg: 1 } });
    expect(tierOf(shares)).toBe('disk');
  });

  it('ends after ten seconds, and with another minter', () => {
    const time = clockAt(1000);
    const minter = createPermitMinter(time.clock, { boot: 'b' });
    const allow = allowed();
    const foreign = createPermit(allow, recordOf(allow), createPermitMinter(time.clock, { boot: 'c' }));
    expect(() => consumePermit(foreign, minter, effectOf(allow))).toThrow(
      expect.objectContaining({ code: 'permit-used' }),
    );
    const late = createPermit(allow, recordOf(allow), minter);
    time.advance(limits.permitStartMs);
    expect(() => consumePermit(late, minter, effectOf(allow))).toThrow(
      expect.objectContaining({ code: 'permit-expired' }),
    );
    const intime = allowed('/2');
    const permit = createPermit(intime, recordOf(intime), minter);
    time.advance(limits.permitStartMs - 1);
    consumePermit(permit, minter, effectOf(intime));
  });

  it('is for the very bytes that were decided, and a mismatch spends it', () => {
    const minter = createPermitMinter(clockAt(0).clock, { boot: 'b' });
    for (const change of [
      { intentDigest: 'sha256:0' },
      { payload: { ...intentOf().payload, bytes: 1 } },
      { payload: { ...intentOf().payload, sha256: 'x' } },
    ]) {
      const allow = allowed();
      const permit = createPermit(allow, recordOf(allow), minter);
      expect(() => consumePermit(permit, minter, { ...effectOf(allow), ...change })).toThrow(
        expect.objectContaining({ code: 'permit-mismatch' }),
      );
      expect(() => consumePermit(permit, minter, effectOf(allow))).toThrow(
        expect.objectContaining({ code: 'permit-used' }),
      );
    }
  });

  it('is void when the intent was changed after it was judged', () => {
    const minter = createPermitMinter(clockAt(0).clock, { boot: 'b' });
    const allow = allowed();
    const permit = createPermit(allow, recordOf(allow), minter);
    (permit.intent.args as { path: string }).path = '/elsewhere';
    expect(() => consumePermit(permit, minter, effectOf(allow))).toThrow(
      expect.objectContaining({ code: 'permit-mismatch' }),
    );
  });

  it('that was copied, discarded or changed is none', () => {
    const minter = createPermitMinter(clockAt(0).clock, { boot: 'b' });
    const allow = allowed();
    const permit = createPermit(allow, recordOf(allow), minter);
    expect(Object.isFrozen(permit)).toBe(true);
    expect(() => consumePermit({ ...permit }, minter, effectOf(allow))).toThrow(
      expect.objectContaining({ code: 'permit-used' }),
    );
    discardPermit(permit, minter);
    expect(() => consumePermit(permit, minter, effectOf(allow))).toThrow(
      expect.objectContaining({ code: 'permit-used' }),
    );
  });

  it('are bounded in number, and old ones make room', () => {
    const time = clockAt(0);
    const minter = createPermitMinter(time.clock, { boot: 'b' });
    const first = allowed();
    const copies = Array.from({ length: limits.permitsOpenMax }, () => ({ ...first }) as Allow);
    for (const allow of copies) createPermit(allow, recordOf(allow), minter);
    const more = allowed('/more');
    expect(() => createPermit(more, recordOf(more), minter)).toThrow(
      expect.objectContaining({ code: 'permits-exhausted' }),
    );
    time.advance(limits.permitStartMs + 1);
    expect(createPermit(more, recordOf(more), minter).attempt).toBe('att_1');
    expect(minter.open.size).toBe(1);
  });
});

describe('a rate', () => {
  it('lets a burst through, then one per step', () => {
    const rate = { count: 3, windowMs: 3000 };
    let state: number | undefined;
    const take = (now: number) => {
      const answer = takeRate(state, rate, now);
      if (answer.ok) state = answer.state;
      return answer.ok ? 'ok' : answer.retryAfterMs;
    };
    expect([0, 0, 0, 0, 999, 1000, 1000, 10_000, 10_000, 10_000, 10_000].map(take)).toEqual([
      'ok',
      'ok',
      'ok',
      1000,
      1,
      'ok',
      1000,
      'ok',
      'ok',
      'ok',
      1000,
    ]);
  });

  it('never admits more than its count in a window', () => {
    for (const rate of [
      { count: 7, windowMs: 1000 },
      { count: 1, windowMs: 1 },
      { count: 1000, windowMs: 60_000 },
    ]) {
      let state: number | undefined;
      let admitted = 0;
      for (let now = 0; now < rate.windowMs; now += rate.windowMs / 5000) {
        const answer = takeRate(state, rate, now);
        if (!answer.ok) continue;
        state = answer.state;
        admitted++;
      }
      expect(admitted).toBeLessThanOrEqual(2 * rate.count);
    }
  });
});
