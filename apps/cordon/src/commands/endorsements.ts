import type { Endorsement } from '@cordon/protocol';
import type { Cordon } from '@cordon/sdk';
import type { Command } from '../command.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import type { Surroundings } from '../surroundings.ts';
import { painter, table, visible } from '../text.ts';

export const list: Command = {
  name: 'endorsements list',
  group: 'Review',
  usage: 'cordon endorsements list [--all] [--watch]',
  summary: 'destinations that people have named for a time, and what is left of each',
  words: [0, 0],
  options: {
    all: { about: 'also those that are over' },
    watch: { short: 'w', about: 'go on, one line for each change' },
    json: { about: 'one JSON object each' },
  },
  details: ['To make one: cordon approve ID --endorse --for 1h'],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    if (args.flag('watch')) {
      await watch(client, at, args.flag('json'));
      return exitStatus.ok;
    }
    const found: Endorsement[] = [];
    const filter = args.flag('all') ? {} : { state: ['open', 'active'] as const };
    for await (const each of client.endorsements.list(filter)) found.push(each);
    if (args.flag('json')) for (const each of found) at.stdout.write(jsonLine(each));
    else at.stdout.write(listed(found, at));
    return exitStatus.ok;
  },
};

export const withdraw: Command = {
  name: 'endorsements withdraw',
  group: 'Review',
  usage: 'cordon endorsements withdraw ID',
  summary: 'end one: nothing more goes out by it',
  words: [1, 1],
  options: { json: { about: 'as JSON' } },
  details: ['What went out by it stays in the ledger: cordon ledger show'],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const ended = await client.endorsements.withdraw(await idOf(client, args.words[0] ?? ''));
    at.stdout.write(args.flag('json') ? jsonLine(ended) : `withdrawn ${ended.id}, after ${ended.used.uses} uses\n`);
    return exitStatus.ok;
  },
};

/** The end of an id is enough. */
async function idOf(client: Cordon, reference: string): Promise<string> {
  if (reference.length === 30 && reference.startsWith('end_')) return reference;
  const found: string[] = [];
  for await (const { id } of client.endorsements.list({ state: ['open', 'active'] }))
    if (id.endsWith(reference.toLowerCase())) found.push(id);
  const [id, ...more] = found;
  if (reference.length >= 4 && id !== undefined && more.length === 0) return id;
  throw usageError(
    more.length > 0 ? `${reference} is the end of several ids` : `no endorsement in force ends with ${reference}`,
    'cordon endorsements list',
  );
}

function listed(found: readonly Endorsement[], at: Surroundings): string {
  if (found.length === 0) return 'nothing is endorsed\n';
  const rows = found.map((each) => [each.id.slice(-8), each.state, whose(each), left(each), until(each), what(each)]);
  return `${table(['ID', 'STATE', 'FOR', 'LEFT', 'UNTIL', 'WHERE'], rows, painter(at.colours))}\n`;
}

function whose({ terms: { scope }, agent }: Endorsement): string {
  return 'session' in scope ? `${agent} ${scope.session.slice(-8)}` : `${agent} (all)`;
}

function left({ terms, used, signed, rung, state }: Endorsement): string {
  if (state === 'open') return `signed ${signed.length}/${rung.quorum}`;
  return `${terms.uses - used.uses}/${terms.uses}, ${terms.bytes - used.bytes} B`;
}

function until({ terms }: Endorsement): string {
  return terms.expires.slice(0, 19);
}

function what({ terms, reason }: Endorsement): string {
  return `${terms.destinations.map(visible).join(', ')}${reason === '' ? '' : ` (${visible(reason)})`}`;
}

async function watch(client: Cordon, at: Surroundings, json: boolean): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  try {
    for await (const each of client.endorsements.follow({ signal: stop.signal })) {
      const line = `${each.id} ${each.state.padEnd(9)} ${left(each)}  ${what(each)}`;
      at.stdout.write(json ? jsonLine(each) : `${line}\n`);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}
