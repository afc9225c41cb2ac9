import type { Command } from './command.ts';
import type { painter } from './text.ts';

const groups: ReadonlyArray<Command['group']> = ['Run', 'Review', 'Stop', 'Policy', 'Secrets', 'Ledger', 'Daemon'];

export function overview(commands: readonly Command[], paint: ReturnType<typeof painter>): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = [
    `${paint('bold', 'cordon')} runs AI agents inside a boundary that they cannot talk, code or trick their way out of.`,
    '',
  ];
  for (const group of groups) {
    lines.push(paint('bold', group));
    for (const command of commands.filter((each) => each.group === group)) {
      lines.push(`  ${command.name.padEnd(width)}  ${command.summary}`);
    }
    lines.push('');
  }
  lines.push('cordon COMMAND --help explains one, with an example. --json prints for machines.');
  lines.push('First time here? Run: cordon demo');
  return lines.join('\n');
}

export function explain(command: Command, paint: ReturnType<typeof painter>): string {
  const lines = [command.summary, '', `${paint('bold', 'usage')}  ${command.usage}`, ''];
  const rows = Object.entries(command.options).map(([name, option]): [string, string] => [
    `${option.short === undefined ? '    ' : `-${option.short}, `}--${name}${option.value === undefined ? '' : ` ${option.value}`}`,
    `${option.about}${option.repeat ? ' (may be repeated)' : ''}`,
  ]);
  rows.push(['-h, --help', 'show this help']);
  const width = Math.max(...rows.map(([left]) => left.length));
  for (const [left, right] of rows) lines.push(`  ${left.padEnd(width)}  ${right}`);
  if (command.details.length > 0) lines.push('', ...command.details);
  return lines.join('\n');
}
