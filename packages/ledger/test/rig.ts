import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CordonError } from '@cordon/protocol';
import { afterEach } from 'vitest';
import { createCheckpointKey, type Journal, type JournalOptions, openJournal, openSigner } from '../src/index.ts';
import { decision, outcome, start } from './drafts.ts';

export const origin = 'local.test.invalid/ledger';
const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A folder that is gone after the test. */
export function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'cordon-ledger-'));
  made.push(path);
  return path;
}

/** A clock that moves a millisecond with each look. */
export function tickingClock(start = Date.UTC(2026, 0, 1)): { now(): number } {
  let now = start;
  return { now: () => now++ };
}

export function openTestJournal(root: string, options: Partial<JournalOptions> = {}): Promise<Journal> {
  return openJournal({
    directory: join(root, 'journal', 'local'),
    tenant: 'local',
    writer: 'gw',
    clock: tickingClock(),
    ...options,
  });
}

export function journalsOf(root: string): string {
  return join(root, 'journal', 'local');
}

export function treeOf(root: string): string {
  return join(root, 'tree', 'local');
}

export function testSigner(wanted: 'both' | 'ed25519' = 'both') {
  return openSigner(origin, createCheckpointKey(origin, wanted).privatePem);
}

export { decision, outcome, start };

/** One whole action: decision and start together, then the outcome. */
export async function act(journal: Journal, attempt: string, session = 'ses_a'): Promise<void> {
  await journal.appendTogether([decision(attempt, session), start(attempt, session)], 'os');
  await journal.append(outcome(attempt, session), 'os');
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return (error as CordonError).code;
  }
}
