import type { LayerSource, OriginRule, SinkRule } from '@cordon/protocol';
import { type PolicyProblem, problem } from '../gate/problem.ts';
import { limits } from '../limits.ts';
import { describeGrant } from './describe.ts';
import { type Grant, type GrantProblem, wrongGrant } from './grant.ts';
import { cedarString, isAnyPath, routeCondition } from './path-pattern.ts';
import { parseTarget, type Target } from './target.ts';
import { checkKind, clearances, type GrantTerms, parseTerms, rangeOf } from './terms.ts';

export interface CompileOptions {
  readonly layer: LayerSource['name'];
  /** What the grants stand in: `cordon.yaml`, `profile:claude`, `--allow`; part of each policy's id. */
  readonly source: string;
  /** From the tenant's or a higher layer; a session's grant never reaches this host's own addresses. */
  readonly trusted?: boolean;
  /** From a profile: what it names counts as named by the operator, not by the person of the session. */
  readonly preset?: boolean;
}

export interface CompiledGrants {
  readonly ok: true;
  readonly policies: Readonly<Record<string, string>>;
  readonly origins: readonly OriginRule[];
  /** Names without wildcard that are granted, for the sandbox's hosts file. */
  readonly hosts: readonly string[];
  /** Destinations of raw TCP grants, `tcp://host:port`; each gets a socket of its own in the sandbox. */
  readonly tcp: readonly string[];
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
  const tcp = new Set<string>();
  const describe: string[] = [];
  for (const [index, grant] of grants.entries()) {
    const read = readGrant(grant);
    if (!read.ok) {
      problems.push(toProblem(read, grant, options.source));
      continue;
    }
    const { target, terms } = read;
    const id = `${options.layer}/${options.source.replaceAll(/[^A-Za-z0-9._:@+-]/g, '-')}/${index + 1}`;
    for (const rule of rulesOf(grant, target, terms)) {
      policies[`${id}${rule.suffix}`] = cedarText(grant, rule, terms, options.source);
    }
    describe.push(describeGrant(grant, target, terms));
    if (grant.deny !== undefined) continue;
    if (target.scheme === 'tcp') tcp.add(target.origin);
    // Raw TCP has an address of its own in the sandbox, so its name does not point where HTTP and TLS are served.
    else if (!target.wildcard && target.named) hosts.add(target.host);
    origins.push(originRule(grant, target, options));
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, policies, origins, hosts: [...hosts].sort(), tcp: [...tcp].sort(), describe };
}

function readGrant(grant: Grant): { ok: true; target: Target; terms: GrantTerms } | GrantProblem {
  const { allow, deny } = grant;
  if ((allow === undefined) === (deny === undefined)) {
    return wrongGrant('allow', 'a grant has exactly one of `allow` and `deny`');
  }
  const field = allow === undefined ? 'deny' : 'allow';
  const target = parseTarget(allow ?? deny ?? '', field, {
    encodedSlash: grant.encodedSlash ?? false,
    opaque: grant.tls === 'opaque',
  });
  if (!target.ok) return target;
  const misplaced = checkKind(grant, target);
  if (misplaced !== null) return misplaced;
  const terms = parseTerms(grant);
  return terms.ok ? { ok: true, target, terms } : terms;
}

/** One policy that a grant compiles to. */
interface Rule {
  /** Tells the second policy of a grant from its first. */
  readonly suffix: '' | '-websocket' | '-messages' | '-tunnel';
  readonly action: string;
  readonly resource: string;
  readonly conditions: readonly string[];
}

/** A grant is for plain requests, unless it says more; a deny is for everything that leaves, unless it says how. */
function rulesOf(grant: Grant, target: Target, terms: GrantTerms): Rule[] {
  const resource = resourceOf(grant, target);
  if (grant.deny !== undefined) return deniesOf(target, terms, resource);
  const place = placeConditions(target, 'http', true);
  const sockets = websocketRules(resource, place, terms);
  switch (target.kind) {
    case 'tunnel':
      return [{ suffix: '', action: actions(['http.tunnel']), resource, conditions: [] }];
    case 'websocket':
      return sockets;
    case 'request': {
      const conditions = requestConditions(target, terms, true);
      const requests: Rule = { suffix: '', action: actions(['http.request']), resource, conditions };
      if (grant.websocket !== true) return [requests];
      return [
        requests,
        ...sockets.map((rule): Rule => ({ ...rule, suffix: rule.suffix === '' ? '-websocket' : rule.suffix })),
      ];
    }
  }
}

/** A person is asked about the handshake; messages only pass on a WebSocket that was opened so. */
function websocketRules(resource: string, place: readonly string[], terms: GrantTerms): Rule[] {
  if (terms.approval === 0) return [{ suffix: '', action: actions(websocket), resource, conditions: place }];
  const asked = [...place, ...approvalCondition(terms)];
  return [
    { suffix: '', action: actions(['http.upgrade']), resource, conditions: asked },
    { suffix: '-messages', action: actions(['http.message']), resource, conditions: place },
  ];
}

function approvalCondition({ approval }: GrantTerms): string[] {
  return approval === 0 ? [] : [`context.approval.quorum >= ${approval}`];
}

