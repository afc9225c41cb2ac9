import { type ActionName, type Principal, sealRecord } from '@cordon/protocol';
import {
  type CanonicalOrigin,
  type CanonicalTunnel,
  canonicalOrigin,
  canonicalTunnel,
  originText,
} from '../canonical/origin.ts';
import { namespace } from '../fact/schema.ts';
import { limits } from '../limits.ts';

export type EntityType =
  | 'Tenant'
  | 'Person'
  | 'Agent'
  | 'Session'
  | 'Domain'
  | 'Host'
  | 'Origin'
  | 'Service'
  | 'Tool'
  | 'Item'
  | 'Model'
  | 'Path'
  | 'Program'
  | 'Port'
  | 'Args'
  | 'Nums';

export interface EntityUid {
  readonly [key: string]: string;
  readonly type: string;
  readonly id: string;
}

/** As Cedar reads it. Identity and hierarchy only; `tags` exist on `Args` and `Nums` alone. */
export interface Entity {
  readonly uid: EntityUid;
  readonly attrs: { readonly [name: string]: never };
  readonly parents: readonly EntityUid[];
  readonly tags?: { readonly [pointer: string]: readonly string[] | number };
}

export interface Site {
  readonly scheme: string;
  readonly port: number;
}

export interface Slice {
  readonly principal: EntityUid;
  readonly resource: EntityUid;
  /** Of an http action or a tunnel, as its resource says. */
  readonly site: Site | null;
  readonly entities: readonly Entity[];
  /** The same as JSON, for the engine. */
  readonly json: { readonly principal: string; readonly resource: string; readonly entities: string };
}

export function uidOf(type: EntityType, id: string): EntityUid {
  return { type: `${namespace}::${type}`, id };
}

function entity(uid: EntityUid, parents: readonly EntityUid[] = []): Entity {
  return { uid, attrs: {}, parents };
}

/** Everything that a policy may ask about who acts and on what; null for a resource that has no canonical reading. */
export function createSlice(
  principal: Principal,
  action: ActionName,
  resource: string,
  tags: { readonly args: Readonly<Record<string, readonly string[]>>; readonly nums: Readonly<Record<string, number>> },
): Slice | null {
  const target = resourceEntities(action, resource);
  const first = target?.[0];
  if (target === null || first === undefined) return null;
  const tenant = uidOf('Tenant', principal.tenant);
  const agent = uidOf('Agent', principal.agent);
  const person = uidOf('Person', principal.person);
  const session = uidOf('Session', principal.session);
  const entities = [
    entity(session, [agent, person, tenant]),
    entity(agent, [tenant]),
    entity(person),
    entity(tenant),
    // A peer may be of the very agent that acts: then both are one entity.
    ...target.filter((each) => each.uid.type !== agent.type || each.uid.id !== agent.id),
    ...tagged('Args', tags.args),
    ...tagged('Nums', tags.nums),
  ];
  const json = {
    principal: JSON.stringify(session),
    resource: JSON.stringify(first.uid),
    entities: JSON.stringify(entities),
  };
  const site = siteOf(first, resource);
  return { principal: session, resource: first.uid, site, entities: sealRecord(entities), json };
}

/**
 * INVARIANT: an entity that is named as a parent and missing would silently cut its own ancestors off, so that
 * `forbid … resource in Domain::"x"` no longer fires. Cedar reports no error for it.
 */
export function isComplete(slice: Slice): boolean {
  if (slice.entities.length > limits.entitiesMax) return false;
  const key = (uid: EntityUid) => `${uid.type}\n${uid.id}`;
  const present = new Set(slice.entities.map((each) => key(each.uid)));
  const wanted = [slice.principal, slice.resource, ...slice.entities.flatMap((each) => each.parents)];
  return present.size === slice.entities.length && wanted.every((uid) => present.has(key(uid)));
}

/** Without tags an entity would tell policies nothing that its absence does not. */
function tagged(type: 'Args' | 'Nums', tags: Readonly<Record<string, readonly string[] | number>>): Entity[] {
  return Object.keys(tags).length === 0 ? [] : [{ ...entity(uidOf(type, '')), tags }];
}

