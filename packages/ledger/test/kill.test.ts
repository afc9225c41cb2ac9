import { describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import { verifyKill } from '../src/verify/kill.ts';
import { act, journalsOf, openTestJournal, temporary } from './rig.ts';

const start = Date.UTC(2026, 0, 1);
const hour = 3600_000;

/** A host with one clock, a control plane and a gateway that write, and what the verifier says of them. */
async function life(story: (host: Host) => Promise<void>) {
  const root = temporary();
  let now = start;
  const clock = { now: () => now };
  const [control, gateway] = [
    await openTestJournal(root, { writer: 'cp', clock }),
    await openTestJournal(root, { clock }),
  ];
  const write = (type: 'session.start' | 'kill' | 'heartbeat', data: object, session: string | null = null) =>
    control.append({ session, type, data: { ...data } }, 'os');
  let acts = 0;
  await story({
    pass: (ms) => {
      now += ms;
    },
    order: (session, agent) => write('session.start', { phase: 'order', agent }, session),
    kill: (scope) => write('kill', { scope, id: 'stp_1' }),
    beat: () => write('heartbeat', {}),
    act: (session) => act(gateway, `att_${++acts}`, session),
  });
  await control.close();
  await gateway.close();
  const { ok, failures, counts } = verifyKill(journalsOf(root));
  return { ok, codes: failures.map(({ code }) => code), withinLease: counts['withinLease'] ?? 0 };
}

interface Host {
  pass(ms: number): void;
  order(session: string, agent: string): Promise<unknown>;
  kill(scope: { session?: string; agent?: string; all?: true }): Promise<unknown>;
  beat(): Promise<unknown>;
  act(session: string): Promise<void>;
}

describe('the part kill', () => {
  it.each([
    ['the session', { session: 'ses_a' }],
    ['its agent', { agent: 'fixer' }],
    ['all', { all: true }],
  ] as const)('names what is let through of a session after a kill of %s, and of no other', async (what, scope) => {
    const report = await life(async (host) => {
      await host.order('ses_a', 'fixer');
      if (what !== 'all') await host.order('ses_b', 'reader');
      await host.act('ses_a');
      await host.kill(scope);
      host.pass(limits.killLeaseMs + 1);
      await host.act('ses_b');
      await host.act('ses_a');
    });
    expect(report).toEqual({ ok: false, codes: ['after-kill', 'after-kill'], withinLease: 0 });
  });

  it('counts what a gateway lets through that could not be told, until its lease ends', async () => {
    const report = await life(async (host) => {
      await host.order('ses_a', 'fixer');
      await host.kill({ session: 'ses_a' });
      host.pass(limits.killLeaseMs);
      await host.act('ses_a');
    });
    expect(report).toEqual({ ok: true, codes: [], withinLease: 2 });
  });

  it('finds a killed session that is ordered again', async () => {
    const report = await life(async (host) => {
      await host.order('ses_a', 'fixer');
      await host.kill({ session: 'ses_a' });
      await host.order('ses_a', 'fixer');
    });
    expect(report.codes).toEqual(['after-kill']);
  });

  it('is not misled by a clock that is put forward and back, whichever writer says so', async () => {
    for (const told of ['control plane', 'gateway'] as const) {
      const report = await life(async (host) => {
        await host.order('ses_a', 'fixer');
        host.pass(hour);
        await host.act('ses_a');
        if (told === 'control plane') await host.beat();
        host.pass(-hour + 100);
        if (told === 'gateway') await host.act('ses_b');
        await host.kill({ session: 'ses_a' });
      });
      expect(report, told).toEqual({ ok: true, codes: [], withinLease: 0 });
    }
  });

  it('still finds what came after, though the clock had been wrong before', async () => {
    const report = await life(async (host) => {
      await host.order('ses_a', 'fixer');
      host.pass(hour);
      await host.act('ses_a');
      host.pass(-hour + 100);
      await host.act('ses_b');
      await host.kill({ session: 'ses_a' });
      host.pass(limits.killLeaseMs + 1);
      await host.act('ses_a');
      await host.act('ses_b');
    });
    expect(report.codes).toEqual(['after-kill', 'after-kill']);
  });
});
