import { approvalFields, commonFields, effects, type Field, flowFields } from './field.ts';

/** Name of the Cedar namespace; every entity type and action is in it. */
export const namespace = 'Cordon';

const http = 'http: { method: String, scheme: String, port: Long, route: String, body: String, bytes: Long }';

/** Nothing of a tunnel's content is known, so nothing of it can be asked. */
const tunnel = 'tunnel: { scheme: String, port: Long }';

function buildSchema(): string {
  const common = [
    ...cedarFields(commonFields),
    'checks: Set<String>',
    'args: Args',
    'nums: Nums',
    'flow: Flow',
    'approval: Approval',
  ].join(', ');
  const action = (names: readonly string[], parent: string, resource: string, own: readonly string[] = []): string =>
    `  action ${names.map((name) => JSON.stringify(name)).join(', ')} in ["${parent}"] appliesTo { principal: [Session], resource: [${resource}], context: { ${[...own, common].join(', ')} } };`;
  return `${[
    `namespace ${namespace} {`,
    '  entity Tenant, Person;',
    '  entity Agent in [Agent, Tenant];',
    '  entity Session in [Agent, Person, Tenant];',
    '  entity Domain in [Domain];',
    '  entity Host in [Domain];',
    '  entity Origin in [Origin, Host];',
    '  entity Service;',
    '  entity Tool, Item, Model in [Service];',
    '  entity Path in [Path];',
    '  entity Program, Port;',
    '  entity Args tags Set<String>;',
    '  entity Nums tags Long;',
    `  entity Effect enum [${effects.map((effect) => JSON.stringify(effect)).join(', ')}];`,
    `  type Flow = { ${cedarFields(flowFields).join(', ')} };`,
    `  type Approval = { ${cedarFields(approvalFields).join(', ')} };`,
    '  action "any";',
    '  action "egress" in ["any"];',
    action(['http.request', 'http.upgrade', 'http.message'], 'egress', 'Origin', [http]),
    action(['http.tunnel'], 'egress', 'Origin', [tunnel]),
    action(['model.generate'], 'egress', 'Model'),
    action(['model.list', 'mcp.list'], 'egress', 'Service'),
    action(['mcp.call'], 'egress', 'Tool'),
    action(['mcp.read', 'mcp.prompt'], 'egress', 'Item'),
    action(['peer.call', 'peer.accept', 'session.spawn'], 'egress', 'Agent'),
    action(['tunnel.open', 'tunnel.accept'], 'egress', 'Port'),
    action(['file.apply'], 'egress', 'Path'),
    action(['file.open'], 'any', 'Path'),
    action(['toolcall.invoke'], 'any', 'Tool'),
    action(['process.exec'], 'any', 'Program'),
    '}',
  ].join('\n')}\n`;
}

function cedarFields(fields: Readonly<Record<string, Field>>): string[] {
  return Object.entries(fields).map(([name, field]) => `${name}: ${cedarType(field)}`);
}

function cedarType(field: Field): string {
  switch (field.type) {
    case 'bool':
      return 'Bool';
    case 'long':
      return 'Long';
    case 'effect':
      return 'Effect';
  }
}

/**
 * The complete Cedar schema. Entities carry identity and hierarchy only; whatever varies is context.
 * `http.scheme` and `http.port` are in the context because a grant for `*.example.com` speaks of names below a
 * domain, which says nothing about plain http or other ports, and those must be granted in so many words.
 */
export const schemaText: string = buildSchema();
