import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Session, SessionRequest } from '@cordon/protocol';
import type { Cordon } from '@cordon/sdk';
import type { Arguments, Command } from '../command.ts';
import { configurationError, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { findProgram } from '../program.ts';
import { parseCount, parseCpus, parseDuration, parseSize } from '../quantity.ts';
import { relay, statusOf, terminalSize } from '../relay.ts';
import type { Surroundings } from '../surroundings.ts';
import { painter, visible } from '../text.ts';

const layers = ['namespaces', 'landlock', 'seccomp', 'cgroups', 'uid'] as const;
const drivers = ['process', 'gvisor', 'microvm', 'auto'] as const;
const modes = ['direct', 'proposal'] as const;

export const run: Command = {
  name: 'run',
  group: 'Run',
  usage: 'cordon run [options] -- COMMAND [ARG…]',
  summary: 'run an agent inside its own boundary; stdio and exit status are the agent’s',
  words: [1, 4096],
  options: {
    profile: {
      value: 'NAME',
      about: 'preset; guessed from COMMAND: claude, codex, gemini, opencode, pi, else generic',
    },
    name: { value: 'AGENT', about: 'the agent’s name (identity); default: the profile’s' },
    driver: { value: 'DRIVER', about: drivers.join('|'), choices: drivers },
    'allow-weaker': {
      value: 'LAYER',
      repeat: true,
      about: `start although LAYER is missing here: ${layers.join('|')} (recorded)`,
      choices: layers,
    },
    workspace: { value: 'DIR', about: 'folder that the agent works in; default: the current one' },
    'workspace-mode': {
      value: 'MODE',
      about: 'direct: changes happen at once; proposal: they wait for cordon apply',
      choices: modes,
    },
    policy: { value: 'FILE', about: 'the project’s cordon.yaml; none: run without the one that lies in the workspace' },
    allow: {
      value: 'HOST[/PATH][:METHODS]',
      repeat: true,
      about:
        'grant for this session, e.g. api.github.com/repos/acme/**:GET,POST; also http://, wss://, tcp://, tls:// (recorded)',
    },
    task: { value: 'TEXT|@FILE', about: 'the order, as you give it (recorded)' },
    as: { value: 'TENANT', about: 'the tenant' },
    ttl: { value: '8h', about: 'longest life of the session' },
    cpus: { value: 'N', about: 'cores' },
    memory: { value: 'SIZE', about: 'memory' },
    pids: { value: 'N', about: 'processes and threads' },
    disk: { value: 'SIZE', about: 'what may be written to the session’s own disk' },
    env: { value: 'NAME[=VALUE]', repeat: true, about: 'a variable for the agent; without =VALUE yours is taken' },
    quiet: { short: 'q', about: 'none of Cordon’s own messages' },
    json: { about: 'Cordon’s own messages as one JSON object per line, on stderr' },
  },
  details: [
    'Nothing of your environment reaches the agent but what --env names, and no network but what the policy grants.',
    'Example:',
    '  cordon run --allow packages.example.com -- claude -p "upgrade the dependencies"',
    'Beside requests --allow takes wss://HOST/PATH (a WebSocket; each message is decided), and two kinds of tunnel, of',
    'which only destination, bytes and life are decided, never what goes through: tcp://HOST:PORT, and tls://HOST[:PORT]',
    'for a client that does not accept Cordon’s certificate.',
  ],
  run: async ({ at, cordon }, args) => {
    const request = requestOf(at, args);
    const say = sayer(at, args);
    const client = await cordon();
    const { session, handle } = await client.sessions.create(request);
    for (const line of introduction(session)) say(line, { event: 'session', session: session.id });
    using _held = tellHeld(client, session.id, say);
    const exit = await relay(await handle.attach({ offset: 0 }), at, {
      terminal: request.terminal !== null && request.terminal !== undefined,
      say: (text, notice) => say(text, { event: 'notice', ...notice }),
      again: async (offset) => {
        await cordon();
        return handle.attach({ offset });
      },
    });
    if (exit.reason === 'killed' || exit.reason === 'lost') {
      say(`the session was ${exit.reason}${exit.detail === null ? '' : `: ${visible(exit.detail)}`}`, {
        event: 'end',
        exit,
      });
      say(`next: cordon show ${session.id}`, { event: 'next' });
    } else if (session.workspaceMode === 'proposal') {
      const end = session.id.slice(-8);
      say(`next: cordon diff ${end} · cordon apply ${end} · cordon logs ${end}`, { event: 'next' });
    }
    return statusOf(exit);
  },
};

/** One line when something of this session waits for a person, with the command that shows it. */
function tellHeld(client: Cordon, session: string, say: ReturnType<typeof sayer>): Disposable {
  const ended = new AbortController();
  const follow = async (): Promise<void> => {
    for await (const hold of client.approvals.follow({ session, state: ['open'], signal: ended.signal })) {
      if (hold.answers.length > 0) continue;
      say(`waits for a person: ${visible(hold.summary)}   → cordon approve ${hold.id.slice(-8)}`, {
        event: 'held',
        hold,
      });
    }
  };
  // The agent runs with or without somebody to tell.
  follow().catch(() => undefined);
  return { [Symbol.dispose]: () => ended.abort() };
}

function requestOf(at: Surroundings, args: Arguments): SessionRequest {
  const [program = '', ...rest] = args.words;
  const workspace = path.resolve(at.cwd, args.text('workspace') ?? '.');
  const policy = policyFile(at, args.text('policy'), workspace);
  const optional = <K extends keyof SessionRequest>(
    key: K,
    value: SessionRequest[K] | undefined,
  ): Partial<SessionRequest> => (value === undefined ? {} : { [key]: value });
  const number = (name: string, parse: (option: string, text: string) => number): number | undefined => {
    const text = args.text(name);
    return text === undefined ? undefined : parse(name, text);
  };
  const resources = {
    cpuMillis: number('cpus', parseCpus),
    memoryBytes: number('memory', parseSize),
    pidsMax: number('pids', parseCount),
    diskBytes: number('disk', parseSize),
  };
  return {
    command: [findProgram(program, at.cwd, at.pathVariable), ...rest],
    workspace,
    allow: [...args.texts('allow')],
    allowWeaker: args.texts('allow-weaker').map((layer) => oneOf('allow-weaker', layer, layers)),
    resources: Object.fromEntries(Object.entries(resources).filter(([, value]) => value !== undefined)),
    env: Object.fromEntries(args.texts('env').map(variable)),
    terminal: terminalSize(at),
    ...optional('profile', args.text('profile')),
    ...optional('name', args.text('name')),
    ...optional(
      'driver',
      args.text('driver') === undefined ? undefined : oneOf('driver', args.text('driver') ?? '', drivers),
    ),
    ...optional(
      'workspaceMode',
      args.text('workspace-mode') === undefined
        ? undefined
        : oneOf('workspace-mode', args.text('workspace-mode') ?? '', modes),
    ),
    ...optional('policy', policy),
    ...optional('task', taskText(at, args.text('task'))),
    ...optional('tenant', args.text('as')),
    ...optional('ttlMs', number('ttl', parseDuration)),
  };
}

function oneOf<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw usageError(`--${option}: ${text} is not one of ${choices.join(', ')}`);
  return found;
}

