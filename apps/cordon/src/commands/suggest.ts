import type { Suggestion } from '@cordon/protocol';
import type { Cordon } from '@cordon/sdk';
import type { Arguments, Command } from '../command.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { sinceOf } from '../quantity.ts';
import { findSession } from '../reference.ts';
import { painter, visible } from '../text.ts';

const formats = ['yaml', 'allow', 'json'] as const;

export const suggest: Command = {
  name: 'policy suggest',
  group: 'Policy',
  usage: 'cordon policy suggest SESSION… | --agent NAME',
  summary: 'the narrowest grants for what was denied; puts nothing in force',
  words: [0, 64],
  takesSession: true,
  options: {
    agent: { value: 'NAME', about: 'every session of this agent' },
    since: { value: 'TIME', about: 'only what was denied in the last 90s, 10m, 8h' },
    group: { about: 'put * where neighbours differ in one segment, and say what else that allows' },
    format: { value: 'yaml|allow|json', about: 'default yaml: a whole cordon.yaml', choices: formats },
    json: { about: 'the same as --format json' },
  },
  details: [
    'The text is tried before you see it: every recorded request is decided again under it.',
    'Lines with ! are what to look at twice. What no grant of a session changes is listed apart.',
    'Example:',
    '  cordon policy suggest 7k2m > cordon.yaml     # read it, then:',
    '  cordon run --policy cordon.yaml -- claude',
  ],
  run: async ({ at, cordon }, args) => {
    const format = formatOf(args);
    const agent = args.text('agent');
    if ((args.words.length === 0) === (agent === undefined)) {
      throw usageError('name sessions, or an agent with --agent', 'cordon ps --all', 'cordon policy suggest SESSION');
    }
    const since = sinceOf(args, Date.now());
    const client = await cordon();
    const sessions = await idsOf(client, args.words);
    const suggestion = await client.suggest({
      sessions,
      group: args.flag('group'),
      ...(agent === undefined ? {} : { agent }),
      ...(since === undefined ? {} : { since }),
    });
    if (format === 'json') at.stdout.write(jsonLine(suggestion));
    else if (format === 'yaml') at.stdout.write(yamlText(suggestion, painter(at.colours)));
    else {
      at.stdout.write(suggestion.allow.map((word) => `--allow ${quoted(word)}\n`).join(''));
      for (const note of allowNotes(suggestion)) at.stderr.write(`${note}\n`);
    }
    return exitStatus.ok;
  },
};

function formatOf(args: Arguments): (typeof formats)[number] {
  const asked = args.text('format') ?? (args.flag('json') ? 'json' : 'yaml');
  const format = formats.find((each) => each === asked);
  if (format === undefined) throw usageError(`--format: ${asked} is no format`, `one of ${formats.join(', ')}`);
  return format;
}

async function idsOf(client: Cordon, words: readonly string[]): Promise<string[]> {
  const sessions: string[] = [];
  for (const word of words) sessions.push((await findSession(client, word)).session.id);
  return sessions;
}

/** As it came, for a file; on a terminal what is explanation stands back and what is dangerous stands out. */
function yamlText({ yaml }: Suggestion, paint: ReturnType<typeof painter>): string {
  const lines = yaml.trimEnd().split('\n').map(visible);
  const painted = lines.map((line) => {
    if (/^\s*# ! /.test(line)) return paint('yellow', line);
    return /^\s*#/.test(line) ? paint('dim', line) : line;
  });
  return `${painted.join('\n')}\n`;
}

/** What the short form leaves out, and what it does not say. */
function allowNotes({ grants, allow, apart }: Suggestion): string[] {
  const limited = grants.filter((grant) => grant.limits !== null).length;
  const notes: string[] = [];
  if (allow.length < grants.length) notes.push(`${grants.length - allow.length} more need a file: --format yaml`);
  if (limited > 0) notes.push(`--allow sets no limit on a body; with --format yaml ${limited} of these have one`);
  for (const grant of grants) for (const warning of grant.warnings) notes.push(visible(`! ${grant.allow}: ${warning}`));
  if (apart.length > 0) notes.push(`${apart.length} denials are no question of grants: --format yaml lists them`);
  if (grants.length === 0) notes.push('nothing was denied that a grant of a session would allow');
  return notes;
}

/** The path is the agent's, the shell is the person's. */
function quoted(word: string): string {
  return /^[A-Za-z0-9._~%:/@,=+-]+$/.test(word) ? word : `'${visible(word).replaceAll("'", String.raw`'\''`)}'`;
}
