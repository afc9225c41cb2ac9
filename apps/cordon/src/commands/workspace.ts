import type { Change } from '@cordon/sdk';
import type { Command } from '../command.ts';
import { exitStatus } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { findSession } from '../reference.ts';
import { bytesText, painter, visible } from '../text.ts';

const signs: Readonly<Record<Change['kind'], string>> = {
  create: '+',
  modify: '~',
  delete: '-',
  mode: 'm',
  symlink: 'l',
  directory: 'd',
};

export const diff: Command = {
  name: 'diff',
  group: 'Review',
  usage: 'cordon diff SESSION',
  summary: 'what a session would change in the workspace',
  words: [1, 1],
  takesSession: true,
  options: { stat: { about: 'only the list of paths' }, json: { about: 'one JSON object per change' } },
  details: [
    'Changes marked ! make this machine run code later (hooks, editor tasks, …): cordon apply takes them by name only.',
  ],
  run: async ({ at, cordon }, args) => {
    const { handle } = await findSession(await cordon(), args.words[0] ?? '');
    const changes = await handle.changes();
    const paint = painter(at.colours);
    for (const change of changes) {
      if (args.flag('json')) {
        at.stdout.write(jsonLine(change));
        continue;
      }
      const notes = [
        change.protected ? paint('red', '! runs code on this machine later') : '',
        change.refused === null ? '' : paint('red', `never applied: ${visible(change.refused)}`),
      ].filter((note) => note !== '');
      at.stdout.write(
        `${signs[change.kind]} ${visible(change.path)} ${paint('dim', bytesText(change.bytes))} ${notes.join(' ')}\n`,
      );
      if (!args.flag('stat') && change.diff !== null) at.stdout.write(`${coloured(change.diff, paint)}\n`);
    }
    if (changes.length === 0 && !args.flag('json')) at.stdout.write('no changes\n');
    return exitStatus.ok;
  },
};

function coloured(text: string, paint: ReturnType<typeof painter>): string {
  return text
    .split('\n')
    .map((line) => {
      const shown = visible(line);
      if (line.startsWith('+')) return paint('green', shown);
      if (line.startsWith('-')) return paint('red', shown);
      return line.startsWith('@@') ? paint('cyan', shown) : shown;
    })
    .join('\n');
}

export const apply: Command = {
  name: 'apply',
  group: 'Review',
  usage: 'cordon apply SESSION [PATH…]',
  summary: 'take a session’s changes over into the workspace',
  words: [1, 1000],
  takesSession: true,
  options: {
    protected: { value: 'PATH', repeat: true, about: 'also this path, although it makes this machine run code later' },
    json: { about: 'as JSON' },
  },
  details: [
    'A file that was changed on this side meanwhile is a conflict: it is named, and left as it is.',
    'Example:',
    '  cordon apply 7k2m src/app.ts',
  ],
  run: async ({ at, cordon }, args) => {
    const [reference = '', ...paths] = args.words;
    const { handle } = await findSession(await cordon(), reference);
    const answer = await handle.apply({
      paths: paths.length === 0 ? null : paths,
      protectedPaths: [...args.texts('protected')],
    });
    if (args.flag('json')) at.stdout.write(jsonLine(answer));
    else {
      for (const path of answer.applied) at.stdout.write(`applied  ${visible(path)}\n`);
      for (const { path, why } of answer.refused) at.stdout.write(`refused  ${visible(path)}: ${visible(why)}\n`);
      if (answer.applied.length + answer.refused.length === 0) at.stdout.write('nothing to apply\n');
    }
    return answer.refused.length === 0 ? exitStatus.ok : exitStatus.denied;
  },
};

export const discard: Command = {
  name: 'discard',
  group: 'Review',
  usage: 'cordon discard SESSION',
  summary: 'throw a session’s changes away',
  words: [1, 1],
  takesSession: true,
  options: {},
  details: [],
  run: async ({ at, cordon }, args) => {
    const { handle, session } = await findSession(await cordon(), args.words[0] ?? '');
    await handle.discard();
    at.stdout.write(`discarded the changes of ${session.id}\n`);
    return exitStatus.ok;
  },
};
