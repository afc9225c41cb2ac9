import type { ActionName } from '@cordon/protocol';
import type { Part } from '../gate/part.ts';

/** Policies that are asked together, by the digest of their ids and texts; the engine keeps them parsed in one of its slots. */
export interface PolicyFocus {
  readonly digest: string;
  readonly texts: Readonly<Record<string, string>>;
  /** The part of the schema that their calls are written in; null: all of it. */
  readonly view: SchemaView | null;
}

export interface SchemaView {
  readonly key: string;
  readonly action: ActionName;
  /** Of the action's context. */
  readonly part: Part;
}
