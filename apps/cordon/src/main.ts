import { readFileSync } from 'node:fs';
import { isCordonError } from '@cordon/protocol';
import { type Command, nearest, parseArguments } from './command.ts';
import { commands, complete } from './commands/index.ts';
import { runningDaemon, startDaemon } from './daemon.ts';
import { exitStatus, exitStatusOf, usageError } from './exit.ts';
import { explain, overview } from './help.ts';
import { jsonLine } from './json.ts';
import { type Context, type Surroundings, surroundings } from './surroundings.ts';
import { painter, visible } from './text.ts';

/** The command with the longest name that the arguments begin with. */
function find(argv: readonly string[]): Command {
  const all = [...commands, complete];
  const command =
    all.find((each) => each.name === `${argv[0]} ${argv[1]}`) ?? all.find((each) => each.name === argv[0]);
  if (command !== undefined) return command;
  const second = all.filter((each) => each.name.startsWith(`${argv[0]} `)).map((each) => each.name);
  if (second.length > 0)
    throw usageError(`cordon ${argv[0]} needs one more word`, ...second.map((name) => `cordon ${name}`));
  const near = nearest(
    argv[0] ?? '',
    all.map((each) => each.name),
  );
  throw usageError(
    `there is no command ${argv[0]}`,
    near === undefined ? 'cordon --help' : `did you mean cordon ${near}?`,
  );
}

function contextOf(at: Surroundings): Context {
  return {
    at,
    running: () => runningDaemon(at),
    cordon: async () => {
      // The first call to a daemon that is gone would fail late, inside a command; a status call is under a millisecond.
      return (await runningDaemon(at)) ?? (await startDaemon(at));
    },
  };
}

async function main(argv: readonly string[], at: Surroundings): Promise<number> {
  const paint = painter(at.colours);
  const [first = '--help'] = argv;
  if (first === '--help' || first === '-h' || first === 'help') {
    const named = argv.slice(1).filter((word) => !word.startsWith('-'));
    at.stdout.write(`${named.length === 0 ? overview(commands, paint) : explain(find(named), paint)}\n`);
    return exitStatus.ok;
  }
  if (first === '--version' || first === '-V' || first === 'version') {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    at.stdout.write(`cordon ${version}\n`);
    return exitStatus.ok;
  }
  const command = find(argv);
  const args = parseArguments(command, argv.slice(command.name.split(' ').length));
  if (args.flag('help')) {
    at.stdout.write(`${explain(command, paint)}\n`);
    return exitStatus.ok;
  }
  return command.run(contextOf(at), args);
}

/** What was refused, its code, and the next step; never a stack trace for what a user can mend. */
function report(error: unknown, at: Surroundings, json: boolean): void {
  const known = isCordonError(error);
  const message = error instanceof Error ? error.message : String(error);
  const code = known ? error.code : 'internal';
  const nextSteps = known ? error.nextSteps : ['please report this with the text above'];
  if (json) {
    at.stderr.write(jsonLine({ event: 'error', code, message, next_steps: nextSteps }));
    return;
  }
  const paint = painter(at.colours && at.stderr.isTTY === true);
  const text = message.split('\n').map(visible).join('\n        ');
  at.stderr.write(`${paint('red', 'cordon:')} ${text} ${paint('dim', `(${code})`)}\n`);
  for (const step of nextSteps) at.stderr.write(`        → ${visible(step)}\n`);
  if (!known && error instanceof Error) at.stderr.write(`${error.stack}\n`);
}

const at = surroundings(process);
const argv = process.argv.slice(2);
// A reader that has gone (| head) is no fault of ours.
at.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitStatus.ok);
});
try {
  process.exitCode = await main(argv, at);
} catch (error) {
  const separator = argv.indexOf('--');
  report(error, at, (separator < 0 ? argv : argv.slice(0, separator)).includes('--json'));
  process.exitCode = exitStatusOf(error);
}
