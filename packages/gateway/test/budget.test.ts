import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Amounts, type Budget, type BudgetUnit, budgetUnits, type Given } from '@cordon/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Purse } from '../src/budget/purse.ts';
import { type Answer, RawClient } from './client.ts';
import { Rig, type RigOptions, startOf } from './rig.ts';

const host = 'api.example.com';
const mib = 1024 * 1024;
const limits = {
  budgetSliceRequestsMax: 64,
  budgetSliceBytesMax: 8 * mib,
  budgetSliceLeakBytesMax: 16 * 1024,
  budgetSliceSecondsMax: 60,
  budgetIdleMs: 5_000,
};

/** The whole, as the control plane keeps it. */
class Whole {
  readonly left: { [U in BudgetUnit]?: number | null };
  asked = 0;

  constructor(left: Given) {
    this.left = { ...left };
  }

  take(needed: Amounts, wanted: Amounts): Given {
    this.asked += 1;
    return Object.fromEntries(
      budgetUnits.map((unit) => {
        const left = this.left[unit] ?? null;
        if (left === null) return [unit, null];
        const given = Math.min(left, Math.max(needed[unit] ?? 0, wanted[unit] ?? 0));
        this.left[unit] = left - given;
        return [unit, given];
      }),
    );
  }
}

describe('a purse', () => {
  let now: number;
  let whole: Whole;
  let emptied: number;
  let back: Amounts[];
  const one = { requests: 1, bytes: 0 };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  function purse(left: Given, take?: () => Promise<Given>): Purse {
    [now, whole, emptied, back] = [1e6, new Whole(left), 0, []];
    return new Purse({
      isLimited: (unit) => (whole.left[unit] ?? null) !== null,
      limits,
      now: () => now,
      empty: () => {
        emptied += 1;
      },
      take: take ?? (async (needed, wanted) => whole.take(needed, wanted)),
      giveBack: (amounts) => back.push(amounts),
    });
  }

  it('pays out of slices, to the last request and not one more', async () => {
    const own = purse({ requests: 100, bytes: null });
    const paid: boolean[] = [];
    for (let i = 0; i < 130; i++) paid.push(await own.pay(one));
    expect(paid.filter(Boolean)).toHaveLength(100);
  });

  it('is never overdrawn by many who pay at once', async () => {
    const own = purse({ requests: 50, bytes: null });
    const paid = await Promise.all(Array.from({ length: 500 }, () => own.pay(one)));
    expect(paid.filter(Boolean)).toHaveLength(50);
  });

  it('asks for nothing where nothing is limited, and pays from the moment when something is', async () => {
    const own = purse({ requests: null, bytes: null }, () => Promise.reject(new Error('no control plane')));
    for (let i = 0; i < 1000; i++) expect(await own.pay({ requests: 1, bytes: mib })).toBe(true);
    own.passed(100 * mib);
    await turn();
    expect(emptied).toBe(0);
    whole.left.requests = 5;
    expect(await own.pay(one)).toBe(false);
  });

  it('gives nothing when nobody can be asked, but for what is left of a slice', async () => {
    let reachable = false;
    const own = purse({ requests: 2, bytes: null }, () =>
      reachable ? Promise.resolve({ requests: 2, bytes: null }) : Promise.reject(new Error('no control plane')),
    );
    expect(await own.pay(one)).toBe(false);
    reachable = true;
    expect(await own.pay(one)).toBe(true);
    reachable = false;
    expect([await own.pay(one), await own.pay(one)]).toEqual([true, false]);
  });

  it('takes nothing when it cannot take everything', async () => {
    const own = purse({ requests: 10, bytes: 5 });
    expect(await own.pay({ requests: 1, bytes: 6 })).toBe(false);
    own.close();
    expect(back).toEqual([{ requests: 10, bytes: 5 }]);
  });

  it('is topped up while bytes pass, and says when there is no more', async () => {
    const own = purse({ requests: null, bytes: 20 * mib });
    expect(await own.pay({ requests: 1, bytes: 1 })).toBe(true);
    for (let i = 0; i < 19; i++) {
      own.passed(mib);
      await turn();
    }
    expect(emptied).toBe(0);
    own.passed(2 * mib);
    await turn();
    expect(emptied).toBeGreaterThan(0);
    expect(await own.pay({ requests: 0, bytes: 1 })).toBe(false);
  });

  it('pays for time that has passed, whatever is asked for, and denies when there is none left', async () => {
    const own = purse({ requests: null, bytes: null, seconds: 100 });
    expect(await own.pay(one)).toBe(true);
    now += 60_500;
    expect(await own.pay(one)).toBe(true);
    now += 39_600;
    // What was half a second before is counted now.
    expect(await own.pay(one)).toBe(true);
    now += 1_000;
    expect(await own.pay(one)).toBe(false);
    expect(await own.pay({})).toBe(false);
  });

  it('gives back what lies idle, once, and a slice that comes after its end', async () => {
    const own = purse({ requests: 100, bytes: null });
    await own.pay(one);
    own.sweep();
    expect(back).toEqual([]);
    now += limits.budgetIdleMs;
    own.sweep();
    own.sweep();
    expect(back).toEqual([{ requests: 63 }]);
    const late = own.pay(one);
    own.close();
    expect(await late).toBe(false);
    expect(back).toEqual([{ requests: 63 }, { requests: 36 }]);
  });
});