/**
 * Only a file that a person names counts. A cordon.yaml that merely lies in the workspace came with it, perhaps from a
 * stranger, and could bind the person's secrets to the stranger's server and show the agent the person's files.
 */
function policyFile(
  at: Surroundings,
  given: string | undefined,
  workspace: string,
): { name: string; text: string } | undefined {
  if (given === 'none') return undefined;
  if (given === undefined) {
    const found = path.join(workspace, 'cordon.yaml');
    if (!existsSync(found)) return undefined;
    const name = visible(path.relative(at.cwd, found));
    throw configurationError(
      `${name} may grant network, files and secrets to whoever wrote it: read it, then use it with --policy ${name}, or run without it with --policy none`,
    );
  }
  const file = path.resolve(at.cwd, given);
  try {
    return { name: given, text: readFileSync(file, 'utf8') };
  } catch (error) {
    throw configurationError(`cannot read the policy ${file}: ${(error as Error).message}`);
  }
}

function taskText(at: Surroundings, given: string | undefined): string | undefined {
  if (given === undefined || !given.startsWith('@')) return given;
  try {
    return readFileSync(path.resolve(at.cwd, given.slice(1)), 'utf8');
  } catch (error) {
    throw configurationError(`cannot read the task ${given.slice(1)}: ${(error as Error).message}`);
  }
}

function variable(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals === 0 || text === '')
    throw usageError(`--env: ${text} has no name`, 'write --env NAME or --env NAME=VALUE');
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  const value = process.env[text];
  if (value === undefined)
    throw usageError(`--env: ${text} is not set in your environment`, `write --env ${text}=VALUE`);
  return [text, value];
}

export function sayer(
  at: Surroundings,
  args: Arguments,
): (text: string, event: Readonly<Record<string, unknown>>) => void {
  if (args.flag('quiet')) return () => {};
  const paint = painter(at.colours && at.stderr.isTTY === true);
  return (text, event) => {
    at.stderr.write(
      args.flag('json')
        ? jsonLine({ ...event, text })
        : `${paint('dim', 'cordon:')} ${text}${at.stdin.isRaw === true ? '\r' : ''}\n`,
    );
  };
}

function introduction(session: Session): string[] {
  const weaker = session.sandbox?.weaker ?? [];
  return [
    `session ${session.id} · agent ${session.agent} · profile ${session.profile} · workspace ${session.workspaceMode}`,
    ...(weaker.length === 0 ? [] : [`WEAKER THAN PROMISED: without ${weaker.join(', ')} (recorded)`]),
    ...session.grants.map((grant) => `granted: ${visible(grant)}`),
  ];
}
