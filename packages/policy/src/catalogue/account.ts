import { type SharedHost, sharedHosts } from './shared-hosts.ts';

/**
 * Whose place it is that a request goes to. `sole`: the host's owner's. `named`: on a shared host, this account's;
 * `credential`: whoever the credential belongs to; `unknown`: on a shared host, and nobody can tell from here.
 */
export type Account =
  | { readonly kind: 'sole' }
  | { readonly kind: 'named'; readonly service: string; readonly name: string; readonly segments: number }
  | { readonly kind: 'credential' }
  | { readonly kind: 'unknown' };

/** `host` is canonical; `path` too. */
export function accountOf(host: string, path: string): Account {
  const shared = sharedHostOf(host);
  if (shared === null) return { kind: 'sole' };
  if (shared.by === 'credential') return { kind: 'credential' };
  if (shared.by === 'nothing') return { kind: 'unknown' };
  const segments = path.slice(1).split('/');
  for (const pattern of shared.by) {
    const wanted = pattern.split('/');
    if (!wanted.every((part, at) => isLike(part, segments[at]))) continue;
    const name = wanted.flatMap((part, at) => (part === '*' ? [nameOf(segments[at] ?? '')] : [])).join('/');
    return { kind: 'named', service: shared.service, name, segments: wanted.length };
  }
  return { kind: 'unknown' };
}

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
