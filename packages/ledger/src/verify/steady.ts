import type { PartReport } from './report.ts';

/** How often to begin again when a live integrator replaces the head under our reading. */
const triesMax = 5;

/** A report about files that may be replaced while they are read: what looked wrong is looked at again if they were. */
export function overSteady(readHead: () => string, verify: () => PartReport): PartReport {
  for (let tries = 1; ; tries++) {
    const head = readHead();
    const report = verify();
    if (report.ok || tries === triesMax || readHead() === head) return report;
  }
}
