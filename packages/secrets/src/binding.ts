import type { SecretBinding } from '@cordon/protocol';

export type HeaderPairs = ReadonlyArray<readonly [name: string, value: string]>;

export interface RequestPlace {
  /** Canonical, with port: `https://api.github.com:443`. */
  readonly origin: string;
  readonly method: string;
  /** Canonical path, without query. */
  readonly path: string;
  readonly query: HeaderPairs;
  readonly headers: HeaderPairs;
}

/** Origin, method and path of a binding; where in the request the placeholder stands is checked by the plan. */
export function bindingAllows(binding: SecretBinding, request: RequestPlace): boolean {
  return (
    bindingAllowsOrigin(binding, request.origin) &&
    (binding.methods === null || binding.methods.includes(request.method)) &&
    (binding.paths === null || binding.paths.some((pattern) => matchesPath(pattern, request.path)))
  );
}

/** A secret never goes out over plain http, whatever the binding says (gateway.md §3.2 of the design). */
export function bindingAllowsOrigin(binding: SecretBinding, origin: string): boolean {
  return origin.startsWith('https://') && binding.to.some((to) => withPort(to) === origin);
}

/** `*` is exactly one segment, a final `**` the path so far and everything below; all else is compared exactly. */
export function matchesPath(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  const open = wanted.at(-1) === '**';
  if (open) wanted.pop();
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((segment, index) => (segment === '*' ? given[index] !== '' : segment === given[index]));
}

/** In words, for the next step of a refusal. */
export function describeBinding(binding: SecretBinding): string {
  const place =
    'basic' in binding.at ? 'as the Basic password' : `in header ${binding.at.header} as "${binding.at.form}"`;
  const methods = binding.methods === null ? '' : ` with ${binding.methods.join(', ')}`;
  const paths = binding.paths === null ? '' : ` below ${binding.paths.join(', ')}`;
  return `${binding.name} may be used at ${binding.to.join(', ')}${paths}${methods} ${place}`;
}

/** Bindings are written as people write origins; the port of https goes without saying. */
function withPort(to: string): string {
  return /:[0-9]+$/.test(to) ? to : `${to}:443`;
}
