import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Journal } from '@cordon/ledger';
import { CordonError } from '@cordon/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from './client.ts';
import { Rig, type RigOptions, session } from './rig.ts';

let server: Server;
let requests: string[] = [];
let streams: ServerResponse[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (request.url === '/slow') streams.push(response);
    else if (request.url === '/stream') {
      response.write('first');
      streams.push(response);
    } else response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const allowed = [{ allow: 'http://api.example.com' }];
const get = (path: string): string => `GET http://api.example.com${path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`;

function start(options: RigOptions = {}): Promise<Rig> {
  requests = [];
  streams = [];
  const { port } = server.address() as AddressInfo;
  return Rig.start({ grants: allowed, hosts: { 'api.example.com:80': port }, ...options });
}

async function ask(rig: Rig, path = '/'): Promise<{ status: number; code: unknown }> {
  using client = await RawClient.to(rig.ports.proxy);
  const answer = await client.ask(get(path));
  return { status: answer.status, code: answer.json['code'] };
}

async function outcomeCodes(rig: Rig): Promise<unknown[]> {
  return (await rig.entriesOf('outcome')).map((entry) => entry.data['code']);
}

describe('a stop', () => {
  it('ends what runs, denies what comes, and lifts again', async () => {
    await using rig = await start();
    using client = await RawClient.to(rig.ports.proxy);
    client.send(get('/stream'));
    await client.until((text) => text.includes('first'));
    await rig.control?.call('session.stop', { session, stopped: true });
    await client.until(() => client.ended);
    expect(client.ended).toBe(true);
    await rig.until(() => streams[0]?.destroyed === true);
    await rig.until(async () => (await outcomeCodes(rig)).length === 1);
    expect(await outcomeCodes(rig)).toEqual(['session-stopped']);
    const before = requests.length;
    expect(await ask(rig)).toEqual({ status: 403, code: 'session-stopped' });
    expect(requests.length).toBe(before);
    await rig.control?.call('session.stop', { session, stopped: false });
    expect((await ask(rig)).status).toBe(200);
  });

  it('that came before the sockets holds as well', async () => {
    await using rig = await start();
    const other = 'ses_01arz3ndektsv4rrffq69g5faw';
    await rig.control?.call('session', { ...rig.sessionPolicy(), session: other, stopped: true });
    await rig.serve(other);
    expect(await ask(rig)).toEqual({ status: 403, code: 'session-stopped' });
  });

  it('close by the supervisor ends listeners too and is answered', async () => {
    await using rig = await start();
    rig.tell({ type: 'close', session });
    await rig.until(() =>
      rig.sent.some((message) => JSON.stringify(message) === JSON.stringify({ type: 'closed', session })),
    );
    await expect(RawClient.to(rig.ports.proxy)).rejects.toThrow();
  });

  it('answers pings and ignores what it does not understand', async () => {
    await using rig = await start();
    rig.tell({ type: 'ping', n: 7 });
    expect(rig.sent).toContainEqual({ type: 'pong', n: 7 });
    for (const message of [
      null,
      7,
      {},
      { type: 'serve' },
      { type: 'serve', v: 2, session },
      { type: 'close', session: 7 },
    ]) {
      rig.tell(message);
    }
    const foreign = { type: 'serve', v: 1, tenant: 'other', session, kind: 'proxy', address: '::1', port: 1, of: 1 };
    rig.tell(foreign, {});
    await rig.until(() => rig.reports.some((report) => report.code === 'tenant-mismatch'));
    expect((await ask(rig)).status).toBe(200);
  });
});

describe('the control plane', () => {
  it('silent beyond the lease means deny, until it is back', async () => {
    await using rig = await start({ leaseMs: 900 });
    expect((await ask(rig)).status).toBe(200);
    rig.loseControl();
    await rig.until(() => !rig.gateway.stats().live);
    const before = requests.length;
    expect(await ask(rig)).toEqual({ status: 403, code: 'stale-policy' });
    expect(requests.length).toBe(before);
    rig.cut = false;
    // Not the hello but the first beat, which comes behind the policies of now.
    await rig.until(() => rig.gateway.stats().live);
    expect((await ask(rig)).status).toBe(200);
  });

  it('that has not spoken yet is waited for, then the answer is no', async () => {
    await using rig = await start({ limits: { policyWaitMs: 300 } });
    await rig.serve('ses_01arz3ndektsv4rrffq69g5fax');
    expect(await ask(rig)).toEqual({ status: 403, code: 'stale-policy' });
  });

  it('pushes a policy: the next request and open streams are judged by it', async () => {
    await using rig = await start();
    using client = await RawClient.to(rig.ports.proxy);
    client.send(get('/stream'));
    await client.until((text) => text.includes('first'));
    await rig.setGrants([...allowed, { allow: 'http://more.example.com' }]);
    streams[0]?.write('second');
    expect(await client.until((text) => text.includes('second'))).toContain('second');
    await rig.setGrants([{ allow: 'http://api.example.com/other' }]);
    await client.until(() => client.ended);
    expect(client.ended).toBe(true);
    await rig.until(async () => (await outcomeCodes(rig)).includes('no-longer-permitted'));
    expect(await ask(rig)).toEqual({ status: 403, code: 'no-grant' });
    expect((await ask(rig, '/other')).status).toBe(200);
    const decisions = await rig.entriesOf('decision');
    expect(decisions.at(-1)?.data['revision']).toBe(3);
  });

  it('that changes its mind while a request waits is heard before the request goes out, and before its answer comes in', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using rig = await start({
      // The disk is slow: the decision is made, and not yet on record.
      journal: (journal) =>
        new Proxy(journal, {
          get: (target, name) => {
            const member: unknown = Reflect.get(target, name, target);
            if (name !== 'appendTogether') return typeof member === 'function' ? member.bind(target) : member;
            return async (...given: Parameters<Journal['appendTogether']>) => {
              const recorded = await target.appendTogether(...given);
              if (given[0][0]?.data['outcome'] === 'allow') await held;
              return recorded;
            };
          },
        }),
    });
    const waiting = ask(rig, '/early');
    await rig.until(async () => (await rig.entriesOf('start')).length === 1);
    await rig.setGrants([]);
    release();
    expect(await waiting).toEqual({ status: 403, code: 'no-longer-permitted' });
    expect(requests).toEqual([]);
    await rig.until(async () => (await outcomeCodes(rig)).length === 1);
    expect((await rig.entriesOf('outcome'))[0]?.data).toMatchObject({
      code: 'no-longer-permitted',
      bytesOut: 0,
      doubt: false,
    });

    await rig.setGrants(allowed);
    const slow = ask(rig, '/slow');
    await rig.until(() => streams.length === 1);
    await rig.setGrants([]);
    streams[0]?.end('late');
    expect(await slow).toEqual({ status: 403, code: 'no-longer-permitted' });
    await rig.until(async () => (await outcomeCodes(rig)).length === 2);
    expect((await rig.entriesOf('outcome'))[1]?.data).toMatchObject({
      code: 'no-longer-permitted',
      status: 200,
      doubt: false,
    });
  });

  it('lifts no stop with a policy that is refused', async () => {
    await using rig = await start();
    await rig.setGrants(allowed);
    await rig.control?.call('session.stop', { session, stopped: true });
    const older = { ...rig.sessionPolicy(), revision: 1, stopped: false };
    await expect(rig.control?.call('session', older)).rejects.toMatchObject({ code: 'policy-rollback' });
    expect(await ask(rig)).toEqual({ status: 403, code: 'session-stopped' });
    expect(requests).toEqual([]);
  });

  it('cannot push something older, nor something that does not build', async () => {
    await using rig = await start();
    const { control } = rig;
    rig.revision = 5;
    await rig.push();
    await expect(control?.call('session', { ...rig.sessionPolicy(), revision: 4 })).rejects.toMatchObject({
      code: 'policy-rollback',
    });
    expect((await ask(rig)).status).toBe(200);
    const broken = {
      ...rig.sessionPolicy(),
      layer: { name: 'session' as const, policies: { 'session/x': 'permit (' } },
    };
    await expect(control?.call('session', broken)).rejects.toMatchObject({ code: 'policy-invalid' });
    await rig.control?.call('session', { ...rig.sessionPolicy(), tenant: 'other' }).catch(() => undefined);
    using client = await RawClient.to(rig.ports.proxy);
    client.send(get('/'));
    // The older policy may allow more than the one that failed, so nothing is in force.
    await rig.push();
    expect((await client.answer()).status).toBe(200);
  });
});

