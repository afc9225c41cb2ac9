/** What `cordon.yaml` says, as its guide explains it to a person: no canonical forms, no Cedar. */
interface Entry {
  readonly allow?: string;
  readonly deny?: string;
  readonly methods?: readonly string[] | undefined;
}

/** True when a grant names this request and no deny does. */
export function grantsSay(
  file: { readonly grants: readonly object[]; readonly denies: readonly object[] },
  origin: string,
  method: string,
  path: string,
): boolean {
  const grants = file.grants as readonly Entry[];
  const denies = file.denies as readonly Entry[];
  const denied = denies.some(
    ({ deny, methods }) => names(deny ?? '', origin, path, true) && (methods === undefined || methods.includes(method)),
  );
  const granted = grants.some(
    ({ allow, methods }) => names(allow ?? '', origin, path, false) && (methods ?? ['GET', 'HEAD']).includes(method),
  );
  return granted && !denied;
}

/** `[SCHEME://]HOST[:PORT][/PATH]`: https and its port unless said; a deny without either is for all of the host. */
function names(text: string, origin: string, path: string, deny: boolean): boolean {
  const [, scheme, host = '', port, pattern] = /^(?:([a-z]+):\/\/)?([^:/]+)(?::([0-9]+))?(\/.*)?$/.exec(text) ?? [];
  const url = new URL(origin);
  const any = deny && scheme === undefined && port === undefined;
  const wanted = { scheme: scheme ?? 'https', port: Number(port ?? (scheme === 'http' ? 80 : 443)) };
  const actual = { scheme: url.protocol.slice(0, -1), port: Number(/:([0-9]+)$/.exec(origin)?.[1]) };
  if (!any && (wanted.scheme !== actual.scheme || wanted.port !== actual.port)) return false;
  const name = host.toLowerCase();
  const below = name.startsWith('*.');
  if (below ? !url.hostname.endsWith(name.slice(1)) : url.hostname !== name) return false;
  return pattern === undefined || follows(pattern.split('/').slice(1), path.split('/').slice(1));
}

/** `*` is any one segment, `**` at the end this path and all below. */
function follows(pattern: readonly string[], path: readonly string[]): boolean {
  if (pattern.at(-1) === '**') {
    const head = pattern.slice(0, -1);
    return path.length >= head.length && head.every((part, i) => part === '*' || spelt(part) === spelt(path[i] ?? ''));
  }
  return (
    pattern.length === path.length && pattern.every((part, i) => part === '*' || spelt(part) === spelt(path[i] ?? ''))
  );
}

function spelt(segment: string): string {
  return segment.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
