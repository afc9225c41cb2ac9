import type { PinnedKey } from './dsse.ts';

/**
 * One human being, however many keys: `iss` says who vouches for the name, `sub` the name there. On one machine `iss`
 * is `local:<home id>`, the id that its state folder drew when it was made.
 */
export interface Person {
  readonly iss: string;
  readonly sub: string;
}

export interface KnownPerson {
  readonly person: Person;
  /** RFC 3339. */
  readonly addedAt: string;
  readonly keys: readonly PinnedKey[];
  /** Sorted; what a grant may ask its approvers to be in. */
  readonly groups: readonly string[];
}

export function samePerson(a: Person, b: Person): boolean {
  return a.iss === b.iss && a.sub === b.sub;
}

/** Whose key this is; null for one that nobody here has. A key belongs to one person, which the directory keeps. */
export function personOfKey(people: readonly KnownPerson[], keyid: string): Person | null {
  return people.find(({ keys }) => keys.some((key) => key.id === keyid))?.person ?? null;
}

/** A name as it may stand in a path, a shell and a record. */
export const personName = /^[a-z_][a-z0-9_.-]{0,62}$/;

/** A name of people who stand in for each other when something is to be approved; as it may stand in an annotation. */
export const groupName = /^[a-z_][a-z0-9_.-]{0,62}$/;

/** Whether somebody's answer counts where only these groups are asked; none: everybody is. */
export function isOfGroups({ groups }: Pick<KnownPerson, 'groups'>, asked: readonly string[]): boolean {
  return asked.length === 0 || asked.some((group) => groups.includes(group));
}
