import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ledgerError } from '../error.ts';

/**
 * A journal is a series of segments in one folder, each named by its first wseq in 16 digits: `.journal` holds the
 * frames, `.bodies` what they seal, `.state` what the writer knew before the segment (only to open fast).
 */
export interface Segment {
  readonly first: number;
  readonly journal: string;
  readonly bodies: string;
  readonly state: string;
}

const journalPattern = /^([0-9]{16})\.journal$/;
const namePattern = /^[a-z0-9][a-z0-9._-]{0,95}$/;

export function segmentAt(directory: string, first: number): Segment {
  const stem = join(directory, String(first).padStart(16, '0'));
  return { first, journal: `${stem}.journal`, bodies: `${stem}.bodies`, state: `${stem}.state` };
}

/** In order of their first wseq. */
export function listSegments(directory: string): Segment[] {
  if (!existsSync(directory)) return [];
  const firsts = readdirSync(directory).flatMap((name) => {
    const match = journalPattern.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
  return firsts.sort((a, b) => a - b).map((first) => segmentAt(directory, first));
}

/** Names of the writers that have a journal below `directory`, sorted. */
export function listWriters(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((item) => item.isDirectory() && namePattern.test(item.name))
    .map((item) => item.name)
    .sort();
}

/** A writer or tenant is one plain path segment: it can neither leave its folder nor hide. */
export function checkName(what: string, name: string): void {
  if (!namePattern.test(name)) throw ledgerError('ledger-option', `${what} ${JSON.stringify(name)} is no plain name`);
}
