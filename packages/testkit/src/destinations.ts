import type { TestCa } from './tls/ca.ts';

/**
 * What `cordond --testing-destinations FILE` reads: real names that are served on loopback by this test, and a further
 * root that upstream certificates may chain to. Nothing else of the path changes: names are decided, classified and
 * verified as they are in use.
 */
export interface TestingDestinations {
  /** `host:port` → `address:port`. */
  readonly hosts: Readonly<Record<string, string>>;
  /** PEM. */
  readonly ca: string;
}

/** Maps each name to a loopback port; `name` alone means port 443. */
export function destinationsOf(ports: Readonly<Record<string, number>>, ca: TestCa): TestingDestinations {
  const hosts = Object.entries(ports).map(([name, port]): [string, string] => [
    name.includes(':') ? name : `${name}:443`,
    `127.0.0.1:${port}`,
  ]);
  return { hosts: Object.fromEntries(hosts), ca: ca.certificate };
}
