import type { Command } from '../command.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import type { Surroundings } from '../surroundings.ts';
import { painter, table } from '../text.ts';

export const set: Command = {
  name: 'secrets set',
  group: 'Secrets',
  usage: 'cordon secrets set NAME',
  summary: 'store a credential; the agent only ever sees cordon:secret:NAME',
  words: [1, 1],
  options: { json: { about: 'as JSON' } },
  details: [
    'The value is typed without echo, or read from standard input; never an argument, which other users could see.',
    'Example:',
    '  cordon secrets set anthropic < key.txt',
  ],
  run: async ({ at, cordon }, args) => {
    const name = args.words[0] ?? '';
    const client = await cordon();
    const value = await readValue(at, name);
    if (value === '') throw usageError('the value is empty');
    const info = await client.setSecret(name, value);
    at.stdout.write(
      args.flag('json')
        ? jsonLine(info)
        : `stored ${info.name}, version ${info.version}; agents use cordon:secret:${info.name}\n`,
    );
    return exitStatus.ok;
  },
};

async function readValue(at: Surroundings, name: string): Promise<string> {
  const { stdin } = at;
  const chunks: Buffer[] = [];
  if (stdin.isTTY !== true) {
    for await (const chunk of stdin) chunks.push(chunk as Buffer);
    // A trailing newline is the editor's or echo's, never part of a key.
    return Buffer.concat(chunks)
      .toString('utf8')
      .replace(/\r?\n$/, '');
  }
  at.stderr.write(`value of ${name} (not shown): `);
  stdin.setRawMode(true);
  try {
    for await (const chunk of stdin) {
      const bytes = chunk as Buffer;
      if (bytes.includes(3)) throw usageError('interrupted, nothing was stored');
      const end = bytes.findIndex((byte) => byte === 10 || byte === 13 || byte === 4);
      chunks.push(end < 0 ? bytes : bytes.subarray(0, end));
      if (end >= 0) break;
    }
  } finally {
    stdin.setRawMode(false);
    at.stderr.write('\n');
  }
  return eraseBackspaces(Buffer.concat(chunks).toString('utf8'));
}

function eraseBackspaces(typed: string): string {
  const kept: string[] = [];
  for (const character of typed) {
    if (character === '\u007f' || character === '\b') kept.pop();
    else kept.push(character);
  }
  return kept.join('');
}

export const list: Command = {
  name: 'secrets list',
  group: 'Secrets',
  usage: 'cordon secrets list',
  summary: 'names, versions and last use; values are never shown to anybody',
  words: [0, 0],
  options: { json: { about: 'one JSON object per secret' } },
  details: [],
  run: async ({ at, cordon }, args) => {
    const secrets = await (await cordon()).secrets();
    if (args.flag('json')) for (const secret of secrets) at.stdout.write(jsonLine(secret));
    else if (secrets.length === 0) at.stdout.write('no secrets; cordon secrets set NAME\n');
    else {
      const rows = secrets.map((secret) => [
        secret.name,
        String(secret.version),
        secret.createdAt,
        secret.lastUsedAt ?? 'never',
      ]);
      at.stdout.write(`${table(['NAME', 'VERSION', 'STORED', 'LAST USED'], rows, painter(at.colours))}\n`);
    }
    return exitStatus.ok;
  },
};

export const remove: Command = {
  name: 'secrets remove',
  group: 'Secrets',
  usage: 'cordon secrets remove NAME',
  summary: 'destroy a stored credential',
  words: [1, 1],
  options: {},
  details: ['Sessions that run lose it at their next use.'],
  run: async ({ at, cordon }, args) => {
    await (await cordon()).removeSecret(args.words[0] ?? '');
    at.stdout.write(`removed ${args.words[0]}\n`);
    return exitStatus.ok;
  },
};
