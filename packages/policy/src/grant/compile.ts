import type { LayerSource, OriginRule } from '@cordon/protocol';
import { type PolicyProblem, problem } from '../gate/problem.ts';
import { limits } from '../limits.ts';
import { describeGrant } from './describe.ts';
import { type Grant, type GrantProblem, wrongGrant } from './grant.ts';
import { cedarString, isAnyPath, routeCondition } from './path-pattern.ts';
import { parseTarget, type Target } from './target.ts';
import { type GrantTerms, parseTerms } from './terms.ts';

export interface CompileOptions {
  readonly layer: LayerSource['name'];
  /** What the grants stand in: `cordon.yaml`, `profile:claude`, `--allow`; part of each policy's id. */
  readonly source: string;
  /** From the tenant's or a higher layer; a session's grant never reaches this host's own addresses. */
  readonly trusted?: boolean;
}

export interface CompiledGrants {
  readonly ok: true;
  readonly policies: Readonly<Record<string, string>>;
  readonly origins: readonly OriginRule[];
  /** Names without wildcard that are granted, for the sandbox's hosts file. */
  readonly hosts: readonly string[];
  /** One line per grant, for `run` to print and the session to record. */
  readonly describe: readonly string[];
}
export type GrantsResult = CompiledGrants | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** Grants become Cedar text that a person can read and `cordon policy show` prints; nothing else decides. */
export function compileGrants(grants: readonly Grant[], options: CompileOptions): GrantsResult {
  if (grants.length > limits.grantsMax) {
    const message = `at most ${limits.grantsMax} grants, here are ${grants.length}`;
    return { ok: false, problems: [problem(options.source, 'too-many', message)] };
  }
  const problems: PolicyProblem[] = [];
  const policies: Record<string, string> = {};
  const origins: OriginRule[] = [];
  const hosts = new Set<string>();
  const describe: string[] = [];
  for (const [index, grant] of grants.entries()) {
    const read = readGrant(grant);
    if (!read.ok) {
      problems.push(toProblem(read, grant, options.source));
      continue;
    }
    const { target, terms } = read;
    const id = `${options.layer}/${options.source.replaceAll(/[^A-Za-z0-9._:@+-]/g, '-')}/${index + 1}`;
    policies[id] = cedarText(grant, target, terms, options.source);
    describe.push(describeGrant(grant, target, terms));
    if (grant.deny !== undefined) continue;
    if (!target.wildcard && target.named) hosts.add(target.host);
    const rule = originRule(grant, target, options.trusted ?? false);
    if (rule !== null) origins.push(rule);
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, policies, origins, hosts: [...hosts].sort(), describe };
}

function readGrant(grant: Grant): { ok: true; target: Target; terms: GrantTerms } | GrantProblem {
  const { allow, deny } = grant;
  if ((allow === undefined) === (deny === undefined)) {
    return wrongGrant('allow', 'a grant has exactly one of `allow` and `deny`');
  }
  const field = allow === undefined ? 'deny' : 'allow';
  const target = parseTarget(allow ?? deny ?? '', field, { encodedSlash: grant.encodedSlash ?? false });
  if (!target.ok) return target;
  const terms = parseTerms(grant);
  return terms.ok ? { ok: true, target, terms } : terms;
}

function cedarText(grant: Grant, target: Target, terms: GrantTerms, source: string): string {
  const where = grant.line === undefined || grant.line === null ? source : `${source}:${grant.line}`;
  const annotations = [
    `@source(${cedarString(where)})`,
    ...(terms.bytes === null ? [] : [`@bytes("${terms.bytes}")`]),
    ...(terms.rate === null ? [] : [`@rate("${terms.rate}")`]),
  ];
  const conditions = conditionsOf(grant, target, terms);
  const when = conditions.length === 0 ? '' : `\nwhen { ${conditions.join(' && ')} }`;
  const effect = grant.deny === undefined ? 'permit' : 'forbid';
  return `${annotations.join(' ')}\n${effect} (principal, ${actionsOf(grant, conditions)}, ${resourceOf(grant, target)})${when};`;
}

/** A grant is for plain requests; a deny is for everything that leaves towards the host, unless it says how. */
function actionsOf(grant: Grant, conditions: readonly string[]): string {
  if (grant.deny === undefined) return 'action == Cordon::Action::"http.request"';
  if (conditions.length === 0) return 'action in Cordon::Action::"egress"';
  const http = ['http.request', 'http.upgrade', 'http.message'].map((name) => `Cordon::Action::"${name}"`);
  return `action in [${http.join(', ')}]`;
}

function resourceOf(grant: Grant, { wildcard, host, exact, origin }: Target): string {
  if (wildcard) return `resource in Cordon::Domain::${cedarString(host)}`;
  // A deny of a name is a deny of every scheme and port there, unless it names one.
  if (grant.deny !== undefined && !exact) return `resource in Cordon::Host::${cedarString(host)}`;
  return grant.deny === undefined
    ? `resource == Cordon::Origin::${cedarString(origin)}`
    : `resource in Cordon::Origin::${cedarString(origin)}`;
}

function conditionsOf(grant: Grant, target: Target, { methods }: GrantTerms): string[] {
  const { scheme, port, wildcard, exact, path } = target;
  const conditions: string[] = [];
  // Names below a domain say nothing about plain http and other ports, so those are said beside them.
  if (wildcard && (grant.deny === undefined || exact)) {
    conditions.push(`context.http.scheme == "${scheme}"`, `context.http.port == ${port}`);
  }
  const [first] = methods;
  if (methods.length === 1) conditions.push(`context.http.method == ${cedarString(first ?? '')}`);
  else if (methods.length > 1)
    conditions.push(`[${methods.map(cedarString).join(', ')}].contains(context.http.method)`);
  if (!isAnyPath(path)) conditions.push(routeCondition(path));
  return conditions;
}

function originRule(grant: Grant, target: Target, trusted: boolean): OriginRule | null {
  const addresses = grant.addresses ?? [];
  const bodyOnRead = grant.body ?? false;
  const encodedSlash = grant.encodedSlash ?? false;
  if (addresses.length === 0 && !bodyOnRead && !encodedSlash && !trusted) return null;
  return { origin: target.origin, addresses, trusted, bodyOnRead, encodedSlash };
}

function toProblem(wrong: GrantProblem, grant: Grant, source: string): PolicyProblem {
  const line = grant.line ?? null;
  return {
    file: source,
    line,
    column: null,
    code: 'grant-invalid',
    message: `${wrong.field}: ${wrong.message}`,
    mend: wrong.mend,
  };
}
