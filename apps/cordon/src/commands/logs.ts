import type { Decision } from '@cordon/protocol';
import type { Command } from '../command.ts';
import { exitStatus } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { findSession } from '../reference.ts';
import { bytesText, painter, visible } from '../text.ts';

export const logs: Command = {
  name: 'logs',
  group: 'Review',
  usage: 'cordon logs [SESSION] [-f] [--denied]',
  summary: 'what the agent tried, what was decided, and why',
  words: [0, 1],
  takesSession: true,
  options: {
    follow: { short: 'f', about: 'go on as it happens' },
    denied: { about: 'only what was denied' },
    json: { about: 'one JSON object per decision' },
  },
  details: ['Example:', '  cordon logs 7k2m --denied'],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const reference = args.words[0];
    const session = reference === undefined ? undefined : (await findSession(client, reference)).session.id;
    const paint = painter(at.colours);
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    const decisions = client.decisions({
      ...(session === undefined ? {} : { session }),
      ...(args.flag('denied') ? { outcome: ['deny'] } : {}),
      follow: args.flag('follow'),
      signal: stop.signal,
    });
    try {
      for await (const decision of decisions) {
        // While following, an allowed one comes again with its outcome: people see it once, complete.
        if (args.flag('follow') && !args.flag('json') && decision.outcome === 'allow' && decision.status === null)
          continue;
        at.stdout.write(args.flag('json') ? jsonLine(decision) : line(decision, paint));
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
    return exitStatus.ok;
  },
};

function line(decision: Decision, paint: ReturnType<typeof painter>): string {
  const outcome = decision.outcome === 'allow' ? paint('green', 'allow') : paint('red', decision.outcome.padEnd(5));
  const result =
    decision.outcome === 'allow'
      ? `${decision.status ?? '…'}${decision.bytesIn === null ? '' : ` ${bytesText(decision.bytesIn)}`}`
      : paint('yellow', decision.code);
  const lines = [
    `${paint('dim', decision.at)} ${outcome} ${visible(decision.summary)} ${result} ${paint('dim', decision.attempt)}`,
  ];
  if (decision.outcome !== 'allow') for (const step of decision.next) lines.push(`    → ${visible(step)}`);
  return `${lines.join('\n')}\n`;
}
