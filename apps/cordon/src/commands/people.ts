import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createSigningKey, openSigningKey, type Signer } from '@cordon/protocol/dsse';
import type { Cordon, KnownPerson } from '@cordon/sdk';
import type { Command } from '../command.ts';
import { configurationError, exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import type { Surroundings } from '../surroundings.ts';
import { painter, table } from '../text.ts';

export const list: Command = {
  name: 'people list',
  group: 'Review',
  usage: 'cordon people list',
  summary: 'who may approve, and by which keys they are known',
  words: [0, 0],
  options: { json: { about: 'one JSON object per person' } },
  details: [],
  run: async ({ at, cordon }, args) => {
    const people = await (await cordon()).people.list();
    if (args.flag('json')) for (const each of people) at.stdout.write(jsonLine(each));
    else {
      const rows = people.flatMap(({ person, addedAt, keys, groups }) =>
        keys.map((key) => [person.sub, groups.join(' ') || '–', key.id, addedAt]),
      );
      at.stdout.write(`${table(['NAME', 'GROUPS', 'KEY', 'SINCE'], rows, painter(at.colours))}\n`);
    }
    return exitStatus.ok;
  },
};

export const add: Command = {
  name: 'people add',
  group: 'Review',
  usage: 'cordon people add NAME [--key FILE | --public KEY] [--group GROUP…]',
  summary: 'let a further person approve, by a key of their own',
  words: [1, 1],
  options: {
    key: { value: 'FILE', about: 'where the new private key is written (default: NAME.pem here)' },
    public: { value: 'KEY', about: 'the person made the key elsewhere: its public half in base64' },
    group: { value: 'GROUP', repeat: true, about: 'is asked where a grant says `from: [GROUP]`; repeat it' },
    json: { about: 'as JSON' },
  },
  details: [
    'The file belongs into the hands of that person alone. The same name again adds one more key of the same person,',
    'who still counts once; with --group alone a known person gets no key, only the group.',
    'Examples:',
    '  cordon people add alice --key alice.pem',
    '  cordon people add alice --group finance',
  ],
  run: async ({ at, cordon }, args) => {
    const name = args.words[0] ?? '';
    const given = args.text('public');
    if (given !== undefined && args.text('key') !== undefined) throw usageError('either --key or --public');
    const client = await cordon();
    const groups = args.texts('group');
    if (groups.length > 0 && given === undefined && args.text('key') === undefined) {
      const before = (await client.people.list()).find(({ person }) => person.sub === name);
      if (before !== undefined) {
        const joined = await client.people.group(name, [...before.groups, ...groups]);
        at.stdout.write(args.flag('json') ? jsonLine(joined) : groupsText(joined));
        return exitStatus.ok;
      }
    }
    const file = path.resolve(at.cwd, args.text('key') ?? `${name}.pem`);
    const publicKey = given ?? writeKey(file);
    const known = await client.people.add(name, publicKey, groups);
    at.stdout.write(
      args.flag('json')
        ? jsonLine(known)
        : `${name} may approve${given === undefined ? `; the private key is ${file}, give it to ${name} alone` : ''}\n`,
    );
    return exitStatus.ok;
  },
};

export const group: Command = {
  name: 'people group',
  group: 'Review',
  usage: 'cordon people group NAME [GROUP…]',
  summary: 'all groups that a person is in from now on; none: in no group',
  words: [1, 17],
  options: { json: { about: 'as JSON' } },
  details: [
    'Answers of this person that were not used yet stop to count where a group was asked that the person has left.',
    'Examples:',
    '  cordon people group alice finance leads',
    '  cordon people group alice',
  ],
  run: async ({ at, cordon }, args) => {
    const [name = '', ...groups] = args.words;
    const known = await (await cordon()).people.group(name, groups);
    at.stdout.write(args.flag('json') ? jsonLine(known) : groupsText(known));
    return exitStatus.ok;
  },
};

function groupsText({ person, groups }: KnownPerson): string {
  return `${person.sub} is in ${groups.length === 0 ? 'no group' : groups.join(', ')}\n`;
}

export const remove: Command = {
  name: 'people remove',
  group: 'Review',
  usage: 'cordon people remove NAME',
  summary: 'nothing that this person signs counts from now on',
  words: [1, 1],
  options: {},
  details: ['Answers that were not used yet stop to count as well.'],
  run: async ({ at, cordon }, args) => {
    await (await cordon()).people.remove(args.words[0] ?? '');
    at.stdout.write(`removed ${args.words[0]}\n`);
    return exitStatus.ok;
  },
};

export const whoami: Command = {
  name: 'whoami',
  group: 'Review',
  usage: 'cordon whoami',
  summary: 'as whom you act here, and with which key you approve',
  words: [0, 0],
  options: { json: { about: 'as JSON' } },
  details: [],
  run: async ({ at, cordon }, args) => {
    const me = await (await cordon()).people.whoami();
    const file = operatorKeyFile(at, me.person.sub);
    at.stdout.write(
      args.flag('json')
        ? jsonLine({ ...me, keyFile: file })
        : `${me.person.sub} (${me.person.iss}), tenant ${me.tenant}\nkey ${me.keys.map((key) => key.id).join(', ')}\nin ${file}\n`,
    );
    return exitStatus.ok;
  },
};

function operatorKeyFile(at: Surroundings, name: string): string {
  return path.join(at.home, 'people', `${name}.pem`);
}

/** The key in a file that a person names, else the operator's own. @throws CordonError `configuration` `signing-key` */
export async function signerOf(at: Surroundings, client: Cordon, given: string | undefined): Promise<Signer> {
  const file =
    given === undefined ? operatorKeyFile(at, (await client.people.whoami()).person.sub) : path.resolve(at.cwd, given);
  try {
    return openSigningKey(readFileSync(file));
  } catch (error) {
    throw configurationError(
      `cannot sign with ${file}: ${(error as Error).message}`,
      'cordon people add NAME --key FILE',
    );
  }
}

/** Written before the public half is told to anybody, and never over a file that is there. */
function writeKey(file: string): string {
  const { privatePem, pinned } = createSigningKey();
  try {
    writeFileSync(file, privatePem, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw configurationError(`cannot write ${file}: ${(error as Error).message}`, 'name another file with --key');
  }
  return pinned.publicKey;
}