describe('the journal', () => {
  /** A journal that stops recording: `fail` decides for each call. */
  const failing =
    (fail: () => boolean) =>
    (journal: Journal): Journal =>
      new Proxy(journal, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          if ((name === 'append' || name === 'appendTogether') && fail()) {
            return () => Promise.reject(new CordonError('ledger-down', 'no space left on the device'));
          }
          return (value as (...args: unknown[]) => unknown).bind(target);
        },
      });

  it('that does not record means that nothing is performed', async () => {
    let broken = false;
    await using rig = await start({ journal: failing(() => broken) });
    expect((await ask(rig)).status).toBe(200);
    broken = true;
    const before = requests.length;
    expect(await ask(rig)).toEqual({ status: 503, code: 'ledger-unavailable' });
    expect(requests.length).toBe(before);
    expect(rig.reports.map((report) => report.code)).toContain('ledger-down');
    broken = false;
    expect((await ask(rig)).status).toBe(200);
    await rig.until(async () => (await outcomeCodes(rig)).length === 2);
    const numbers = (await rig.entriesOf('decision')).map((entry) => entry.data['attemptSeq']);
    expect(numbers).toEqual([1, 2]);
  });

  it('has every decision before its effect, and every start has one outcome', async () => {
    await using rig = await start();
    await Promise.all(Array.from({ length: 12 }, (_, i) => ask(rig, `/${i}`)));
    await rig.until(async () => (await outcomeCodes(rig)).length === 12);
    const entries = await rig.entries();
    for (const start of entries.filter((entry) => entry.type === 'start')) {
      const at = entries.indexOf(start);
      expect(entries[at - 1]).toMatchObject({
        type: 'decision',
        data: { attempt: start.data['attempt'], outcome: 'allow' },
      });
      const outcomes = entries.filter(
        (entry) => entry.type === 'outcome' && entry.data['attempt'] === start.data['attempt'],
      );
      expect(outcomes.length).toBe(1);
      expect(entries.indexOf(outcomes[0] ?? start)).toBeGreaterThan(at);
    }
  });

  it('continues a session without a gap after the gateway is replaced', async () => {
    const home = mkdtempSync(join(tmpdir(), 'gateway-'));
    try {
      const first = await start({ home });
      for (let i = 0; i < 3; i++) await ask(first, `/a${i}`);
      await first.stop();
      const second = await start({ home });
      expect((await ask(second, '/b')).status).toBe(200);
      await second.stop();
      const entries = (await second.entries()).filter((entry) => entry.session === session);
      expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, i) => i + 1));
      const decisions = entries.filter((entry) => entry.type === 'decision');
      expect(decisions.map((entry) => entry.data['attemptSeq'])).toEqual([1, 2, 3, 4]);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

describe('a decision that takes too long', () => {
  it('only because the machine did something else is asked again, and counts', async () => {
    let had = 0;
    await using rig = await start({ limits: { decisionMs: 0 }, computed: () => had });
    expect(await ask(rig)).toMatchObject({ status: 200 });
    expect(rig.reports.filter(({ code }) => code === 'slow-decision')).toHaveLength(1);
    await using busy = await start({ limits: { decisionMs: 0 }, computed: () => (had += 1) });
    expect(await ask(busy)).toEqual({ status: 403, code: 'slow-decision' });
  });

  it('is a deny, recorded as the gateway’s own', async () => {
    await using rig = await start({ limits: { decisionMs: -1 } });
    expect(await ask(rig)).toEqual({ status: 403, code: 'slow-decision' });
    expect(requests.length).toBe(0);
    expect((await rig.entriesOf('decision'))[0]?.data).toMatchObject({
      by: 'gateway',
      code: 'slow-decision',
      outcome: 'deny',
    });
  });
});
