import type { Clock } from '@cordon/protocol';
import type { Report } from './ask.ts';
import { Refusals } from './session/refusals.ts';

/**
 * So many lines of each code a minute, the next one says how many were left out. An agent can bring some about again and
 * again (decisions are slow where it keeps the processors busy), and must not fill the log of its host.
 */
export function limitReports(report: Report, clock: Pick<Clock, 'monotonic'>, perMinuteMax: number): Report {
  const byCode = new Map<string, Refusals>();
  return (level, code, message) => {
    const lines = byCode.get(code) ?? new Refusals();
    byCode.set(code, lines);
    const suppressed = lines.admit(clock.monotonic(), perMinuteMax);
    if (suppressed === null) return;
    report(level, code, suppressed === 0 ? message : `${message} (${suppressed} more like it were left out)`);
  };
}
