import { egressError } from './error.ts';

/** `host:port` → a server of the test on loopback. */
export type Overrides = ReadonlyMap<string, { readonly address: '127.0.0.1' | '::1'; readonly port: number }>;

/**
 * Reads the `hosts` of a `--testing-destinations` file. TESTS ONLY. Loopback alone is accepted, so that a file that
 * strays onto a real machine can send nothing to another one. @throws `override-invalid`
 */
export function parseOverrides(hosts: Readonly<Record<string, string>>): Overrides {
  const overrides = new Map<string, { address: '127.0.0.1' | '::1'; port: number }>();
  for (const [from, to] of Object.entries(hosts)) {
    const match = /^(127\.0\.0\.1|\[::1\]):([1-9][0-9]{0,4})$/.exec(to);
    const port = Number(match?.[2]);
    if (match === null || port > 65_535 || !/^[^:]+:[0-9]+$|^\[[^\]]+\]:[0-9]+$/.test(from)) {
      throw egressError('override-invalid', `testing destination ${JSON.stringify(from)}: only HOST:PORT to loopback`);
    }
    overrides.set(from.replace(/^\[|\](?=:)/g, ''), { address: match[1] === '127.0.0.1' ? '127.0.0.1' : '::1', port });
  }
  return overrides;
}
