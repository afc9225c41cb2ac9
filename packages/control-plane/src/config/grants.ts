import { compileGrants, type Grant, parseAllow } from '@cordon/policy';
import type { OriginRule, SecretBinding } from '@cordon/protocol';
import type { FileProblem } from './document.ts';
import type { DenyEntry, GrantEntry, SecretEntry } from './grant-file.ts';

/** Grants of one origin (a profile, a file, the command line), compiled. */
export interface CompiledGrants {
  readonly policies: Readonly<Record<string, string>>;
  readonly origins: readonly OriginRule[];
  /** Hosts that a grant names exactly; they get a line in the sandbox's hosts file. */
  readonly hosts: readonly string[];
  /** Destinations of raw TCP grants, `tcp://host:port`. */
  readonly tcp: readonly string[];
  readonly describe: readonly string[];
}

export type Compiling =
  | { readonly ok: true; readonly compiled: CompiledGrants }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

export interface GrantsOf {
  readonly layer: 'session' | 'tenant';
  /** Stands in each policy's id and `@source`. */
  readonly source: string;
  /** Of a profile: named by the operator. */
  readonly preset?: boolean;
  readonly grants: readonly GrantEntry[];
  readonly denies: readonly DenyEntry[];
  lineOf(path: readonly PropertyKey[]): number;
}

export function compileEntries(of: GrantsOf): Compiling {
  const grants: Grant[] = [
    ...of.grants.map((entry, i) => toGrant(entry, of.lineOf(['grants', i]))),
    ...of.denies.map((entry, i): Grant => ({ ...definedOnly(entry), line: of.lineOf(['denies', i]) })),
  ];
  return compile(grants, of);
}

/** `--allow HOST[:PORT][/PATH][:METHODS]`, as typed. */
export function compileAllows(texts: readonly string[]): Compiling {
  const grants: Grant[] = [];
  const problems: FileProblem[] = [];
  for (const [i, text] of texts.entries()) {
    const parsed = parseAllow(text);
    if (parsed.ok) grants.push(parsed.grant);
    else
      problems.push({
        file: `--allow ${i + 1}`,
        line: null,
        column: null,
        code: parsed.code,
        message: parsed.message,
        mend: parsed.mend,
      });
  }
  return problems.length > 0 ? { ok: false, problems } : compile(grants, { layer: 'session', source: '--allow' });
}

function compile(grants: readonly Grant[], of: Pick<GrantsOf, 'layer' | 'source' | 'preset'>): Compiling {
  const { layer, source, preset = false } = of;
  const compiled = compileGrants(grants, { layer, source, preset, trusted: layer === 'tenant' });
  return compiled.ok ? { ok: true, compiled } : { ok: false, problems: compiled.problems };
}

function toGrant(entry: GrantEntry, line: number): Grant {
  return { ...definedOnly(entry), line } as Grant;
}

/** A member that is absent and one that is `undefined` are two things to whoever reads grants strictly. */
function definedOnly<T extends object>(entry: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

export function toBindings(secrets: Readonly<Record<string, SecretEntry>>): SecretBinding[] {
  return Object.entries(secrets).map(([name, entry]) => ({
    name,
    to: entry.to,
    at: entry.at,
    methods: entry.methods ?? null,
    paths: entry.paths ?? null,
    require: entry.require,
  }));
}
