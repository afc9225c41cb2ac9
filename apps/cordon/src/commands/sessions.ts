import type { Session } from '@cordon/protocol';
import type { Command } from '../command.ts';
import { exitStatus } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { findSession } from '../reference.ts';
import { durationText, painter, table, visible } from '../text.ts';

export const ps: Command = {
  name: 'ps',
  group: 'Review',
  usage: 'cordon ps [--all]',
  summary: 'list sessions',
  words: [0, 0],
  options: {
    all: { short: 'a', about: 'ended sessions too' },
    json: { about: 'one JSON object per session' },
  },
  details: [],
  run: async ({ at, running }, args) => {
    const cordon = await running();
    const paint = painter(at.colours);
    const rows: string[][] = [];
    const states: ReadonlyArray<Session['state']> = ['starting', 'running', 'frozen'];
    if (cordon !== null) {
      for await (const session of cordon.sessions.list(args.flag('all') ? {} : { state: states })) {
        if (args.flag('json')) at.stdout.write(jsonLine(session));
        else rows.push(row(session));
      }
    }
    if (args.flag('json')) return exitStatus.ok;
    if (rows.length === 0) {
      at.stdout.write(
        `no ${args.flag('all') ? '' : 'running '}sessions${cordon === null ? ' (the daemon is not running)' : ''}\n`,
      );
      return exitStatus.ok;
    }
    at.stdout.write(
      `${table(['SESSION', 'AGENT', 'STATE', 'AGE', 'ALLOWED', 'DENIED', 'BOUNDARY', 'COMMAND'], rows, paint)}\n`,
    );
    return exitStatus.ok;
  },
};

function row(session: Session): string[] {
  const end = session.endedAt === null ? Date.now() : Date.parse(session.endedAt);
  const weaker = session.sandbox?.weaker ?? [];
  return [
    session.id,
    session.agent,
    session.exit === null ? session.state : `${session.exit.reason} ${session.exit.status}`,
    durationText(end - Date.parse(session.startedAt)),
    String(session.decisions.allow),
    String(session.decisions.deny),
    `${session.sandbox?.grade ?? '-'}${weaker.length === 0 ? '' : ` without ${weaker.join(',')}`}${session.sandbox?.capture === 'none' ? ', no capture' : ''}${session.sandbox?.sockets === 'relay' ? ', relay' : ''}`,
    session.command.join(' ').slice(0, 60),
  ];
}

export const show: Command = {
  name: 'show',
  group: 'Review',
  usage: 'cordon show SESSION',
  summary: 'everything about one session: boundary, grants, decisions, end',
  words: [1, 1],
  takesSession: true,
  options: { json: { about: 'as JSON' } },
  details: ['A session is named by its id, or by the last characters of it.', 'Example:', '  cordon show 7k2m'],
  run: async ({ at, cordon }, args) => {
    const { session } = await findSession(await cordon(), args.words[0] ?? '');
    if (args.flag('json')) {
      at.stdout.write(jsonLine(session));
      return exitStatus.ok;
    }
    const paint = painter(at.colours);
    const lines: Array<[string, string]> = [
      ['session', session.id],
      ['agent', `${session.agent} (profile ${session.profile}) for ${session.person}, tenant ${session.tenant}`],
      [
        'state',
        session.exit === null
          ? session.state
          : `ended: ${session.exit.reason}, status ${session.exit.status}${session.exit.detail === null ? '' : `, ${session.exit.detail}`}`,
      ],
      ['started', session.startedAt],
      ...(session.endedAt === null ? [] : [['ended', session.endedAt] as [string, string]]),
      ['command', session.command.join(' ')],
      ['workspace', `${session.workspace} (${session.workspaceMode})`],
      ['decisions', `${session.decisions.allow} allowed, ${session.decisions.deny} denied`],
      ...Object.entries(session.sandbox?.layers ?? {}).map(([layer, what], i): [string, string] => [
        i === 0 ? 'boundary' : '',
        `${layer}: ${what}`,
      ]),
      ...(session.sandbox === null
        ? []
        : [
            ['', `capture: ${session.sandbox.capture}`] as [string, string],
            ['', `sockets: ${session.sandbox.sockets}`] as [string, string],
          ]),
      ...session.grants.map((grant, i): [string, string] => [i === 0 ? 'grants' : '', grant]),
    ];
    for (const [name, value] of lines) at.stdout.write(`${paint('dim', name.padEnd(10))} ${visible(value)}\n`);
    at.stdout.write(
      `\nnext: cordon logs ${session.id} · cordon diff ${session.id} · cordon policy show ${session.id}\n`,
    );
    return exitStatus.ok;
  },
};