function deniesOf(target: Target, terms: GrantTerms, resource: string): Rule[] {
  const { kind, exact } = target;
  if (kind === 'tunnel') {
    const conditions = placeConditions(target, 'tunnel', exact);
    return [{ suffix: '', action: actions(['http.tunnel']), resource, conditions }];
  }
  const conditions =
    kind === 'websocket' ? placeConditions(target, 'http', exact) : requestConditions(target, terms, exact);
  if (conditions.length === 0 && kind === 'request') {
    return [{ suffix: '', action: 'action in Cordon::Action::"egress"', resource, conditions }];
  }
  const action = actions(kind === 'websocket' ? websocket : ['http.request', ...websocket]);
  // Whether a tunnel carries what is denied cannot be seen, so there is none.
  const port = target.wildcard && exact ? [`context.tunnel.port == ${target.port}`] : [];
  return [
    { suffix: '', action, resource, conditions },
    { suffix: '-tunnel', action: actions(['http.tunnel']), resource, conditions: port },
  ];
}

const websocket = ['http.upgrade', 'http.message'] as const;

function actions(names: readonly string[]): string {
  const [first = ''] = names;
  if (names.length === 1) return `action == Cordon::Action::${cedarString(first)}`;
  return `action in [${names.map((name) => `Cordon::Action::${cedarString(name)}`).join(', ')}]`;
}

function cedarText(grant: Grant, rule: Rule, terms: GrantTerms, source: string): string {
  const where = grant.line === undefined || grant.line === null ? source : `${source}:${grant.line}`;
  const annotations = [
    `@source(${cedarString(where)})`,
    ...(terms.bytes === null ? [] : [`@bytes("${terms.bytes}")`]),
    ...(terms.rate === null ? [] : [`@rate("${terms.rate}")`]),
    ...(terms.permit === null ? [] : [`@permit("${terms.permit}")`]),
    // Messages pass on what was agreed to with the handshake, so nobody is asked about them.
    ...(terms.approvers.length === 0 || rule.suffix === '-messages'
      ? []
      : [`@approvers("${terms.approvers.join(',')}")`]),
    ...(terms.life === null || rule.action.includes('"http.request"') ? [] : [`@life("${terms.life}")`]),
  ];
  const { action, resource, conditions } = rule;
  const when = conditions.length === 0 ? '' : `\nwhen { ${conditions.join(' && ')} }`;
  const effect = grant.deny === undefined ? 'permit' : 'forbid';
  return `${annotations.join(' ')}\n${effect} (principal, ${action}, ${resource})${when};`;
}

function resourceOf(grant: Grant, { wildcard, host, exact, origin }: Target): string {
  if (wildcard) return `resource in Cordon::Domain::${cedarString(host)}`;
  // A deny of a name is a deny of every scheme and port there, unless it names one.
  if (grant.deny !== undefined && !exact) return `resource in Cordon::Host::${cedarString(host)}`;
  return grant.deny === undefined
    ? `resource == Cordon::Origin::${cedarString(origin)}`
    : `resource in Cordon::Origin::${cedarString(origin)}`;
}

function requestConditions(target: Target, terms: GrantTerms, withPlace: boolean): string[] {
  const { methods } = terms;
  const [first] = methods;
  const method =
    methods.length === 0
      ? []
      : methods.length === 1
        ? [`context.http.method == ${cedarString(first ?? '')}`]
        : [`[${methods.map(cedarString).join(', ')}].contains(context.http.method)`];
  const place = placeConditions(target, 'http', withPlace);
  // Scheme and port stand before the method, the path behind it.
  const at = target.wildcard && withPlace ? 2 : 0;
  return [...place.slice(0, at), ...method, ...place.slice(at), ...approvalCondition(terms)];
}

/** Names below a domain say nothing about plain http and other ports, so those are said beside them. */
function placeConditions(target: Target, context: 'http' | 'tunnel', withPlace: boolean): string[] {
  const { scheme, port, wildcard, path } = target;
  return [
    ...(wildcard && withPlace
      ? [`context.${context}.scheme == "${scheme}"`, `context.${context}.port == ${port}`]
      : []),
    ...(isAnyPath(path) ? [] : [routeCondition(path)]),
  ];
}

/** What a permit does not say: where its names may lead, and what may flow. A tunnel is known by it before it is read. */
function originRule(grant: Grant, target: Target, options: CompileOptions): OriginRule {
  const { body: bodyOnRead = false, encodedSlash = false } = grant;
  const addresses = (grant.addresses ?? []).map(rangeOf).filter((range) => range !== null);
  const trusted = options.trusted ?? false;
  const sink = sinkRule(grant, target, trusted || options.preset === true ? 4 : 3);
  return { origin: target.origin, addresses, trusted, bodyOnRead, encodedSlash, sink };
}

function sinkRule(grant: Grant, target: Target, integrity: 3 | 4): SinkRule {
  const { path, kind } = target;
  const methods = grant.methods ?? ['GET', 'HEAD'];
  return {
    kind: kind === 'request' && grant.websocket === true ? 'both' : kind,
    methods: kind === 'request' ? [...new Set(methods)] : [],
    path: { segments: [...path.segments], below: path.below },
    clearance: grant.clearance === undefined ? null : clearances.indexOf(grant.clearance),
    integrity,
    yields: grant.yields ?? 'untrusted',
    critical: Object.entries(grant.critical ?? {}).map(([at, said]) =>
      typeof said === 'string'
        ? { at, type: said, among: [] }
        : { at, type: said.type, among: [...(said.among ?? [])] },
    ),
  };
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
