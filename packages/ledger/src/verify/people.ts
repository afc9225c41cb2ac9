import type { Entry, RecordValue } from '@cordon/protocol';

export interface RecordedPerson {
  readonly person: RecordValue;
  readonly keys: readonly RecordValue[];
  /** What is no list of names in the entry is no group. */
  readonly groups: readonly string[];
}

/** Who was known, by which keys, at each moment: a fold over what the control plane recorded before it counted. */
export class People {
  #known: readonly RecordedPerson[] = [];

  /** A list that never changes; a later change makes another. */
  get known(): readonly RecordedPerson[] {
    return this.#known;
  }

  add({ data }: Entry): void {
    const { act, person, key, groups } = data;
    if (person === undefined) return;
    const name = JSON.stringify(person);
    const others = this.#known.filter((known) => JSON.stringify(known.person) !== name);
    if (act === 'people.remove') this.#known = others;
    const before = this.#known.find((known) => JSON.stringify(known.person) === name);
    if (act === 'people.groups' && before !== undefined)
      this.#known = [...others, { ...before, groups: namesIn(groups) }];
    if (act !== 'people.add' || key === undefined) return;
    const keys = [...(before?.keys ?? []), key];
    // Before there were groups an entry said nothing about them.
    this.#known = [...others, { person, keys, groups: groups === undefined ? [] : namesIn(groups) }];
  }
}

function namesIn(value: RecordValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
