import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  beginProbe,
  type DenialBreaker,
  denialLevel,
  healthy,
  noteDenial,
  noteOutcome,
  type SinkBreaker,
  sinkLevel,
  untripped,
} from '../src/index.ts';
import { limits } from '../src/limits.ts';

const { breakerDenialsMax, breakerWindowMs, breakerReadsOnlyMs, breakerAgainWithinMs } = limits;

function denied(breaker: DenialBreaker, ...times: readonly number[]): DenialBreaker {
  return times.reduce((each, at) => noteDenial(each, at), breaker);
}

const burst = (from: number): number[] => Array.from({ length: breakerDenialsMax }, (_, i) => from + i);

describe('denials of one session', () => {
  it('leave a way open below the count, or when they are spread over more than the window', () => {
    expect(denialLevel(denied(untripped, ...burst(0).slice(1)), 10)).toBe(0);
    const spread = Array.from({ length: 20 }, (_, i) => i * (breakerWindowMs / (breakerDenialsMax - 1)));
    expect(denialLevel(denied(untripped, ...spread), 1e6)).toBe(0);
  });

  it('leave reads only for a while, then everything', () => {
    const tripped = denied(untripped, ...burst(0));
    const at = breakerDenialsMax - 1;
    expect([at, at + breakerReadsOnlyMs - 1].map((now) => denialLevel(tripped, now))).toEqual([1, 1]);
    expect(denialLevel(tripped, at + breakerReadsOnlyMs)).toBe(0);
  });

  it('close it the second time, and time does not open it', () => {
    const tripped = denied(untripped, ...burst(0), ...burst(breakerAgainWithinMs - breakerDenialsMax));
    expect([0, 1e6, 1e12].map((later) => denialLevel(tripped, breakerAgainWithinMs + later))).toEqual([2, 2, 2]);
    expect(noteDenial(tripped, 1e12)).toBe(tripped);
  });

  it('begin anew when the second time comes late', () => {
    expect(
      denialLevel(denied(untripped, ...burst(0), ...burst(2 * breakerAgainWithinMs)), 2 * breakerAgainWithinMs + 10),
    ).toBe(1);
  });

  it('never lower a level by one more denial', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 120_000 }), { maxLength: 60 }), (steps) => {
        let now = 0;
        let breaker = untripped;
        for (const step of steps) {
          now += step;
          const before = denialLevel(breaker, now);
          breaker = noteDenial(breaker, now);
          expect(denialLevel(breaker, now)).toBeGreaterThanOrEqual(before);
          expect(breaker.denials.length).toBeLessThan(breakerDenialsMax);
        }
      }),
    );
  });
});

describe('a destination', () => {
  function asked(sink: SinkBreaker, outcomes: readonly boolean[], now = 0): SinkBreaker {
    return outcomes.reduce((each, failed) => noteOutcome(each, failed, now), sink);
  }
  const half = Array.from({ length: limits.sinkAsksMin }, (_, i) => i % 2 === 0);
  const closed = asked(healthy, half);

  it('is closed when half of enough asks failed, not of fewer, not by less than half', () => {
    expect(sinkLevel(closed, 1).level).toBe(2);
    expect(sinkLevel(asked(healthy, half.slice(1)), 1).level).toBe(0);
    expect(
      sinkLevel(
        asked(
          healthy,
          half.map((failed, i) => failed && i > 0),
        ),
        1,
      ).level,
    ).toBe(0);
  });

  it('forgets what is older than the window, and holds no more than so many', () => {
    const old = asked(healthy, half.slice(1));
    expect(sinkLevel(noteOutcome(old, true, limits.sinkWindowMs), limits.sinkWindowMs).level).toBe(0);
    expect(
      asked(
        healthy,
        Array.from({ length: 1000 }, () => false),
      ).outcomes.length,
    ).toBe(limits.sinkOutcomesMax);
  });

  it('is tried again by one ask: a good answer opens it, a bad one closes it as long again', () => {
    const later = limits.sinkClosedMs;
    expect(sinkLevel(closed, later - 1)).toEqual({ level: 2, probing: false });
    expect(sinkLevel(closed, later)).toEqual({ level: 0, probing: true });
    const probing = beginProbe(closed, later);
    expect(sinkLevel(probing, later)).toEqual({ level: 2, probing: false });
    expect(sinkLevel(noteOutcome(probing, false, later), later).level).toBe(0);
    expect(sinkLevel(noteOutcome(probing, true, later), later + limits.sinkClosedMs - 1).level).toBe(2);
  });

  it('has its next probe when one never reports, and hears nobody who asked before', () => {
    const probing = beginProbe(closed, limits.sinkClosedMs);
    expect(sinkLevel(probing, 2 * limits.sinkClosedMs)).toEqual({ level: 0, probing: true });
    expect(noteOutcome(closed, false, 5)).toBe(closed);
  });
});
