import { type SharedHost, sharedHosts } from './shared-hosts.ts';

/**
 * Whose place it is on a shared host. `named`: this account's; `credential`: whoever's the credential is; `unknown`:
 * nobody can tell from here.
 */
export type Account =
  | { readonly kind: 'named'; readonly service: string; readonly name: string; readonly segments: number }
  | { readonly kind: 'credential' }
  | { readonly kind: 'unknown' };

/** `segments` of a canonical path. */
export function accountOf(shared: SharedHost, segments: readonly string[]): Account {
  if (shared.by === 'credential') return { kind: 'credential' };
  if (shared.by === 'nothing') return { kind: 'unknown' };
  for (const pattern of shared.by) {
    const wanted = pattern.split('/');
    if (!wanted.every((part, at) => isLike(part, segments[at]))) continue;
    const name = wanted.flatMap((part, at) => (part === '*' ? [nameOf(segments[at] ?? '')] : [])).join('/');
    return { kind: 'named', service: shared.service, name, segments: wanted.length };
  }
  return { kind: 'unknown' };
}

/** `host` is canonical; null: it is its owner's alone. */
export function sharedHostOf(host: string): SharedHost | null {
  for (let name = host; name.includes('.'); name = name.slice(name.indexOf('.') + 1)) {
    const found = table.get(name);
    if (found !== undefined && (name === host || found.below)) return found;
  }
  return null;
}

const table: ReadonlyMap<string, SharedHost> = new Map(
  sharedHosts.flatMap((shared) => shared.hosts.map((host) => [host, shared])),
);

function isLike(wanted: string, segment: string | undefined): boolean {
  if (segment === undefined || segment === '') return false;
  return wanted === '*' || wanted === segment;
}

/** Accounts of the services that are listed are the same in either case. */
function nameOf(segment: string): string {
  return segment.toLowerCase();
}
