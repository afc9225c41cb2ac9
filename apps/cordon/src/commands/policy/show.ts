import type { PolicyView } from '@cordon/sdk';
import type { Command } from '../../command.ts';
import { exitStatus } from '../../exit.ts';
import { jsonLine } from '../../json.ts';
import { findSession } from '../../reference.ts';
import { painter, visible } from '../../text.ts';

export const show: Command = {
  name: 'policy show',
  group: 'Policy',
  usage: 'cordon policy show [SESSION]',
  summary: 'the Cedar policies in force, layer by layer',
  words: [0, 1],
  takesSession: true,
  options: { json: { about: 'as JSON' } },
  details: ['Every layer must permit an action, and a forbid in any of them denies it.'],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const reference = args.words[0];
    const view =
      reference === undefined ? await client.policy() : await (await findSession(client, reference)).handle.policy();
    at.stdout.write(args.flag('json') ? jsonLine(view) : viewText(view, painter(at.colours)));
    return exitStatus.ok;
  },
};

function viewText(view: PolicyView, paint: ReturnType<typeof painter>): string {
  const revision = view.revision === null ? '' : `, revision ${view.revision}`;
  const lines = [`// tenant ${view.tenant}, generation ${view.generation}${revision}, ${view.digest}`];
  for (const layer of view.layers) {
    lines.push('', paint('bold', `// layer ${layer.name}`));
    for (const [id, text] of Object.entries(layer.policies))
      lines.push(paint('dim', `// ${id}`), text.trim().split('\n').map(visible).join('\n'));
  }
  return `${lines.join('\n')}\n`;
}
