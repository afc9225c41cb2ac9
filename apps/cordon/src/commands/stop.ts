import type { Cordon, StopScope } from '@cordon/sdk';
import type { Arguments, Command } from '../command.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { findSession } from '../reference.ts';
import { durationText, painter } from '../text.ts';

const scopeOptions: Command['options'] = {
  agent: { value: 'NAME', about: 'every session of this agent, and new ones are refused' },
  all: { about: 'every session, and new ones are refused' },
  reason: { value: 'TEXT', about: 'why; it is recorded and shown' },
  json: { about: 'as JSON' },
};

async function scopeOf(cordon: Cordon, args: Arguments, verb: string): Promise<StopScope> {
  const agent = args.text('agent');
  const given = [args.words[0], agent, args.flag('all') ? 'all' : undefined].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw usageError(`say what to ${verb}: SESSION, --agent NAME or --all`, `cordon ${verb} --help`);
  if (args.flag('all')) return { all: true };
  if (agent !== undefined) return { agent };
  return { session: (await findSession(cordon, args.words[0] ?? '')).session.id };
}

function flagsOf(scope: StopScope): string {
  if ('all' in scope) return '--all';
  return 'agent' in scope ? `--agent ${scope.agent}` : scope.session;
}

function stopCommand(strength: 'freeze' | 'kill', summary: string, details: readonly string[]): Command {
  return {
    name: strength,
    group: 'Stop',
    usage: `cordon ${strength} SESSION | --agent NAME | --all  [--reason TEXT]`,
    summary,
    words: [0, 1],
    takesSession: true,
    options: scopeOptions,
    details,
    run: async ({ at, cordon }, args) => {
      const client = await cordon();
      const scope = await scopeOf(client, args, strength);
      const { stop, sessions } = await client.stop(scope, strength, args.text('reason') ?? '');
      const unconfirmed = sessions.filter((session) => !session.confirmed);
      if (args.flag('json')) {
        at.stdout.write(jsonLine({ stop, sessions }));
      } else {
        const paint = painter(at.colours);
        const done = strength === 'kill' ? 'killed' : 'frozen';
        for (const { session, confirmed, ms, processesLeft } of sessions) {
          const word = confirmed ? paint('green', done) : paint('red', 'UNCONFIRMED');
          at.stdout.write(
            `${word}  ${session}  after ${durationText(ms)}${processesLeft === 0 ? '' : `, ${processesLeft} processes left`}\n`,
          );
        }
        if (sessions.length === 0) at.stdout.write('nothing was running there\n');
        if (!('session' in scope))
          at.stdout.write(`refused  new sessions there until: cordon unfreeze ${flagsOf(scope)}\n`);
        else if (strength === 'freeze') at.stdout.write(`next     cordon unfreeze ${scope.session}\n`);
      }
      return unconfirmed.length === 0 ? exitStatus.ok : exitStatus.unavailable;
    },
  };
}

export const kill = stopCommand('kill', 'end a session, an agent’s sessions, or all of them, at once and for good', [
  'The agent is not asked. Exit status 0 only when every process is confirmed gone.',
  'Example:',
  '  cordon kill --agent nightly --reason "posts to an unknown host"',
]);

export const freeze = stopCommand('freeze', 'stop a session, an agent’s sessions, or all of them, where they stand', [
  'Nothing inside runs and nothing leaves until cordon unfreeze.',
]);

export const unfreeze: Command = {
  name: 'unfreeze',
  group: 'Stop',
  usage: 'cordon unfreeze SESSION | --agent NAME | --all  [--reason TEXT]',
  summary: 'let frozen sessions go on, and stopped agents start again',
  words: [0, 1],
  takesSession: true,
  options: scopeOptions,
  details: [
    'A killed session never comes back; lifting a kill of an agent or of all only ends the refusal of new ones.',
  ],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const scope = await scopeOf(client, args, 'unfreeze');
    const answer = await client.lift(scope, args.text('reason') ?? '');
    if (args.flag('json')) at.stdout.write(jsonLine(answer));
    else {
      for (const stop of answer.lifted)
        at.stdout.write(`lifted  ${stop.strength} of ${flagsOf(stop.scope)} (${stop.at})\n`);
      for (const session of answer.thawed) at.stdout.write(`runs    ${session}\n`);
    }
    return exitStatus.ok;
  },
};
