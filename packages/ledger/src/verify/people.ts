import type { Entry, RecordValue } from '@cordon/protocol';

export interface RecordedPerson {
  readonly person: RecordValue;
  readonly keys: readonly RecordValue[];
}

/** Who was known, by which keys, at each moment: a fold over what the control plane recorded before it counted. */
export class People {
  #known: readonly RecordedPerson[] = [];

  /** A list that never changes; a later change makes another. */
  get known(): readonly RecordedPerson[] {
    return this.#known;
  }

  add({ data }: Entry): void {
    const { act, person, key } = data;
    if (person === undefined) return;
    const name = JSON.stringify(person);
    const others = this.#known.filter((known) => JSON.stringify(known.person) !== name);
    if (act === 'people.remove') this.#known = others;
    if (act !== 'people.add' || key === undefined) return;
    const before = this.#known.find((known) => JSON.stringify(known.person) === name);
    this.#known = [...others, { person, keys: [...(before?.keys ?? []), key] }];
  }
}
