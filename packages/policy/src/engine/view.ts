import type { ActionName } from '@cordon/protocol';
import type { Part } from '../gate/part.ts';

/** Policies that are asked together, by the digest of their ids and texts; the engine keeps them parsed in one of its slots. */
export interface PolicyFocus {
  readonly digest: string;
  readonly texts: Readonly<Record<string, string>>;
  /** The part of the schema that their calls are written in; null: all of it. */
  readonly view: SchemaView | null;
}

/** Everything of a call but its context, which is what changes from one to the next at one place. */
export interface CallHead {
  readonly focus: PolicyFocus;
  /** Principal, action, resource and entities, as members of Cedar's call. */
  readonly text: string;
  /** Of both: equal ones are the same head. */
  readonly digest: string;
}

export interface SchemaView {
  readonly key: string;
  readonly action: ActionName;
  /** Of the action's context. */
  readonly part: Part;
}
