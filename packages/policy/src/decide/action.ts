import type { ActionName } from '@cordon/protocol';

/** Every action of the schema that an intent may name. */
const actions: Readonly<Record<ActionName, true>> = {
  'http.request': true,
  'http.upgrade': true,
  'http.message': true,
  'http.tunnel': true,
  'model.generate': true,
  'model.list': true,
  'toolcall.invoke': true,
  'mcp.call': true,
  'mcp.read': true,
  'mcp.prompt': true,
  'mcp.list': true,
  'peer.call': true,
  'peer.accept': true,
  'session.spawn': true,
  'process.exec': true,
  'file.open': true,
  'file.apply': true,
  'tunnel.open': true,
  'tunnel.accept': true,
};

export const actionNames: readonly ActionName[] = Object.keys(actions) as ActionName[];

export function isAction(name: unknown): name is ActionName {
  return typeof name === 'string' && Object.hasOwn(actions, name);
}
