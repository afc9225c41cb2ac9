import type { Command } from '../../command.ts';
import { exitStatus } from '../../exit.ts';
import { jsonLine } from '../../json.ts';
import { counted, visible } from '../../text.ts';
import { readSources } from './sources.ts';
import { working } from './working.ts';

export const check: Command = {
  name: 'policy check',
  group: 'Policy',
  usage: 'cordon policy check FILE|DIR…',
  summary: 'check cordon.yaml or Cedar files as they would be checked at a start',
  words: [1, 64],
  options: { json: { about: 'as JSON' } },
  details: [
    'Beside syntax and types: nothing may stand the wrong way round, so that more danger allows more (docs/guides/policy.md).',
    'Example:',
    '  cordon policy check cordon.yaml',
    '  cordon policy check ./my-policy',
  ],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const answer = await working(at, 'checking', client.checkPolicy(readSources(at.cwd, args.words)));
    if (args.flag('json')) at.stdout.write(jsonLine(answer));
    else {
      for (const { file, line, column, code, message, mend } of answer.problems) {
        at.stdout.write(
          `${visible(file)}${line === null ? '' : `:${line}:${column ?? 1}`}: ${code}: ${visible(message)}\n`,
        );
        if (mend !== null) at.stdout.write(`    → ${visible(mend)}\n`);
      }
      if (answer.ok) at.stdout.write(`ok: ${counted(answer.policies, 'policy', 'policies')}\n`);
    }
    return answer.ok ? exitStatus.ok : exitStatus.configuration;
  },
};
