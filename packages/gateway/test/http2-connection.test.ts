import { h2 } from '@cordon/testkit/hostile';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RawH2 } from './h2-client.ts';
import { ask, begin, client, H2Server, host, rawClient } from './h2-server.ts';
import { type Rig, type RigOptions, session } from './rig.ts';

const open: AsyncDisposable[] = [];
let server: H2Server;

beforeAll(async () => {
  server = await H2Server.start();
});
afterAll(() => server[Symbol.dispose]());
beforeEach(() => server.reset());
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function start(options: RigOptions = {}): Promise<Rig> {
  const rig = await server.rig(options);
  open.push(rig);
  return rig;
}

describe('limits of a connection', () => {
  it('are said before anything else: streams, size of a head, no extended CONNECT', async () => {
    const rig = await start();
    using raw = await rawClient(rig);
    await raw.send(begin);
    await raw.until(() => raw.frames.length > 0);
    const [first] = raw.frames;
    expect(first?.type).toBe(h2.frameType.settings);
    const payload = first?.payload ?? Buffer.alloc(0);
    const said = new Map<number, number>();
    for (let at = 0; at < payload.length; at += 6) said.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    // RFC 9113 §6.5.2 and RFC 8441 §3.
    expect([said.get(3), said.get(6), said.get(8) ?? 0]).toEqual([64, 32 * 1024, 0]);
  });

  it('memory: streams beyond it are refused, and it is given back', async () => {
    // Room for many more streams than their memory takes, however small the pieces are that it comes in.
    const rig = await start({ limits: { h2SessionBytesMax: 1_000_000, h2StreamsMax: 256, requestsInFlightMax: 256 } });
    using raw = await rawClient(rig);
    // A window of 0: what the server answers stays in memory.
    await raw.send(Buffer.concat([h2.preface, h2.settings([[4, 0]]), h2.settingsAck]));
    const hasHead = (stream: number): boolean =>
      raw.frames.some((frame) => frame.type === h2.frameType.headers && frame.stream === stream);
    let stream = -1;
    do {
      stream += 2;
      await raw.send(ask(stream, '/medium'));
      await raw.until(() => hasHead(stream) || raw.endOf(stream) !== null);
    } while (raw.endOf(stream) === null && stream < 401);
    expect(raw.endOf(stream)).toBe(h2.errorCode.enhanceYourCalm);
    await raw.send(Buffer.concat([h2.settings([[4, 65_535]]), h2.windowUpdate(0, 2 ** 30)]));
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.bodyOf(1)).toHaveLength(20_000);
    await raw.send(ask(501, '/x'));
    await raw.until(() => raw.endOf(501) !== null);
    expect(raw.bodyOf(501)).toBe('two');
  });

  it('64 requests in flight are a session’s, on however many connections', async () => {
    const rig = await start({ limits: { requestsInFlightMax: 4 } });
    using one = await client(rig);
    using two = await client(rig);
    for (const each of [one, one, two, two]) void each.ask({ ':path': '/held' });
    await rig.until(() => server.held.length === 4);
    expect(await two.ask({ ':path': '/x' })).toMatchObject({ status: 429, json: { code: 'too-many-requests' } });
    expect(rig.gateway.stats().inFlight).toBe(4);
    one.session.destroy();
    await rig.until(() => rig.gateway.stats().inFlight === 2);
    expect((await two.ask({ ':path': '/x' })).body).toBe('two');
  });

  it('a stream that is broken off ends its request at the server too', async () => {
    const rig = await start();
    using h2c = await client(rig);
    const stream = h2c.session.request({ ':path': '/held' });
    stream.on('error', () => undefined);
    await rig.until(() => server.held.length === 1);
    stream.close(h2.errorCode.cancel);
    await rig.until(() => server.cancelled === 1);
    await rig.until(() => rig.gateway.stats().inFlight === 0);
    const [outcome] = await rig.entriesOf('outcome');
    expect(outcome?.data).toMatchObject({ code: 'client-gone', doubt: true });
  });

  it.each([
    ['no SETTINGS', h2.preface, { h2SettingsMs: 200 }, h2.errorCode.settingsTimeout],
    ['nothing at all', Buffer.from('P'), { h2SettingsMs: 200 }, h2.errorCode.settingsTimeout],
    [
      'half a head',
      Buffer.concat([begin, h2.frame(h2.frameType.headers, h2.flag.endStream, 1, h2.block([[':method', 'GET']]))]),
      { headTimeoutMs: 300 },
      h2.errorCode.enhanceYourCalm,
    ],
  ])('%s: the connection ends, and the record says so', async (_name, bytes, limits, error) => {
    const rig = await start({ limits });
    using raw = await rawClient(rig);
    await raw.send(bytes);
    await raw.until(() => raw.ended);
    expect(raw.goaway).toBe(error);
    await rig.until(async () => (await rig.entriesOf('fault')).some(({ data }) => data['code'] === 'request-timeout'));
    await rig.until(() => rig.gateway.stats().sockets === 0);
  });

  it('an idle connection ends however many PINGs come; one that waits for an answer does not', async () => {
    const rig = await start({ limits: { keepAliveIdleMs: 300 } });
    using busy = await rawClient(rig);
    await busy.send(Buffer.concat([begin, ask(1, '/held'), ask(3, '/x')]));
    await busy.until(() => server.held.length === 1 && busy.endOf(3) !== null);
    using idle = await rawClient(rig);
    await idle.send(begin);
    const pinging = setInterval(() => void idle.send(h2.ping()), 50);
    try {
      await idle.until(() => idle.ended);
    } finally {
      clearInterval(pinging);
    }
    expect(idle.goaway).toBe(h2.errorCode.none);
    expect([busy.ended, busy.goaway]).toEqual([false, null]);
    expect(await rig.entriesOf('fault')).toEqual([]);
  });

  it('a connection serves so many requests and then says goodbye', async () => {
    const rig = await start({ limits: { requestsPerConnectionMax: 3 } });
    using raw = await rawClient(rig);
    await raw.send(begin);
    for (const stream of [1, 3, 5]) {
      await raw.send(ask(stream, '/x'));
      await raw.until(() => raw.endOf(stream) !== null);
      expect(raw.bodyOf(stream)).toBe('two');
    }
    await raw.until(() => raw.ended);
    expect(raw.goaway).toBe(h2.errorCode.none);
  });

  it('a reader that takes nothing is cut; the server is held back meanwhile', async () => {
    // Of the 3 MB, no more is taken from the server than fits in between.
    const rig = await start({ limits: { slowReaderMs: 300, answerBytesMax: 2_000_000 } });
    using raw = await rawClient(rig);
    // A window of 0: nothing of a body may be sent.
    await raw.send(Buffer.concat([h2.preface, h2.settings([[4, 0]]), h2.settingsAck, ask(1, '/big')]));
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.endOf(1)).toBe(h2.errorCode.internal);
    expect(raw.bodyOf(1)).toBe('');
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 1);
    expect((await rig.entriesOf('outcome'))[0]?.data).toMatchObject({ code: 'slow-reader' });
    await raw.send(Buffer.concat([h2.settings([[4, 65_535]]), ask(3, '/x')]));
    await raw.until(() => raw.endOf(3) !== null);
    expect(raw.bodyOf(3)).toBe('two');
  });
});

