import type { api } from '@cordon/protocol';
import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, type ParsedNode, parseDocument } from 'yaml';
import type { z } from 'zod';
import { limits } from '../limits.ts';

export type FileProblem = z.infer<typeof api.policyProblem>;

/** A file that was read strictly: either a value, or problems that each name line and column. */
export type ReadFile<T> =
  | { readonly ok: true; readonly value: T; readonly lineOf: (path: readonly PropertyKey[]) => number }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

interface Place {
  readonly line: number | null;
  readonly column: number | null;
}

/**
 * YAML 1.2 core schema, one document, unique keys, no anchors, aliases or tags (they hide what a reader of the file
 * would see), then the schema. Unknown keys are errors at their own place: a misspelt `denys` must never be no rule.
 */
export function readYaml<T>(name: string, text: string, schema: z.ZodType<T>): ReadFile<T> {
  const bad = (message: string, place: Place = { line: null, column: null }, code = 'file-invalid'): FileProblem => ({
    file: name,
    ...place,
    code,
    message,
    mend: null,
  });
  if (text.length > limits.configFileBytesMax) {
    return {
      ok: false,
      problems: [bad(`larger than ${limits.configFileBytesMax} bytes`, undefined, 'file-too-large')],
    };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    strict: true,
    uniqueKeys: true,
    version: '1.2',
    prettyErrors: false,
  });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    return {
      ok: false,
      problems: broken.slice(0, 10).map((error) => bad(error.message, placeAt(error.pos[0]), 'yaml-invalid')),
    };
  }
  const hidden = findHidden(document.contents);
  if (hidden !== null) return { ok: false, problems: [bad(hidden.what, placeAt(hidden.offset), 'yaml-invalid')] };

  const parsed = schema.safeParse(document.contents === null ? {} : (document.toJS({ maxAliasCount: 0 }) as unknown));
  const placeOf = (path: readonly PropertyKey[], key?: string): Place => {
    const offset = offsetOf(document.contents, path, key);
    return offset === null ? { line: 1, column: 1 } : placeAt(offset);
  };
  if (parsed.success) return { ok: true, value: parsed.data, lineOf: (path) => placeOf(path).line ?? 1 };
  return {
    ok: false,
    problems: flatten(parsed.error.issues)
      .slice(0, 20)
      .map((issue) => toFileProblem(issue, placeOf, bad)),
  };
}

type Issue = z.core.$ZodIssue;

function toFileProblem(
  issue: Issue,
  placeOf: (path: readonly PropertyKey[], key?: string) => Place,
  bad: (message: string, place: Place, code: string) => FileProblem,
): FileProblem {
  const where = issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')}: `;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    return bad(`${where}unknown key ${JSON.stringify(key)}`, placeOf(issue.path, key), 'key-unknown');
  }
  if (issue.code === 'invalid_key') {
    const [inner] = issue.issues;
    return bad(
      `${where}${inner?.message ?? issue.message}`,
      placeOf(issue.path.slice(0, -1), String(issue.path.at(-1))),
      'key-invalid',
    );
  }
  return bad(`${where}${issue.message}`, placeOf(issue.path), 'value-invalid');
}

/** Of a union that fits nowhere, the branch that came furthest says most. */
function flatten(issues: readonly Issue[]): Issue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
    const depth = (branch: readonly Issue[]) => Math.max(...branch.map((inner) => inner.path.length));
    const best = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0] ?? [];
    if (depth(best) === 0) return [issue];
    return flatten(best.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })));
  });
}

function offsetOf(root: ParsedNode | Node | null, path: readonly PropertyKey[], key?: string): number | null {
  let node: unknown = root;
  let offset = startOf(root);
  for (const step of key === undefined ? path : [...path, key]) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(step)];
      offset = startOf(item) ?? offset;
      node = item;
    } else {
      return offset;
    }
  }
  // All the way down: the value itself, not the key before it.
  return key === undefined ? (startOf(node) ?? offset) : offset;
}

function startOf(node: unknown): number | null {
  return isNode(node) ? (node.range?.[0] ?? null) : null;
}

function findHidden(node: unknown): { what: string; offset: number } | null {
  if (isPair(node)) {
    if (!isScalar(node.key)) return { what: 'a key must be a plain word', offset: startOf(node.key) ?? 0 };
    if (isScalar(node.key) && node.key.value === '<<')
      return { what: 'merge keys are not allowed', offset: startOf(node.key) ?? 0 };
    return findHidden(node.key) ?? findHidden(node.value);
  }
  if (!isNode(node)) return null;
  const offset = startOf(node) ?? 0;
  if ('source' in node && !isScalar(node)) return { what: 'aliases are not allowed', offset };
  if ('anchor' in node && node.anchor !== undefined) return { what: 'anchors are not allowed', offset };
  if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:'))
    return { what: 'tags are not allowed', offset };
  if (isMap(node) || isSeq(node)) {
    for (const item of node.items) {
      const found = findHidden(item);
      if (found !== null) return found;
    }
  }
  return null;
}
