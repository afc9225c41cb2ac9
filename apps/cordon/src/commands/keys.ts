import type { Command } from '../command.ts';
import { exitStatus } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { painter, table } from '../text.ts';

export const show: Command = {
  name: 'keys show',
  group: 'Review',
  usage: 'cordon keys show',
  summary: 'the keys by which effectors know permits of this host',
  words: [0, 0],
  options: { json: { about: 'one JSON object per key' } },
  details: [],
  run: async ({ at, cordon }, args) => {
    const keys = await (await cordon()).keys();
    if (args.flag('json')) for (const each of keys) at.stdout.write(jsonLine(each));
    else {
      const rows = keys.map(({ kid, alg }) => ['permit', alg, kid]);
      at.stdout.write(`${table(['FOR', 'ALGORITHM', 'KEY'], rows, painter(at.colours))}\n`);
    }
    return exitStatus.ok;
  },
};

export const exportKeys: Command = {
  name: 'keys export',
  group: 'Review',
  usage: 'cordon keys export',
  summary: 'the same as a JWK set, for an effector to verify with',
  words: [0, 0],
  options: {},
  details: ['Public halves only. Bring the file to the effector on a way that nobody else can write to.'],
  run: async ({ at, cordon }) => {
    at.stdout.write(`${JSON.stringify({ keys: await (await cordon()).keys() }, null, 2)}\n`);
    return exitStatus.ok;
  },
};
