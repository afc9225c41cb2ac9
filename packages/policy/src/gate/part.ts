/** A part of a record by its members' names; null: all of what stands there. */
export type Part = { readonly [name: string]: Part } | null;

/** Of paths as `name` or `name.name`; one that is inside another adds nothing to it. */
export function partOf(paths: readonly string[]): Part {
  const root: Record<string, Part> = {};
  for (const path of paths) add(root, path.split('.'));
  return root;
}

function add(part: Record<string, Part>, [name = '', ...rest]: readonly string[]): void {
  const known = part[name];
  if (known === null) return;
  if (rest.length === 0) {
    part[name] = null;
    return;
  }
  const inner: Record<string, Part> = { ...known };
  add(inner, rest);
  part[name] = inner;
}

/** The part of a value; what is not there is left out, in the order of the part. */
export function take(value: unknown, part: Part): unknown {
  if (part === null || typeof value !== 'object' || value === null) return value;
  const taken: Record<string, unknown> = {};
  for (const name in part) {
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (member !== undefined) taken[name] = take(member, part[name] ?? null);
  }
  return taken;
}