describe('an answer that was all handed over and not all taken', () => {
  it.each<[string, (raw: RawH2) => unknown]>([
    ['reset with CANCEL', (raw) => raw.send(h2.reset(1, h2.errorCode.cancel))],
    ['reset without an error', (raw) => raw.send(h2.reset(1, h2.errorCode.none))],
    ['with its connection gone', (raw) => raw.socket.destroy()],
  ])('is not recorded as relayed: %s', async (_name, end) => {
    const rig = await start();
    using raw = await rawClient(rig);
    // A window of 0: the head may be sent, and not one byte of the body.
    await raw.send(Buffer.concat([h2.preface, h2.settings([[4, 0]]), h2.settingsAck, ask(1, '/x')]));
    await raw.until(() => raw.frames.some(({ type }) => type === h2.frameType.headers));
    await end(raw);
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 1);
    expect((await rig.entriesOf('outcome'))[0]?.data).toMatchObject({ code: 'client-gone' });
  });
});

describe('stops', () => {
  it.each(['session.stop', 'session.close'] as const)(
    '%s ends connections, streams and what they wait for',
    async (order) => {
      const rig = await start();
      using h2c = await client(rig);
      const waiting = h2c.ask({ ':path': '/held' });
      const streaming = h2c.ask({ ':path': '/stream' });
      await rig.until(() => server.held.length === 2);
      if (order === 'session.stop') await rig.control?.call(order, { session, stopped: true });
      else await rig.control?.call(order, { session });
      expect((await waiting).error).not.toBe(0);
      expect((await streaming).error).not.toBe(0);
      await rig.until(() => h2c.socket.destroyed);
      await rig.until(() => rig.gateway.stats().inFlight === 0 && server.cancelled >= 1);
      const codes = (await rig.entriesOf('outcome')).map(({ data }) => data['code']);
      expect(codes).toHaveLength(2);
      expect(codes).not.toContain('relayed');
    },
  );

  it('a policy that no longer permits an answer cuts its stream, and no other', async () => {
    const rig = await start({ grants: [{ allow: `https://${host}/stream` }, { allow: `https://${host}/x` }] });
    using raw = await rawClient(rig);
    await raw.send(Buffer.concat([begin, ask(1, '/stream')]));
    await raw.until(() => raw.bodyOf(1) === 'first');
    await rig.setGrants([{ allow: `https://${host}/x` }]);
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.endOf(1)).toBe(h2.errorCode.internal);
    await raw.send(ask(3, '/x'));
    await raw.until(() => raw.endOf(3) !== null);
    expect(raw.bodyOf(3)).toBe('two');
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 2);
    expect((await rig.entriesOf('outcome')).map(({ data }) => data['code']).sort()).toEqual([
      'no-longer-permitted',
      'relayed',
    ]);
  });

  it('a server that breaks off leaves no answer that looks whole', async () => {
    const rig = await start();
    using raw = await rawClient(rig);
    await raw.send(Buffer.concat([begin, ask(1, '/stream')]));
    await raw.until(() => raw.bodyOf(1) === 'first');
    server.breakOff();
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.endOf(1)).toBe(h2.errorCode.internal);
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 1);
    expect((await rig.entriesOf('outcome'))[0]?.data).toMatchObject({ code: 'upstream-aborted' });
  });
});
