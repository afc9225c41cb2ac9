import type { Command } from '../../command.ts';
import { exitStatus, usageError } from '../../exit.ts';
import { jsonLine } from '../../json.ts';
import { visible } from '../../text.ts';
import { isTest, readFiles, readSources } from './sources.ts';

export const test: Command = {
  name: 'policy test',
  group: 'Policy',
  usage: 'cordon policy test --policy FILE|DIR… [TESTS…]',
  summary: 'run the cases of test files against policy files',
  words: [0, 64],
  options: { policy: { value: 'FILE', repeat: true, about: 'policy under test' }, json: { about: 'as JSON' } },
  details: [
    'A folder brings its own cases along (tests/ and *.tests.yaml).',
    'Example:',
    '  cordon policy test --policy cordon.yaml cordon.tests.yaml',
    '  cordon policy test --policy ./my-policy',
  ],
  run: async ({ at, cordon }, args) => {
    const named = args.texts('policy').length === 0 ? ['cordon.yaml'] : args.texts('policy');
    const sources = readSources(at.cwd, named);
    const tests = [...readFiles(at.cwd, args.words), ...sources.filter(({ name }) => isTest(name))];
    if (tests.length === 0) throw usageError('name files of cases', 'cordon policy test --policy FILE TESTS');
    const files = sources.filter(({ name }) => !isTest(name));
    const answer = await (await cordon()).testPolicy(files, tests);
    if (args.flag('json')) at.stdout.write(jsonLine(answer));
    else {
      for (const { file, name, ok, expected, got } of answer.cases) {
        at.stdout.write(
          `${ok ? 'ok  ' : 'FAIL'} ${visible(file)}: ${visible(name)}${ok ? '' : `: expected ${expected}, got ${got}`}\n`,
        );
      }
      at.stdout.write(`${answer.passed} passed, ${answer.failed} failed\n`);
    }
    return answer.failed === 0 && answer.passed > 0 ? exitStatus.ok : exitStatus.configuration;
  },
};
