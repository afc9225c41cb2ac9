import {
  type Clock,
  groupName,
  type KnownPerson,
  type Person,
  personName,
  personOfKey,
  protocolLimits,
  timestamp,
} from '@cordon/protocol';
import { type PinnedKey, parsePublicKey } from '@cordon/protocol/dsse';
import { z } from 'zod';
import { fault, refusal } from '../error.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import { Turn } from '../turns.ts';

/** Where the list lies; the composition root writes it whole or not at all, for the owner of the daemon alone. */
export interface PeopleFile {
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
}

/** The person whose daemon this is; the private half of the key stays in that person's file and is never read here. */
export interface Operator {
  readonly name: string;
  readonly key: PinnedKey;
}

export interface PeopleOptions {
  readonly file: PeopleFile;
  readonly operator: Operator;
  /** `local:<home id>`, for a list that is made now. */
  readonly issuer: () => string;
  readonly recorder: Recorder;
  readonly clock: Pick<Clock, 'now'>;
}

const list = z.strictObject({
  v: z.literal('people/1'),
  iss: z.string().regex(/^local:[0-9a-f]{16}$/),
  people: z.array(
    z.strictObject({
      sub: z.string().regex(personName),
      addedAt: z.string(),
      keys: z.array(z.strictObject({ id: z.string(), algorithm: z.literal('ed25519'), publicKey: z.string() })),
      groups: z.array(z.string().regex(groupName)).max(protocolLimits.personGroupsMax).default([]),
    }),
  ),
});
type Kept = z.output<typeof list>;

/**
 * Who may answer for something, and by which keys they are known. The private halves are the people's own. Every change
 * is in the ledger before it counts, keys and all, so that an auditor needs no word of ours to check a signature.
 */
export class People {
  readonly #options: PeopleOptions;
  #kept: Kept;
  #changed: (() => void) | null = null;
  /** One change at a time: of two at once one would undo the other. */
  readonly #changes = new Turn();

  private constructor(options: PeopleOptions, kept: Kept) {
    this.#options = options;
    this.#kept = kept;
  }

  /** @throws CordonError `people-damaged` */
  static async open(options: PeopleOptions): Promise<People> {
    const text = await options.file.read();
    const kept: Kept = text === null ? { v: 'people/1', iss: options.issuer(), people: [] } : parse(text);
    const people = new People(options, kept);
    const { name, key } = options.operator;
    // Also after the key file was replaced by hand: what signs here must be known here.
    if (personOfKey(people.directory, key.id) === null) await people.#change(name, key, [], 'cordond');
    return people;
  }

  /** From now on `changed` is told: somebody may count no more, left out of a group or removed. */
  follow(changed: () => void): void {
    this.#changed = changed;
  }

  get directory(): readonly KnownPerson[] {
    const { iss } = this.#kept;
    return this.#kept.people.map(({ sub, ...known }) => ({ person: { iss, sub }, ...known }));
  }

  get operator(): Person {
    return this.local(this.#options.operator.name);
  }

  local(sub: string): Person {
    return { iss: this.#kept.iss, sub };
  }

  /** A new person, or one more key of a known one. @throws CordonError `key-known` `people-full` `request-invalid` */
  add(name: string, publicKey: string, groups: readonly string[], by: string): Promise<KnownPerson> {
    const key = parsePublicKey(publicKey);
    if (key === null) {
      throw refusal('request-invalid', 'body.publicKey: the 32 bytes of an Ed25519 key in base64', [
        'cordon people add NAME (makes one)',
      ]);
    }
    return this.#changes.take(() => this.#change(name, key, groups, by));
  }

  /** All groups that somebody is in from now on. @throws CordonError `person-unknown` */
  group(name: string, groups: readonly string[], by: string): Promise<KnownPerson> {
    return this.#changes.take(async () => {
      const found = this.#find(name);
      const after = { ...found, groups: [...new Set(groups)].sort() };
      await this.#options.recorder.admin(by, 'people.groups', {
        person: { ...this.local(name) },
        groups: after.groups,
        before: [...found.groups],
      });
      await this.#write({ ...this.#kept, people: this.#kept.people.map((each) => (each === found ? after : each)) });
      const { sub, ...known } = after;
      return { person: this.local(sub), ...known };
    });
  }

  /** With all keys: nothing that they sign counts from now on. @throws CordonError `person-unknown` `person-operator` */
  remove(name: string, by: string): Promise<void> {
    return this.#changes.take(async () => {
      const found = this.#find(name);
      if (name === this.#options.operator.name) {
        throw refusal('person-operator', `${name} owns this daemon and stays`, ['cordon people list']);
      }
      const keys = found.keys.map((key) => key.id);
      await this.#options.recorder.admin(by, 'people.remove', { person: { ...this.local(name) }, keys });
      await this.#write({ ...this.#kept, people: this.#kept.people.filter((each) => each !== found) });
    });
  }

  /** @throws CordonError `person-unknown` */
  #find(name: string): Kept['people'][number] {
    const found = this.#kept.people.find(({ sub }) => sub === name);
    if (found === undefined) throw refusal('person-unknown', `nobody here is called ${name}`, ['cordon people list']);
    return found;
  }

  async #change(name: string, key: PinnedKey, more: readonly string[], by: string): Promise<KnownPerson> {
    const { recorder, clock } = this.#options;
    const owner = personOfKey(this.directory, key.id);
    if (owner !== null) throw refusal('key-known', `this key is ${owner.sub}'s`, ['cordon people list']);
    const before = this.#kept.people.find(({ sub }) => sub === name);
    const people = this.#kept.people.length;
    if (before === undefined ? people >= limits.peopleMax : before.keys.length >= limits.personKeysMax) {
      throw refusal('people-full', `at most ${limits.peopleMax} people with ${limits.personKeysMax} keys each`);
    }
    const groups = [...new Set([...(before?.groups ?? []), ...more])].sort();
    if (groups.length > protocolLimits.personGroupsMax) {
      throw refusal('people-full', `at most ${protocolLimits.personGroupsMax} groups of one person`);
    }
    const addedAt = before?.addedAt ?? timestamp(clock);
    const after = { sub: name, addedAt, keys: [...(before?.keys ?? []), key], groups };
    await recorder.admin(by, 'people.add', { person: { ...this.local(name) }, key: { ...key }, groups });
    const others = this.#kept.people.filter(({ sub }) => sub !== name);
    await this.#write({ ...this.#kept, people: [...others, after] });
    return { person: this.local(name), addedAt, keys: after.keys, groups };
  }

  async #write(kept: Kept): Promise<void> {
    await this.#options.file.write(`${JSON.stringify(kept, null, 2)}\n`);
    this.#kept = kept;
    this.#changed?.();
  }
}

function parse(text: string): Kept {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fault('people-damaged', 'the list of people is not JSON', cause);
  }
  const parsed = list.safeParse(value);
  if (!parsed.success) throw fault('people-damaged', 'the list of people is not as it was written', parsed.error);
  const ids = parsed.data.people.flatMap(({ keys }) => keys.map((key) => key.id));
  const names = parsed.data.people.map(({ sub }) => sub);
  if (new Set(ids).size < ids.length || new Set(names).size < names.length) {
    throw fault('people-damaged', 'a key or a name stands there twice');
  }
  return parsed.data;
}
