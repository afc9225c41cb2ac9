import type { ActionName } from '@cordon/protocol';
import type { SchemaJson } from '../engine/answer.ts';
import { PolicyError } from '../error.ts';
import type { Part } from '../gate/part.ts';
import { namespace } from './schema.ts';

type Namespace = SchemaJson[string];
type Attributes = Readonly<Record<string, AttributeType>>;
interface AttributeType {
  readonly type: string;
  readonly name?: string;
  readonly attributes?: Attributes;
}

/**
 * The schema for one action, its context narrowed to a part: what is in both is the same as in the whole. Types of entities
 * stay as far as principal, resource and context lead to them.
 *
 * @throws PolicyError `engine-unusable` when the schema is not the one of `schema.ts`
 */
export function schemaPart(whole: SchemaJson, action: ActionName, part: Part): SchemaJson {
  const space = whole[namespace];
  const own = space?.actions[action];
  const context = own?.appliesTo?.context as unknown as AttributeType | undefined;
  if (space === undefined || own?.appliesTo === undefined || context?.attributes === undefined) {
    throw new PolicyError('engine-unusable', `the schema lacks ${action}`);
  }
  const narrowed = narrow(context, part, space);
  const named = Object.values(narrowed.attributes ?? {}).map(({ name }) => name ?? '');
  const { principalTypes, resourceTypes } = own.appliesTo;
  const actions: Namespace['actions'] = {
    ...groupsOf(space, action),
    [action]: { ...own, appliesTo: { principalTypes, resourceTypes, context: narrowed as never } },
  };
  return {
    [namespace]: {
      ...space,
      entityTypes: entityTypes(space, [...principalTypes, ...resourceTypes, ...named]),
      actions,
    },
  };
}

/** Cedar names `Flow` and `Approval` for their records; a part of one is a record of its own. */
function narrow(type: AttributeType, part: Part, space: Namespace): AttributeType {
  if (part === null) return type;
  const record = (space.commonTypes?.[type.name ?? ''] as unknown as AttributeType | undefined) ?? type;
  if (record.attributes === undefined) return type;
  const attributes: Record<string, AttributeType> = {};
  for (const name in part) {
    const attribute = record.attributes[name];
    if (attribute !== undefined) attributes[name] = narrow(attribute, part[name] ?? null, space);
  }
  return { type: 'Record', attributes };
}

/** The groups that an action is in, and what they are in. */
function groupsOf(space: Namespace, action: string): Namespace['actions'] {
  const groups: Namespace['actions'] = {};
  for (const { id } of space.actions[action]?.memberOf ?? []) {
    const group = space.actions[id];
    if (group !== undefined) Object.assign(groups, { [id]: group }, groupsOf(space, id));
  }
  return groups;
}

function entityTypes(space: Namespace, wanted: readonly string[]): Namespace['entityTypes'] {
  const found: Namespace['entityTypes'] = {};
  const add = (name: string): void => {
    const type = space.entityTypes[name];
    if (type === undefined || Object.hasOwn(found, name)) return;
    found[name] = type;
    for (const parent of 'memberOfTypes' in type ? (type.memberOfTypes ?? []) : []) add(parent);
  };
  for (const name of wanted) add(name);
  return found;
}
