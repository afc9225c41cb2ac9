import type { Command } from '../command.ts';
import { exitStatus, usageError } from '../exit.ts';

/** Shell code that asks `cordon complete` at each tab, so what is offered is what this version knows. */
const shells: Readonly<Record<string, string>> = {
  bash: `_cordon() { local IFS=$'\\n'; COMPREPLY=($(cordon complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)); [ \${#COMPREPLY[@]} -gt 0 ] || compopt -o default; }
complete -F _cordon cordon
`,
  zsh: `#compdef cordon
_cordon() { local -a found; found=(\${(f)"$(cordon complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"}); if (( \${#found} )); then compadd -a found; else _files; fi }
compdef _cordon cordon
`,
  fish: `complete -c cordon -f -a '(cordon complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

export const completion: Command = {
  name: 'completion',
  group: 'Daemon',
  usage: 'cordon completion bash|zsh|fish',
  summary: 'completion for your shell',
  words: [1, 1],
  options: {},
  details: ['Example:', '  cordon completion bash >> ~/.bashrc'],
  run: async ({ at }, args) => {
    const script = shells[args.words[0] ?? ''];
    if (script === undefined)
      throw usageError(`no completion for ${args.words[0]}`, `one of ${Object.keys(shells).join(', ')}`);
    at.stdout.write(script);
    return exitStatus.ok;
  },
};

/** What may come next behind these words; the last one is being typed. Sessions are asked only of a running daemon. */
export function completeCommand(commands: () => readonly Command[]): Command {
  return {
    name: 'complete',
    group: 'Daemon',
    usage: 'cordon complete -- WORDS',
    summary: 'what completion asks for',
    words: [0, 100],
    options: {},
    details: [],
    run: async ({ at, running }, args) => {
      const typed = args.words.at(-1) ?? '';
      const before = args.words.slice(0, -1);
      const known = commands();
      const command = known.find((each) => each.name === before.slice(0, each.name.split(' ').length).join(' '));
      const offers: string[] = [];
      if (command === undefined) {
        const prefix = before.length === 0 ? '' : `${before.join(' ')} `;
        offers.push(
          ...known
            .filter((each) => each.name.startsWith(prefix))
            .map((each) => each.name.slice(prefix.length).split(' ')[0] ?? ''),
        );
      } else {
        const last = before.at(-1)?.replace(/^--/, '') ?? '';
        const choices = before.at(-1)?.startsWith('--') ? command.options[last]?.choices : undefined;
        if (choices !== undefined) offers.push(...choices);
        else if (typed.startsWith('-'))
          offers.push(...Object.keys(command.options).map((name) => `--${name}`), '--help');
        else if (command.takesSession) {
          const cordon = await running();
          if (cordon !== null)
            for await (const session of cordon.sessions.list({ state: ['running', 'frozen'] })) offers.push(session.id);
        }
      }
      const matching = [...new Set(offers)].filter((offer) => offer.startsWith(typed)).sort();
      if (matching.length > 0) at.stdout.write(`${matching.join('\n')}\n`);
      return exitStatus.ok;
    },
  };
}
