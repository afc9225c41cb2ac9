import { parseApproval } from '@cordon/policy';
import type { AnswerFlag, Person } from '@cordon/protocol';
import type { StoredAnswer } from '@cordon/store';
import { limits } from '../limits.ts';

const hourMs = 60 * 60 * 1000;

/** Whoever answers within two seconds, or twenty times an hour, may not be reading. It is said, and refused to nobody. */
export class AnswerPace {
  /** When each person answered within the last hour, oldest first. */
  readonly #times = new Map<string, readonly number[]>();

  /** From before this process. For this it matters little whether they were signed. */
  recall(answers: readonly StoredAnswer[], nowMs: number): void {
    for (const { envelope, at } of answers) {
      const { payload } = envelope as { readonly payload?: unknown };
      const record = typeof payload === 'string' ? parseApproval(Buffer.from(payload, 'base64')) : null;
      if (record !== null) this.#add(record.person, Date.parse(at), nowMs);
    }
  }

  /** Counts this answer, to a question that was asked at `askedAt`. */
  take(person: Person, askedAt: string, nowMs: number): readonly AnswerFlag[] {
    const count = this.#add(person, nowMs, nowMs);
    const quick: readonly AnswerFlag[] = nowMs - Date.parse(askedAt) < limits.answerQuickMs ? ['quick'] : [];
    return count > limits.answersPerHourMax ? [...quick, 'many'] : quick;
  }

  #add({ iss, sub }: Person, atMs: number, nowMs: number): number {
    const key = `${iss} ${sub}`;
    const times = [...(this.#times.get(key) ?? []), atMs].filter((each) => each > nowMs - hourMs).sort((a, b) => a - b);
    this.#times.set(key, times.slice(-limits.answersPerHourMax - 1));
    return times.length;
  }
}
