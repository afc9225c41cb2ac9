import type { ActionName, Principal } from '@cordon/protocol';
import { originText } from '../canonical/origin.ts';
import { actionNames } from '../decide/action.ts';
import { namespace } from '../fact/schema.ts';
import { limits } from '../limits.ts';
import type { Entity, Pattern } from './literal.ts';
import type { ReadPolicy } from './read.ts';

/** Who does what, where: the part of a request that has no finite number of values. */
export interface Scene {
  readonly principal: Principal;
  readonly action: ActionName;
  readonly resource: string;
  /** Of http actions. */
  readonly method: string;
  readonly path: string;
}

/** No policy names these. */
const freshResource: Readonly<Record<ActionName, string>> = {
  'http.request': 'https://fresh.invalid:443',
  'http.upgrade': 'https://fresh.invalid:443',
  'http.message': 'https://fresh.invalid:443',
  'http.tunnel': 'tls://fresh.invalid:443',
  'model.generate': 'fresh/model',
  'model.list': 'fresh',
  'toolcall.invoke': 'tool://fresh/tool',
  'mcp.call': 'mcp://fresh/tool',
  'mcp.read': 'mcp://fresh/item',
  'mcp.prompt': 'mcp://fresh/item',
  'mcp.list': 'fresh',
  'peer.call': 'fresh',
  'peer.accept': 'fresh',
  'session.spawn': 'fresh',
  'process.exec': '/fresh/program',
  'file.open': 'fresh:/fresh',
  'file.apply': 'fresh:/fresh',
  'tunnel.open': '1',
  'tunnel.accept': '1',
};
const freshMethods = ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'FRESH'] as const;

/**
 * Every action at a place that no policy names, and for each policy what it names, with near misses. More than
 * `limits.spaceScenesMax` are cut off, which `left` counts.
 */
export function scenesOf(policies: readonly ReadPolicy[], principal: Principal): { scenes: Scene[]; left: number } {
  const found = new Map<string, Scene>();
  const add = (scene: Scene): void => void found.set(JSON.stringify(scene), scene);
  for (const action of actionNames) {
    add({ principal, action, resource: freshResource[action], method: 'GET', path: '/' });
  }
  add({ principal, action: 'http.request', resource: freshResource['http.request'], method: 'POST', path: '/fresh' });
  for (const policy of policies) for (const scene of named(policy, principal)) add(scene);
  const scenes = [...found.values()];
  return { scenes: scenes.slice(0, limits.spaceScenesMax), left: Math.max(0, scenes.length - limits.spaceScenesMax) };
}

function named(read: ReadPolicy, principal: Principal): Scene[] {
  const { literals } = read;
  const strings = (name: string): readonly Pattern[] => literals.strings.get(`http.${name}`) ?? [];
  const methods = strings('method').map((pattern) => pattern.join(''));
  const paths = strings('route').map(pathOf);
  const actions = actionsOf(read);
  const places = literals.entities.flatMap((entity) =>
    placesOf(entity, strings('scheme'), strings('port'), literals.numbers),
  );
  const principals = [principal, ...literals.entities.flatMap((entity) => likePrincipal(entity, principal))];
  if (places.length + methods.length + paths.length === 0 && principals.length === 1) return [];
  const scenes: Scene[] = [];
  const [method = 'GET'] = methods;
  const [path = '/'] = paths;
  const other = freshMethods.find((each) => !methods.includes(each)) ?? 'FRESH';
  for (const action of actions) {
    const fitting = places.filter((place) => place.actions === null || place.actions.includes(action));
    const resources = fitting.length === 0 ? [freshResource[action]] : fitting.map((place) => place.resource);
    for (const resource of resources) {
      for (const who of principals) scenes.push({ principal: who, action, resource, method, path });
      for (const each of [...methods, other]) scenes.push({ principal, action, resource, method: each, path });
      for (const each of [...paths, '/fresh']) scenes.push({ principal, action, resource, method, path: each });
    }
    scenes.push({ principal, action, resource: freshResource[action], method, path });
  }
  return scenes.slice(0, limits.spaceSamplesMax);
}

