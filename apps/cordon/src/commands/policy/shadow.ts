import type { Command } from '../../command.ts';
import { exitStatus } from '../../exit.ts';
import { jsonLine } from '../../json.ts';
import { painter, visible } from '../../text.ts';
import { trafficText } from './traffic-text.ts';

export const shadow: Command = {
  name: 'policy shadow',
  group: 'Policy',
  usage: 'cordon policy shadow [--stop]',
  summary: 'what the policy that judges beside would have decided otherwise',
  words: [0, 0],
  options: { stop: { about: 'it judges no further' }, json: { about: 'as JSON' } },
  details: [
    'Begin with: cordon policy activate DIR --shadow',
    'It judges a sample, decides nothing, and ends with the daemon.',
  ],
  run: async ({ at, cordon }, args) => {
    const { policies } = await cordon();
    const view = await (args.flag('stop') ? policies.stopShadow() : policies.shadow());
    if (args.flag('json')) at.stdout.write(jsonLine(view));
    else if (view.report === null) at.stdout.write('no policy judges beside: cordon policy activate DIR --shadow\n');
    else {
      at.stdout.write(
        `${visible(view.candidate ?? '')}, beside since ${view.since}${args.flag('stop') ? ', ended' : ''}\n`,
      );
      at.stdout.write(trafficText(view.report, painter(at.colours)));
    }
    return exitStatus.ok;
  },
};
