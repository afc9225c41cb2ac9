import { h2 } from '@cordon/testkit/hostile';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FrameAbuse, type FrameLimits, FrameMeter } from '../src/index.ts';

const tight: FrameLimits = {
  ...{ resetsBurst: 2, resetsPerSecond: 1 },
  ...{ controlFramesBurst: 2, controlFramesPerSecond: 1 },
  ...{ headsBurst: 2, headsPerSecond: 1 },
};
const wide: FrameLimits = {
  ...{ resetsBurst: 1e6, resetsPerSecond: 0 },
  ...{ controlFramesBurst: 1e6, controlFramesPerSecond: 0 },
  ...{ headsBurst: 1e6, headsPerSecond: 0 },
};

const from = (peer: 'client' | 'server', limits: FrameLimits = tight): FrameMeter => new FrameMeter(limits, peer, 0);
/** How many of the same may come before it is too much. */
function room(meter: FrameMeter, frame: Buffer, nowMs = 0): { readonly taken: number; readonly abuse: FrameAbuse } {
  for (let taken = 0; taken < 10_000; taken++) {
    const abuse = meter.read(frame, nowMs);
    if (abuse !== null) return { taken, abuse };
  }
  throw new Error('there is room without end');
}

const { frame, frameType, flag } = h2;
const openHead = frame(frameType.headers, 0, 1, h2.block([[':method', 'GET']]));

describe('what costs', () => {
  test.each<[string, Buffer, FrameAbuse]>([
    ['PING', h2.ping(), 'control-frames'],
    ['an acknowledged PING', h2.ping(true), 'control-frames'],
    ['SETTINGS', h2.settings(), 'control-frames'],
    ['WINDOW_UPDATE', h2.windowUpdate(1, 1), 'control-frames'],
    ['PRIORITY', h2.priority(3), 'control-frames'],
    ['GOAWAY', h2.goaway(0, 0), 'control-frames'],
    ['CONTINUATION', frame(frameType.continuation, 0, 1), 'control-frames'],
    ['an unknown frame', frame(frameType.unknown, 0, 0), 'control-frames'],
    ['empty DATA', h2.data(1, '', { end: false }), 'control-frames'],
    ['RST_STREAM', h2.reset(1), 'resets'],
    ['HEADERS', h2.headers(1, []), 'heads'],
  ])('%s: two at once, one more a second', (_name, bytes, abuse) => {
    const spent = (): FrameMeter => {
      const meter = from('server');
      expect([meter.read(bytes, 0), meter.read(bytes, 0)]).toEqual([null, null]);
      return meter;
    };
    expect(room(spent(), bytes)).toEqual({ taken: 0, abuse });
    expect(room(spent(), bytes, 999)).toEqual({ taken: 0, abuse });
    expect(room(spent(), bytes, 1_001)).toEqual({ taken: 1, abuse });
    // However long it was quiet, it never has more than at the start.
    expect(room(spent(), bytes, 1e9)).toEqual({ taken: 2, abuse });
  });

  test('nothing: DATA with bytes in it, and empty DATA that ends its stream', () => {
    const meter = from('server');
    for (let i = 0; i < 100; i++) {
      expect(meter.read(h2.data(1, 'x', { end: false }), 0)).toBeNull();
      expect(meter.read(h2.data(1, ''), 0)).toBeNull();
    }
  });

  test('a push of a server is too much at once, whatever else it may', () => {
    expect(from('server', wide).read(frame(frameType.pushPromise, flag.endHeaders, 1), 0)).toBe('push');
  });
});

describe('what earns', () => {
  test('a head that became a stream may bring trailers, and control frames', () => {
    const meter = from('server');
    meter.accepted();
    expect(room(meter, h2.headers(1, [])).taken).toBe(4);
    expect(room(meter, h2.ping()).taken).toBe(10);
  });

  test('a body of ours the window updates that follow it', () => {
    const meter = from('server');
    meter.wrote(10 * 1024);
    expect(room(meter, h2.windowUpdate(0, 1)).taken).toBe(2 + 4 + 10);
  });
});

