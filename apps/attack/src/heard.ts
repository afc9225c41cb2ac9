import { setTimeout as pause } from 'node:timers/promises';
import { unclear } from './error.ts';
import type { Underway } from './run.ts';

const pollMs = 20;
const triesMax = 1_500;

/** Waits until the attack has said a word. @throws AttackError `unclear` */
export async function heard(underway: Underway, word: string): Promise<void> {
  for (let tries = 0; !underway.said().includes(word); tries++) {
    if (tries > triesMax) throw unclear(`the attack never said ${word}`);
    await pause(pollMs);
  }
}
