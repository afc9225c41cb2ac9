import type { Permit } from '@cordon/policy';
import { systemClock } from '@cordon/protocol';
import { FakeClock, HttpSink } from '@cordon/testkit';
import { describe, expect, it } from 'vitest';
import { RightToDecide } from '../src/control/right.ts';
import { limits } from '../src/limits.ts';
import { HeldBytes } from '../src/session/held.ts';
import { Session } from '../src/session/session.ts';
import { checkStop } from '../src/stop-gate.ts';
import { connectThrough } from './client.ts';
import { freePurse } from './free-purse.ts';
import { session as id, Rig, upstreamCa } from './rig.ts';

describe('the last step before an effect', () => {
  const past = { seq: 0, decisions: 0, attempt: null, closed: [], label: null, leaked: 0 };
  const permit = { session: id } as Permit;

  function place(): { session: Session; right: RightToDecide; clock: FakeClock } {
    const clock = new FakeClock();
    const right = new RightToDecide(clock);
    right.renew(1_000);
    return { session: new Session(id, past, limits, new HeldBytes(0), freePurse()), right, clock };
  }

  it('lets a permit through while its session runs and the right to decide is alive', () => {
    const { session, right } = place();
    expect(checkStop(permit, session, right)).toBe(permit);
  });

  it('stops it for a session that was stopped, or is over, or is another one', () => {
    const { session, right } = place();
    const stopped = expect.objectContaining({ code: 'permit-stopped' });
    expect(() => checkStop({ ...permit, session: 'ses_other' } as Permit, session, right)).toThrow(stopped);
    session.setStopped(true);
    expect(() => checkStop(permit, session, right)).toThrow(stopped);
    session.setStopped(false);
    expect(checkStop(permit, session, right)).toBe(permit);
    session.close();
    expect(() => checkStop(permit, session, right)).toThrow(stopped);
  });

  it('stops it when the right to decide has run out', () => {
    const { session, right, clock } = place();
    clock.advance(1_000);
    expect(() => checkStop(permit, session, right)).toThrow(expect.objectContaining({ code: 'permit-stale' }));
  });
});

describe('a permit', () => {
  it('that grew too old while a secret was leased sends nothing', async () => {
    let aheadMs = 0;
    const clock = { now: () => systemClock.now() + aheadMs, monotonic: () => systemClock.monotonic() + aheadMs };
    await using sink = await HttpSink.start({ tls: upstreamCa.issue(['api.example.com']) });
    await using rig = await Rig.start({
      clock,
      leaseMs: 600_000,
      grants: [{ allow: 'api.example.com' }],
      hosts: { 'api.example.com:443': sink.port },
      secrets: [
        {
          name: 'github',
          to: ['https://api.example.com'],
          at: { header: 'Authorization', form: 'Bearer {}' },
          methods: null,
          paths: null,
          require: false,
        },
      ],
      lease: () => {
        aheadMs += 60_000;
        return { value: 'sk-real-value-0123456789', expiresAt: '2100-01-01T00:00:00.000Z' };
      },
    });
    using client = await connectThrough(rig.ports.proxy, { target: 'api.example.com:443', ca: rig.ca.certificate });
    const line = 'GET / HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer cordon:secret:github\r\n\r\n';
    expect((await client.ask(line)).status).toBe(500);
    expect(rig.leases).toHaveLength(1);
    expect(sink.connections).toBe(0);
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 1);
    expect((await rig.entriesOf('outcome'))[0]?.data).toMatchObject({
      code: 'permit-expired',
      bytesOut: 0,
      doubt: false,
    });
  });
});

describe('what the control plane says', () => {
  it('is not taken when it is older, or for another tenant', async () => {
    await using rig = await Rig.start({});
    const { control } = rig;
    if (control === null) throw new Error('no control plane');
    const tenant = { ...rig.tenantPolicy(), generation: 5 };
    await control.call('tenant', tenant);
    await expect(control.call('tenant', { ...tenant, generation: 4 })).rejects.toMatchObject({
      code: 'policy-rollback',
    });
    // The same number with the same content again is what a reconnect brings; with another one it is another policy.
    await control.call('tenant', tenant);
    await expect(control.call('tenant', { ...tenant, layers: [] })).rejects.toMatchObject({ code: 'policy-rollback' });
    await expect(control.call('tenant', { ...tenant, generation: 6, tenant: 'other' })).rejects.toMatchObject({
      code: 'tenant-mismatch',
    });
    const policy = { ...rig.sessionPolicy(), revision: 5 };
    await control.call('session', policy);
    await expect(control.call('session', { ...policy, revision: 4 })).rejects.toMatchObject({
      code: 'policy-rollback',
    });
    await expect(control.call('session', { ...policy, revision: 6, tenant: 'other' })).rejects.toMatchObject({
      code: 'tenant-mismatch',
    });
  });
});
