import type { PolicySnapshot } from './snapshot.ts';

/** The names that some permit of a snapshot is about. Says nothing about whether a request to one is allowed. */
export interface KnownNames {
  readonly exact: ReadonlySet<string>;
  /** `host` is canonical. */
  knows(host: string): boolean;
}

export function knownNames({ policies }: PolicySnapshot): KnownNames {
  const exact = new Set<string>();
  const domains = new Set<string>();
  for (const { reach } of policies.values()) {
    if (reach?.kind === 'host') exact.add(reach.host);
    else if (reach?.kind === 'below') domains.add(reach.domain);
  }
  const knows = (host: string): boolean => {
    if (exact.has(host)) return true;
    for (let at = host.indexOf('.'); at >= 0; at = host.indexOf('.', at + 1))
      if (domains.has(host.slice(at + 1))) return true;
    return false;
  };
  return { exact, knows };
}
