import type { Json } from '../json/value.ts';
import type { Integrity, Label } from './label.ts';

/** Where in an action a value stands: `/args/path`, `/payload`, `/payload/to/0`. */
export type Pointer = string;

/** A parsed value that names something in the world; compared whole, never as part of a text. */
export interface TypedEntity {
  readonly type: string;
  readonly value: string;
}

/** What an entity is used for; named for one purpose, it is named for no other. */
export type Purpose = 'destination' | 'account' | 'target' | 'argument';

/**
 * Who could have chosen what, as far as a grade can tell. G1 knows the session's context and what was named outside
 * it; G2 (handles) and G3 (an approved plan) know more, and take this place and no other.
 */
export interface Provenance {
  readonly grade: 1 | 2 | 3;
  argument(at: Pointer, value: Json): Label;
  entity(entity: TypedEntity, purpose: Purpose): Integrity;
  context(): Label;
}

/** G1: an agent that nobody instrumented. Everything it says may stem from everything it has seen. */
export function createContextProvenance(context: Label, named: NamedEntities): Provenance {
  return {
    grade: 1,
    argument: () => context,
    entity: (entity) => named.integrityOf(entity),
    context: () => context,
  };
}

/** What was named outside the sandbox: by a person's order 3, by a profile or the tenant 4. */
export interface NamedEntities {
  integrityOf(entity: TypedEntity): Integrity;
}

/** What an entity is named for, as one text: a critical argument by its type, anything else by its purpose. */
export function nameOf({ type, value }: TypedEntity, purpose: Purpose): string {
  return `${purpose === 'argument' ? type : purpose} ${value}`;
}

/** The same, except that a person has named these. A label is only ever raised to what a person is worth. */
export function createEndorsedProvenance(base: Provenance, named: readonly string[]): Provenance {
  const names = new Set(named);
  return {
    grade: base.grade,
    argument: (at, value) => base.argument(at, value),
    entity: (entity, purpose) => {
      const known = base.entity(entity, purpose);
      return known < 3 && names.has(nameOf(entity, purpose)) ? 3 : known;
    },
    context: () => base.context(),
  };
}

/** The same, and what it is asked about and nobody has named is added to `unnamed`. */
export function createAskingProvenance(base: Provenance, unnamed: Set<string>): Provenance {
  return {
    grade: base.grade,
    argument: (at, value) => base.argument(at, value),
    entity: (entity, purpose) => {
      const known = base.entity(entity, purpose);
      if (known < 3) unnamed.add(nameOf(entity, purpose));
      return known;
    },
    context: () => base.context(),
  };
}
