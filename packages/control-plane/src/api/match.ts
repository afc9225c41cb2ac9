import type { ApiMethod, Route } from './route.ts';

interface Compiled {
  readonly route: Route;
  readonly segments: readonly string[];
}

export type Match =
  | { readonly found: true; readonly route: Route; readonly path: Readonly<Record<string, string>> }
  | { readonly found: false; readonly allowed: readonly ApiMethod[] };

/** Finds the one route of a method and path; for a known path with another method, the methods that it has. */
export class RouteTable {
  readonly #routes: readonly Compiled[];

  constructor(routes: readonly Route[]) {
    // Literal segments before `{…}`: `/v1/openapi.json` never reads as a name.
    this.#routes = routes
      .map((route) => ({ route, segments: route.path.split('/') }))
      .sort((a, b) => wildcards(a) - wildcards(b));
  }

  match(method: string, pathname: string): Match {
    const segments = pathname.split('/');
    const allowed: ApiMethod[] = [];
    for (const { route, segments: pattern } of this.#routes) {
      const path = matchSegments(pattern, segments);
      if (path === null) continue;
      if (route.method === method) return { found: true, route, path };
      allowed.push(route.method);
    }
    return { found: false, allowed };
  }
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const path: Record<string, string> = {};
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i] ?? '';
    if (part.startsWith('{')) {
      const value = decodeSegment(segment);
      if (value === null) return null;
      path[part.slice(1, -1)] = value;
    } else if (part !== segment) {
      return null;
    }
  }
  return path;
}

/** Ids and names only: what is decoded may still not hold a slash, a NUL or nothing at all. */
function decodeSegment(segment: string): string | null {
  try {
    const text = decodeURIComponent(segment);
    return /^[^/\0]{1,255}$/.test(text) ? text : null;
  } catch {
    return null;
  }
}

function wildcards(route: Compiled): number {
  return route.segments.filter((segment) => segment.startsWith('{')).length;
}