/** The actions of the scope; a policy about a group or about everything is tried with requests and tool calls. */
function actionsOf({ json }: ReadPolicy): ActionName[] {
  const entities =
    'entity' in json.action ? [json.action.entity] : 'entities' in json.action ? json.action.entities : [];
  const ids = entities.map((entity) => ('__entity' in entity ? entity.__entity.id : entity.id));
  const exact = actionNames.filter((action) => ids.includes(action));
  return exact.length > 0
    ? exact
    : ['http.request', 'http.tunnel', 'model.generate', 'mcp.call', 'toolcall.invoke', 'file.apply', 'process.exec'];
}

interface Place {
  readonly resource: string;
  /** Null: any that is asked for. */
  readonly actions: readonly ActionName[] | null;
}

const http: readonly ActionName[] = ['http.request', 'http.upgrade', 'http.message'];
const ofType: Readonly<Record<string, readonly ActionName[]>> = {
  Tool: ['mcp.call', 'toolcall.invoke'],
  Item: ['mcp.read', 'mcp.prompt'],
  Model: ['model.generate'],
  Program: ['process.exec'],
  Port: ['tunnel.open', 'tunnel.accept'],
  Agent: ['peer.call', 'peer.accept', 'session.spawn'],
  Path: ['file.open', 'file.apply'],
};

/** Resources that are this entity or in it, and one that nearly is. */
function placesOf(
  { type, id }: Entity,
  schemes: readonly Pattern[],
  ports: readonly Pattern[],
  numbers: readonly number[],
): Place[] {
  const kind = type.slice(namespace.length + 2);
  const scheme = schemes.some((pattern) => pattern[0] === 'http') ? 'http' : 'https';
  const usual = scheme === 'http' ? 80 : 443;
  const port = ports.length === 0 ? (numbers.find((n) => n > 0 && n < 65_536 && n !== usual) ?? usual) : usual;
  const at = (host: string, on: number = usual): Place => ({
    resource: originText(scheme, host, host.includes(':') ? 'ipv6' : 'name', on),
    actions: http,
  });
  switch (kind) {
    case 'Origin':
      return /^(tcp|tls):/.test(id)
        ? [{ resource: id, actions: ['http.tunnel'] }]
        : [
            { resource: id, actions: http },
            { resource: id.replace('://', '://near-'), actions: http },
            ...tunnelsTo(id),
          ];
    case 'Host':
      return [at(id), at(`near.${id}`), at(id, port), { resource: `tls://${id}:443`, actions: ['http.tunnel'] }];
    case 'Domain':
      return [
        at(`near.${id}`),
        at(id),
        at(`near.${id}`, port),
        { resource: `tls://near.${id}:443`, actions: ['http.tunnel'] },
      ];
    case 'Service':
      return [
        { resource: `${id}/fresh`, actions: ['model.generate'] },
        { resource: `mcp://${id}/fresh`, actions: ['mcp.call', 'mcp.read', 'mcp.prompt'] },
        { resource: `tool://${id}/fresh`, actions: ['toolcall.invoke'] },
        { resource: id, actions: ['model.list', 'mcp.list'] },
      ];
    case 'Path':
      return [id, `${id.replace(/\/$/, '')}/near`].map((resource) => ({ resource, actions: ofType['Path'] ?? null }));
    default:
      return Object.hasOwn(ofType, kind) ? [{ resource: id, actions: ofType[kind] ?? null }] : [];
  }
}

function tunnelsTo(origin: string): Place[] {
  const match = /^https:\/\/(.+)$/.exec(origin);
  return match === null ? [] : [{ resource: `tls://${match[1]}`, actions: ['http.tunnel'] }];
}

function likePrincipal({ type, id }: Entity, principal: Principal): Principal[] {
  switch (type.slice(namespace.length + 2)) {
    case 'Agent':
      return [{ ...principal, agent: id }];
    case 'Person':
      return [{ ...principal, person: id }];
    case 'Session':
      return [{ ...principal, session: id }];
    case 'Tenant':
      return [{ ...principal, tenant: id }];
    default:
      return [];
  }
}

/** A path whose route fits the pattern: numbered segments are taken as they stand, a wildcard is one word. */
function pathOf(pattern: Pattern): string {
  let text = '';
  for (const part of pattern) text += part ?? (text.endsWith(':') ? 'fresh' : '');
  const segments = [...text.matchAll(/\/\d+:([^/]*)/g)].map((match) => match[1] ?? '');
  if (segments.length > 0) return `/${segments.join('/')}`;
  return `/${text.replaceAll(/[^A-Za-z0-9._-]/g, '')}`;
}