describe('streams that are broken off', () => {
  test('cost the same where the peer made us do it', () => {
    const meter = from('server');
    expect([meter.aborted(0), meter.aborted(0), meter.aborted(0)]).toEqual([null, null, 'resets']);
  });

  test('cost once where the peer said so itself', () => {
    const meter = from('server');
    for (const stream of [1, 3]) {
      expect(meter.read(h2.reset(stream), 0)).toBeNull();
      expect(meter.aborted(0)).toBeNull();
    }
    expect(meter.aborted(0)).toBe('resets');
  });
});

describe('the end of a stream', () => {
  const followed = (...frames: Buffer[]): FrameMeter => {
    const meter = from('server', wide);
    meter.follow(1);
    for (const bytes of frames) meter.read(bytes, 0);
    return meter;
  };

  test.each<[string, Buffer[], boolean, boolean]>([
    ['DATA that ends it', [h2.data(1, 'x')], true, false],
    ['HEADERS that end it', [h2.headers(1, [])], true, false],
    ['DATA that does not', [h2.data(1, 'x', { end: false })], false, false],
    ['RST_STREAM with NO_ERROR', [h2.data(1, 'x', { end: false }), h2.reset(1, h2.errorCode.none)], false, true],
    ['RST_STREAM behind the end', [h2.data(1, 'x'), h2.reset(1, h2.errorCode.none)], true, true],
    ['the end of another stream', [h2.data(3, 'x')], false, false],
    ['an acknowledgement, whose flag is the same bit', [h2.settingsAck, h2.ping(true)], false, false],
  ])('%s', (_name, frames, finished, reset) => {
    const meter = followed(...frames);
    expect([meter.finished(1), meter.wasReset(1)]).toEqual([finished, reset]);
    meter.forget(1);
    expect([meter.finished(1), meter.wasReset(1)]).toEqual([false, false]);
  });
});

describe('a head over several frames', () => {
  test('is open until the frame that ends it', () => {
    const meter = from('server', wide);
    expect(meter.headOpen).toBe(false);
    meter.read(openHead, 0);
    expect(meter.headOpen).toBe(true);
    meter.read(frame(frameType.continuation, 0, 1), 0);
    expect(meter.headOpen).toBe(true);
    meter.read(frame(frameType.continuation, flag.endHeaders, 1), 0);
    expect(meter.headOpen).toBe(false);
    meter.read(h2.headers(3, []), 0);
    expect(meter.headOpen).toBe(false);
  });
});

test('a client begins with its preface, which is no frame', () => {
  const meter = from('client');
  // Read as a frame, `PRI * HTT` would be one of five million bytes.
  meter.read(h2.preface.subarray(0, 10), 0);
  meter.read(h2.preface.subarray(10), 0);
  expect(meter.settingsSeen).toBe(false);
  meter.read(h2.settings(), 0);
  expect(meter.settingsSeen).toBe(true);
});

test('however the bytes are cut, the same is counted', () => {
  const one = fc.constantFrom(
    ...[h2.ping(), h2.settings([[4, 9]]), h2.reset(1), h2.headers(1, [['a', 'b']]), openHead],
    ...[h2.data(1, 'abc'), h2.data(1, '', { end: false }), h2.windowUpdate(0, 1), h2.data(1, 'x'.repeat(300))],
  );
  fc.assert(
    fc.property(fc.array(one, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 40 })), (frames, cuts) => {
      const bytes = Buffer.concat(frames);
      const whole = from('server');
      const abuse = whole.read(bytes, 0);
      const cut = from('server');
      cut.follow(1);
      whole.follow(1);
      let found: FrameAbuse | null = null;
      for (let at = 0, i = 0; at < bytes.length && found === null; i++) {
        const size = cuts.length === 0 ? 1 : (cuts[i % cuts.length] ?? 1);
        found = cut.read(bytes.subarray(at, at + size), 0);
        at += size;
      }
      expect(found).toBe(abuse);
      expect(cut.headOpen).toBe(whole.headOpen);
      expect(cut.settingsSeen).toBe(whole.settingsSeen);
      if (abuse === null) expect(cut.bytesRead).toBe(whole.bytesRead);
    }),
  );
});
