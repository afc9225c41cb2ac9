import type { Command } from '../command.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { findSession } from '../reference.ts';
import { painter, table, visible } from '../text.ts';

export const list: Command = {
  name: 'breaker list',
  group: 'Review',
  usage: 'cordon breaker list',
  summary: 'what was closed because it was denied, or failed, again and again',
  words: [0, 0],
  options: { json: { about: 'as JSON' } },
  details: [
    'Five denials in a minute for one action at one destination leave it open for reads only, for five minutes; five',
    'more within half an hour close it until a person resets it. A destination of which half of the last 20 requests',
    'failed is left alone, and tried again by one request a minute. One destination that five sessions of two agents were',
    'denied within five minutes is shown for an hour; where the policy says `breakers: { fleet: freeze }` these are frozen.',
  ],
  run: async ({ at, cordon }, args) => {
    const open = await (await cordon()).breakers.list();
    if (args.flag('json')) {
      at.stdout.write(jsonLine(open));
      return exitStatus.ok;
    }
    const rows = [
      ...open.sessions.map(({ session, action, resource, level }) => [
        session,
        action,
        visible(resource),
        level === 1 ? 'reads only' : 'closed',
      ]),
      ...open.destinations.map((resource) => ['(all)', '', visible(resource), 'fails']),
      ...open.fleet.map(({ sessions, resource, frozen }) => [
        `${sessions.length} sessions`,
        '',
        visible(resource),
        frozen.length === 0 ? 'denied all over' : `denied all over, ${frozen.length} frozen`,
      ]),
    ];
    at.stdout.write(
      rows.length === 0
        ? 'nothing is closed\n'
        : `${table(['SESSION', 'ACTION', 'DESTINATION', 'STATE'], rows, painter(at.colours))}\n`,
    );
    return exitStatus.ok;
  },
};

export const reset: Command = {
  name: 'breaker reset',
  group: 'Review',
  usage: 'cordon breaker reset SESSION | --destinations',
  summary: 'open again what the breakers closed',
  words: [0, 1],
  takesSession: true,
  options: { destinations: { about: 'those that failed, for every session' }, json: { about: 'as JSON' } },
  details: ['Why it was closed: cordon logs SESSION --denied'],
  run: async ({ at, cordon }, args) => {
    const named = args.words[0];
    if ((named === undefined) === !args.flag('destinations')) {
      throw usageError('name a session, or give --destinations', 'cordon breaker list');
    }
    const client = await cordon();
    const session = named === undefined ? null : (await findSession(client, named)).session.id;
    const count = await client.breakers.reset(session);
    at.stdout.write(args.flag('json') ? jsonLine({ reset: count }) : `${count} opened again\n`);
    return exitStatus.ok;
  },
};