describe('a budget', () => {
  let server: Server;
  let asked: number;

  beforeEach(async () => {
    asked = 0;
    server = createServer((request, response) => {
      asked += 1;
      request.resume();
      if (request.url !== '/endless') {
        response.end('fine');
        return;
      }
      const flood = setInterval(() => response.write(Buffer.alloc(256 * 1024)), 1);
      response.once('close', () => clearInterval(flood));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  function start(left: Given, options: RigOptions = {}): Promise<Rig> {
    const whole = new Whole(left);
    return Rig.start({
      grants: [{ allow: `http://${host}`, methods: ['GET', 'POST'] }],
      hosts: { [`${host}:80`]: (server.address() as AddressInfo).port },
      budget: ({ needed, wanted }) => whole.take(needed, wanted),
      limited: { per: 'ever', requests: null, bytes: null, ...left } as Budget,
      ...options,
    });
  }

  async function ask(rig: Rig, body = ''): Promise<Answer> {
    using client = await RawClient.to(rig.ports.http);
    const method = body === '' ? 'GET' : 'POST';
    return await client.ask(`${method} / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  }

  it('of requests is spent, then everything is denied and nothing is sent', async () => {
    await using rig = await start({ requests: 3, bytes: null });
    for (let i = 0; i < 3; i++) expect((await ask(rig)).status).toBe(200);
    const denied = await ask(rig);
    expect(denied).toMatchObject({
      status: 403,
      json: { code: 'flow-R0', detail: expect.stringContaining('a budget is used up') },
    });
    expect(denied.json['next_steps']).toContain('cordon budgets');
    expect(asked).toBe(3);
    const outcomes = (await rig.entriesOf('decision')).map(({ data }) => data['outcome']);
    expect(outcomes).toEqual(['allow', 'allow', 'allow', 'deny']);
  });

  it('of bytes is paid before a body goes out', async () => {
    await using rig = await start({ requests: null, bytes: 100 });
    expect((await ask(rig, 'x'.repeat(101))).json['code']).toBe('flow-R0');
    expect((await ask(rig, 'x'.repeat(90))).status).toBe(200);
    expect(asked).toBe(1);
  });

  it('is not spent by what was denied for another reason, nor by what never reached the server', async () => {
    await using rig = await start(
      { requests: 1, bytes: null },
      {
        grants: [{ allow: `http://${host}` }, { allow: 'http://away.example.com' }],
        hosts: { [`${host}:80`]: (server.address() as AddressInfo).port, 'away.example.com:80': 9 },
      },
    );
    using client = await RawClient.to(rig.ports.http);
    for (let i = 0; i < 3; i++) {
      const other = await client.ask('GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n');
      expect(other.json['code']).toBe('no-grant');
      const away = await client.ask('GET / HTTP/1.1\r\nHost: away.example.com\r\n\r\n');
      expect(away.json['code']).toBe('upstream-connect');
    }
    expect((await ask(rig)).status).toBe(200);
  });

  it('ends an answer that never ends, and the outcome says why', async () => {
    await using rig = await start({ requests: null, bytes: 4 * mib });
    using client = await RawClient.to(rig.ports.http);
    client.send(`GET /endless HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await rig.until(async () => (await rig.entriesOf('outcome')).length > 0);
    const [outcome] = await rig.entriesOf('outcome');
    expect(outcome?.data['code']).toBe('budget-used-up');
    expect(outcome?.data['bytesIn']).toBeLessThan(16 * mib);
    expect((await ask(rig, 'x')).json['code']).toBe('flow-R0');
  });

  it('of what reads tell is one of all sessions: when it is used up, reads that tell something are denied', async () => {
    const whole = new Whole({ leak: 2048 });
    const codes = async (): Promise<unknown[]> => {
      await using rig = await start(
        { leak: 2048 },
        {
          budget: ({ needed, wanted }) => whole.take(needed, wanted),
          start: startOf({ integrity: 2, confidentiality: 2, readers: ['ada'], sources: ['test'] }),
          limits: { holdWaitMs: 1 },
        },
      );
      const found: unknown[] = [];
      for (let n = 0; n < 3; n++) {
        using client = await RawClient.to(rig.ports.http);
        const path = `/${n}${'x'.repeat(700)}`;
        const answer = await client.ask(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        found.push(answer.status === 200 ? 200 : (await rig.entriesOf('decision')).at(-1)?.data['code']);
      }
      return found;
    };
    expect(await codes()).toEqual([200, 200, 'flow-R8']);
    // A gateway that died has spent what it had; another one does not begin anew.
    expect(await codes()).toEqual(['flow-R8', 'flow-R8', 'flow-R8']);
  });

  it('comes back when the session ends', async () => {
    const rig = await start({ requests: 100, bytes: null });
    await ask(rig);
    rig.tell({ type: 'close', session: 'ses_01arz3ndektsv4rrffq69g5fav' });
    await rig.until(() => rig.givenBack.length > 0);
    expect(rig.givenBack).toEqual([{ requests: 63 }]);
    await rig.stop();
  });
});
