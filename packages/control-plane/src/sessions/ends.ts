import { type Clock, type ExitReport, type RecordValue, type TeardownItem, timestamp } from '@cordon/protocol';
import type { SessionStore } from '@cordon/store';
import type { Recorder } from '../ledger/recorder.ts';
import type { Log } from '../log.ts';
import type { LiveSession } from './live.ts';

export interface EndsParts {
  readonly store: SessionStore;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

type Step = () => Promise<unknown>;

/**
 * Puts the ends of sessions on record. An end that cannot be recorded is an end all the same, so nobody waits for it:
 * what the disk refused is written, in order, as soon as it takes it.
 */
export class Ends {
  readonly #parts: EndsParts;
  readonly #late = new Map<string, Step[]>();
  #settling = false;

  constructor(parts: EndsParts) {
    this.#parts = parts;
  }

  async record(live: LiveSession, exit: ExitReport, teardown: readonly TeardownItem[]): Promise<void> {
    const steps = this.#steps(live, exit, teardown);
    try {
      await take(steps);
    } catch (error: unknown) {
      this.#parts.log.fault(`session ${live.id}: its end is written later`, error);
      this.#late.set(live.id, steps);
    }
  }

  /** Tries again what is left. */
  async settle(): Promise<void> {
    if (this.#settling) return;
    this.#settling = true;
    try {
      for (const [session, steps] of this.#late) {
        await take(steps);
        this.#late.delete(session);
      }
    } catch (error: unknown) {
      this.#parts.log.fault(`${this.#late.size} ends of sessions are still to be written`, error);
    } finally {
      this.#settling = false;
    }
  }

  #steps(live: LiveSession, exit: ExitReport, teardown: readonly TeardownItem[]): Step[] {
    const { recorder, store, clock } = this.#parts;
    const endedAt = timestamp(clock);
    const data = { exit: toRecordable(exit) };
    const steps: Step[] = [() => recorder.record({ type: 'session.end', session: live.id, data }, 'os')];
    if (teardown.length > 0) {
      const ok = teardown.every((item) => item.ok);
      const note = { ok, items: teardown.length };
      const body = JSON.stringify(teardown);
      steps.push(() => recorder.record({ type: 'teardown', session: live.id, data: note, body }, 'os'));
    }
    // The environment may hold what a person typed; an ended session needs none of it.
    const detail = { policy: live.policy as unknown as RecordValue };
    steps.push(async () => {
      recorder.closeSession(live.id);
      const stored = await store.get(live.id);
      if (stored !== null) await store.update(live.id, { state: 'ended', endedAt, exit, detail });
    });
    return steps;
  }
}

/** In order; what is done is taken out, so that nothing is done twice. */
async function take(steps: Step[]): Promise<void> {
  for (let step = steps[0]; step !== undefined; step = steps[0]) {
    await step();
    steps.shift();
  }
}

/** Durations may be fractions; a record holds whole numbers. */
export function toRecordable(value: unknown): RecordValue {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'number' ? Math.round(inner) : inner)),
  ) as RecordValue;
}
