import { FakeClock } from '@cordon/testkit';
import { describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import { type Load, Shedding } from '../src/shed.ts';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

const calm: Load = {
  memoryBytes: 70,
  memoryBytesMax: 100,
  delayMs: limits.shedDelayMs,
  diskFreeBytes: 5,
  diskBytes: 100,
};
const full: Load = { ...calm, memoryBytes: 71 };
const late: Load = { ...calm, delayMs: limits.shedDelayMs + 1 };

/** One look a second at these measures; what was refused after each. */
function seen(loads: readonly Load[]): string[] {
  const clock = new FakeClock();
  let load = calm;
  const shedding = new Shedding(
    () => load,
    clock,
    limits,
    () => undefined,
  );
  return loads.map((each) => {
    load = each;
    shedding.look();
    clock.advance(1_000);
    return shedding.shed;
  });
}

describe('shedding', () => {
  it('nothing up to the limits themselves', () => {
    expect(seen(Array.from({ length: 30 }, () => calm))).toEqual(Array.from({ length: 30 }, () => 'nothing'));
  });

  it('memory: new sessions at once, requests 5 s later, nothing as soon as there is room', () => {
    const six = Array.from({ length: 6 }, () => full);
    expect(seen([calm, ...six, calm, full])).toEqual([
      'nothing',
      ...Array.from({ length: 5 }, () => 'sessions'),
      'requests',
      'nothing',
      'sessions',
    ]);
  });

  it('delay: only one that lasts 5 s, then as memory', () => {
    expect(seen([late, late, late, late, calm, late])).toEqual(Array.from({ length: 6 }, () => 'nothing'));
    expect(seen(Array.from({ length: 11 }, () => late))).toEqual([
      ...Array.from({ length: 5 }, () => 'nothing'),
      ...Array.from({ length: 5 }, () => 'sessions'),
      'requests',
    ]);
  });

  it('a measure that is no number is too much', () => {
    expect(seen([{ ...calm, memoryBytes: Number.NaN }])).toEqual(['sessions']);
    expect(seen([{ ...calm, memoryBytesMax: Number.NaN }])).toEqual(['sessions']);
    expect(seen(Array.from({ length: 6 }, () => ({ ...calm, delayMs: Number.NaN }))).at(-1)).toBe('sessions');
  });

  it('so is one that cannot be taken', () => {
    const broken = (): Load => {
      throw new Error('EMFILE');
    };
    const shedding = new Shedding(broken, new FakeClock(), limits, () => undefined);
    shedding.look();
    expect(shedding.shed).toBe('sessions');
  });

  it('says when it changes, and only then', () => {
    let load = calm;
    const said: string[] = [];
    const shedding = new Shedding(
      () => load,
      new FakeClock(),
      limits,
      (_level, _code, message) => said.push(message),
    );
    shedding.look();
    load = full;
    shedding.look();
    shedding.look();
    expect(() => shedding.admitSession()).toThrow(expect.objectContaining({ code: 'overloaded' }));
    load = calm;
    shedding.look();
    expect(said).toEqual(['refuses now: sessions', 'refuses now: nothing']);
    shedding.admitSession();
  });
});

describe('the reserve of the ledger’s disk', () => {
  const mib = 2 ** 20;
  const look = (diskFreeBytes: number, diskBytes: number): boolean => {
    const shedding = new Shedding(
      () => ({ ...calm, diskFreeBytes, diskBytes }),
      new FakeClock(),
      limits,
      () => undefined,
    );
    shedding.look();
    return shedding.diskFull;
  };

  it('is a part of a small disk, a size of a large one, and reached by what is no number', () => {
    expect([look(5, 100), look(4, 100)]).toEqual([false, true]);
    expect([look(256 * mib, 2 ** 40), look(256 * mib - 1, 2 ** 40)]).toEqual([false, true]);
    expect(look(Number.NaN, 100)).toBe(true);
  });

  it('is not forgotten while nothing can be measured', () => {
    let measure = (): Load => ({ ...calm, diskFreeBytes: 0 });
    const shedding = new Shedding(
      () => measure(),
      new FakeClock(),
      limits,
      () => undefined,
    );
    shedding.look();
    measure = () => {
      throw new Error('EMFILE');
    };
    shedding.look();
    expect(shedding.diskFull).toBe(true);
  });

  it('denies what would be decided, on every way, until there is room; the log says it once', async () => {
    let load = calm;
    await using rig = await Rig.start({
      load: () => load,
      grants: [{ allow: 'api.example.com' }, { allow: 'tcp://db.example:5432' }],
      limits: { sweepMs: 10 },
    });
    const said = (words: string): boolean =>
      rig.reports.some(({ code, message }) => code === 'disk-full' && message.includes(words));
    load = { ...calm, diskFreeBytes: 1 };
    await rig.until(() => said('reserve'));
    for (let i = 0; i < 3; i++) {
      using client = await RawClient.to(rig.ports.proxy);
      const answer = await client.ask('GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n');
      expect([answer.status, answer.json['code']]).toEqual([503, 'ledger-unavailable']);
      using tunnel = await RawClient.to(rig.ports.proxy);
      tunnel.send('CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n');
      tunnel.send('\u0000raw');
      await tunnel.rest();
    }
    expect(rig.reports.filter(({ level }) => level === 'error')).toHaveLength(1);
    const beat = () => rig.control?.call('beat', { sequence: 1, leaseMs: 15_000 });
    expect(await beat()).toEqual({ sequence: 1, diskFull: true });
    load = calm;
    await rig.until(() => said('room'));
    expect(await beat()).toEqual({ sequence: 1, diskFull: false });
    using client = await RawClient.to(rig.ports.proxy);
    expect((await client.ask('GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n')).status).toBe(403);
  });
});

describe('a gateway that is full', () => {
  const line = 'GET http://cordon.internal/ HTTP/1.1\r\nHost: cordon.internal\r\n\r\n';

  it('takes no new session, then no request, keeps what is under way, and recovers', async () => {
    let load = calm;
    await using rig = await Rig.start({ load: () => load, limits: { sweepMs: 10, shedRequestsAfterMs: 300 } });
    using open = await RawClient.to(rig.ports.proxy);
    expect((await open.ask(line)).status).toBe(200);
    load = full;
    await rig.until(() =>
      rig.reports.some(({ code, message }) => code === 'overloaded' && message.includes('sessions')),
    );
    const served = rig.sent.length;
    await rig.serve('ses_01arz3ndektsv4rrffq69g5fb1');
    await rig.until(
      () => rig.reports.filter(({ level, code }) => level === 'error' && code === 'overloaded').length === 3,
    );
    expect(rig.sent.length).toBe(served);
    await rig.until(() =>
      rig.reports.some(({ code, message }) => code === 'overloaded' && message.includes('requests')),
    );
    const refused = await open.ask(line);
    expect(refused).toMatchObject({ status: 503, json: { code: 'overloaded' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await rig.entriesOf('fault')).at(-1)?.data['code']).toBe('overloaded');
    load = calm;
    await rig.until(() => rig.reports.at(-1)?.message.includes('nothing') === true);
    using again = await RawClient.to(rig.ports.proxy);
    // The ports of the session that was refused are gone with it.
    expect(again.ended).toBe(false);
    await rig.serve('ses_01arz3ndektsv4rrffq69g5fb2');
    await rig.until(() => rig.sent.length > served);
  });
});
