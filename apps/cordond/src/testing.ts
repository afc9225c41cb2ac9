import { readFileSync } from 'node:fs';
import { CordonError } from '@cordon/protocol';
import type { CordondErrorCode } from './configuration.ts';

/** `--testing-destinations FILE`: which names are served on loopback by a test, and the CA that vouches for them. */
export interface TestingDestinations {
  readonly hosts: Readonly<Record<string, string>>;
  readonly ca: string | null;
}

/** @throws CordonError `configuration` */
export function readTestingDestinations(file: string): TestingDestinations {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as { hosts?: unknown; ca?: unknown };
    const hosts = Object.entries(value.hosts ?? {}).map(([from, to]) => {
      if (typeof to !== 'string') throw invalid(`hosts.${from}: not a text`);
      return [from, to] as const;
    });
    const unknown = Object.keys(value).filter((key) => key !== 'hosts' && key !== 'ca');
    if (unknown.length > 0) throw invalid(`unknown key ${unknown[0]}`);
    return { hosts: Object.fromEntries(hosts), ca: typeof value.ca === 'string' ? value.ca : null };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CordonError<CordondErrorCode>('configuration', `--testing-destinations ${file}: ${why}`, { cause });
  }
}

function invalid(why: string): CordonError<CordondErrorCode> {
  return new CordonError('configuration', why);
}

/** For `status` and every `session.start`: nobody may take a session of a test for one of the world. */
export function describeTesting(testing: TestingDestinations): string {
  return `TEST ONLY: destinations on loopback instead of the network: ${Object.keys(testing.hosts).sort().join(', ')}`;
}
