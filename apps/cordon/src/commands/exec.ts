import type { Command } from '../command.ts';
import { findSession } from '../reference.ts';
import { relay, statusOf, terminalSize } from '../relay.ts';
import { sayer } from './run.ts';

export const exec: Command = {
  name: 'exec',
  group: 'Run',
  usage: 'cordon exec SESSION -- COMMAND [ARG…]',
  summary: 'run one more command inside the boundary of a running session',
  words: [2, 4097],
  takesSession: true,
  options: {
    cwd: { value: 'DIR', about: 'working folder inside; default: the workspace' },
    quiet: { short: 'q', about: 'none of Cordon’s own messages' },
    json: { about: 'Cordon’s own messages as JSON, on stderr' },
  },
  details: [
    'The command has the same identity, limits and rules as the agent.',
    'Example:',
    '  cordon exec 7k2m -- ls -la',
  ],
  run: async ({ at, cordon }, args) => {
    const [reference = '', ...command] = args.words;
    const { handle } = await findSession(await cordon(), reference);
    const terminal = terminalSize(at);
    const cwd = args.text('cwd');
    const attachment = await handle.exec({ command, terminal, ...(cwd === undefined ? {} : { cwd }) });
    const say = sayer(at, args);
    const exit = await relay(attachment, at, { terminal: terminal !== null, say, again: null });
    return statusOf(exit);
  },
};
