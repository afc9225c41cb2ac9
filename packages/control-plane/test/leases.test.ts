import { systemClock } from '@cordon/protocol';
import { Secret } from '@cordon/secrets';
import { expect, it } from 'vitest';
import { type StopRecord, StopTable } from '../src/stops/table.ts';
import { type LeaseParts, leaseSecret } from '../src/uplink/leases.ts';

const session = 'ses_1';
const stop: StopRecord = {
  id: 'stp_1',
  scope: { session },
  strength: 'freeze',
  reason: '',
  at: '2026-01-01T00:00:00.000Z',
  by: 'ada',
  liftedAt: null,
};
const order = { session, secret: 'robot', destination: 'https://api.example.com:443', attempt: 'att_1' };

/** `meanwhile` happens while the lease is written. */
function leasing(meanwhile: (stops: StopTable) => void) {
  const stops = new StopTable([]);
  const value = Secret.from('the-value-of-robot');
  const tiers: unknown[] = [];
  const binding = { name: 'robot', to: [order.destination], at: { header: 'x-key', form: '{}' }, methods: null };
  const parts = {
    stops,
    clock: systemClock,
    registry: {
      find: () => ({ id: session, agent: 'a', policy: { secrets: [{ ...binding, paths: null, require: false }] } }),
    },
    secrets: { lease: async () => ({ value, version: 1 }) },
    recorder: {
      record: async (_draft: unknown, tier: unknown) => {
        tiers.push(tier);
        meanwhile(stops);
      },
    },
  };
  return { value, tiers, leased: leaseSecret(order, parts as unknown as LeaseParts) };
}

it('a lease is on disk before the value leaves, and the value is wiped here', async () => {
  const { leased, tiers, value } = leasing(() => undefined);
  expect((await leased).value).toBe('the-value-of-robot');
  expect(tiers).toEqual(['disk']);
  expect(value.disposed).toBe(true);
});

it('a stop that comes while the lease is written wins', async () => {
  const { leased, value } = leasing((stops) => stops.add(stop));
  await expect(leased).rejects.toMatchObject({ code: 'session-stopped' });
  expect(value.disposed).toBe(true);
});
