import type { Readable } from 'node:stream';

/**
 * Waits with an answer that has begun and that nobody reads yet. Its end meanwhile is an end of this exchange, and must
 * not become the process's by an error that nobody listens to.
 */
export async function heldBack(answer: Readable, wait: Promise<void>): Promise<void> {
  answer.on('error', ignore);
  try {
    await wait;
  } catch (error: unknown) {
    answer.destroy();
    throw error;
  } finally {
    answer.off('error', ignore);
  }
  if (answer.errored !== null) throw answer.errored;
}

function ignore(): void {
  // Read from `errored` afterwards.
}