/** The resource first, then what it is in. */
function resourceEntities(action: ActionName, resource: string): Entity[] | null {
  switch (action) {
    case 'http.request':
    case 'http.upgrade':
    case 'http.message':
      return originEntities(resource);
    case 'http.tunnel':
      return tunnelEntities(resource);
    case 'model.generate':
      return memberOfService('Model', /^([^/]+)\/(.+)$/.exec(resource), resource);
    case 'toolcall.invoke':
    case 'mcp.call':
      return memberOfService('Tool', /^(?:tool|mcp):\/\/([^/]+)\/(.+)$/.exec(resource), resource);
    case 'mcp.read':
    case 'mcp.prompt':
      return memberOfService('Item', /^mcp:\/\/([^/]+)\/(.+)$/.exec(resource), resource);
    case 'model.list':
    case 'mcp.list':
      return single('Service', resource);
    case 'peer.call':
    case 'peer.accept':
    case 'session.spawn':
      return single('Agent', resource);
    case 'process.exec':
      return single('Program', resource);
    case 'tunnel.open':
    case 'tunnel.accept':
      return single('Port', resource);
    case 'file.open':
    case 'file.apply':
      return pathEntities(resource);
  }
}

function single(type: EntityType, id: string): Entity[] | null {
  return id === '' ? null : [entity(uidOf(type, id))];
}

function memberOfService(type: EntityType, match: RegExpExecArray | null, id: string): Entity[] | null {
  if (match === null) return null;
  const service = uidOf('Service', match[1] ?? '');
  return [entity(uidOf(type, id), [service]), entity(service)];
}

function siteOf({ uid }: Entity, resource: string): Site | null {
  if (uid.type !== uidOf('Origin', '').type) return null;
  const origin = canonicalOrigin(resource);
  const read = origin.ok ? origin : canonicalTunnel(resource);
  return read.ok ? { scheme: read.scheme, port: read.port } : null;
}

/** Origin in Host in Domain in Domain …: `example.com` is in `com`, and only what is below it is in `example.com`. */
function originEntities(resource: string): Entity[] | null {
  const origin = canonicalOrigin(resource);
  if (!origin.ok || origin.origin !== resource) return null;
  return [entity(uidOf('Origin', resource), [uidOf('Host', origin.host)]), ...hostEntities(origin)];
}

/**
 * A tunnel can carry whatever its port speaks, so it is *in* the origins there: `forbid … resource in Origin::"https://x:443"`
 * meets `tls://x:443` and `tcp://x:443` too. A permit says `==` and does not.
 */
function tunnelEntities(resource: string): Entity[] | null {
  const tunnel = canonicalTunnel(resource);
  if (!tunnel.ok || tunnel.origin !== resource) return null;
  const schemes = tunnel.scheme === 'tcp' ? (['http', 'https', 'tls'] as const) : (['https'] as const);
  const carried = schemes.map((scheme) => uidOf('Origin', originText(scheme, tunnel.host, tunnel.kind, tunnel.port)));
  const host = uidOf('Host', tunnel.host);
  return [
    entity(uidOf('Origin', resource), [host, ...carried]),
    ...carried.map((uid) => entity(uid, [host])),
    ...hostEntities(tunnel),
  ];
}

function hostEntities({ host, kind }: Pick<CanonicalOrigin | CanonicalTunnel, 'host' | 'kind'>): Entity[] {
  const domains = kind === 'name' ? parentDomains(host).map((name) => uidOf('Domain', name)) : [];
  return [
    entity(uidOf('Host', host), domains.slice(0, 1)),
    ...domains.map((domain, index) => entity(domain, domains.slice(index + 1, index + 2))),
  ];
}

function parentDomains(host: string): string[] {
  const labels = host.split('.');
  return labels.slice(1).map((_, index) => labels.slice(index + 1).join('.'));
}

/** `root:/a/b` in `root:/a` in `root:/`. */
function pathEntities(resource: string): Entity[] | null {
  const match = /^([a-z0-9-]+:)((?:\/[^/]+)+|\/)$/.exec(resource);
  if (match === null) return null;
  const root = match[1] ?? '';
  const names = (match[2] ?? '').split('/').filter((name) => name !== '');
  const paths = names.map((_, index) => `${root}/${names.slice(0, names.length - index).join('/')}`);
  const uids = [...paths, `${root}/`].map((path) => uidOf('Path', path));
  return uids.map((uid, index) => entity(uid, uids.slice(index + 1, index + 2)));
}
