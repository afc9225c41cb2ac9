import type { Command } from '../command.ts';
import { exitStatus } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { painter, table, visible } from '../text.ts';

export const budgets: Command = {
  name: 'budgets',
  group: 'Review',
  usage: 'cordon budgets',
  summary: 'what the sessions that run may spend, and what is left of it',
  words: [0, 0],
  options: { json: { about: 'one JSON object per budget and unit' } },
  details: [
    'A session’s own budget stands in its cordon.yaml (budget:), those of tenant, person, agent and every session in',
    '$CORDON_HOME/policy/*.yaml (budgets:). Each request is paid from all of them. USED holds what a gateway has in hand.',
    'Where a budget says onExhausted: ask, cordon approvals shows who could give as much once more.',
  ],
  run: async ({ at, cordon }, args) => {
    const lines = await (await cordon()).budgets();
    if (args.flag('json')) for (const line of lines) at.stdout.write(jsonLine(line));
    else if (lines.length === 0) at.stdout.write('no session that runs has a budget\n');
    else {
      const rows = lines.map(({ account, unit, per, max, raised, taken }) => [
        visible(account),
        unit,
        per,
        `${taken}`,
        raised === 0 ? `${max}` : `${max} + ${raised}`,
        `${Math.max(0, max + raised - taken)}`,
        `${Math.floor((100 * taken) / (max + raised))} %`,
      ]);
      at.stdout.write(`${table(['BUDGET', 'UNIT', 'PER', 'USED', 'OF', 'LEFT', ''], rows, painter(at.colours))}\n`);
    }
    return exitStatus.ok;
  },
};
