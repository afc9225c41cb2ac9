import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { PolicyFile, PolicyView } from '@cordon/sdk';
import type { Command } from '../command.ts';
import { configurationError, exitStatus } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { findSession } from '../reference.ts';
import { painter, visible } from '../text.ts';

function readFiles(cwd: string, names: readonly string[]): PolicyFile[] {
  return names.map((name) => {
    try {
      return { name, text: readFileSync(path.resolve(cwd, name), 'utf8') };
    } catch (error) {
      throw configurationError(`cannot read ${name}: ${(error as Error).message}`);
    }
  });
}

export const check: Command = {
  name: 'policy check',
  group: 'Policy',
  usage: 'cordon policy check FILE…',
  summary: 'check cordon.yaml or Cedar files as they would be checked at a start',
  words: [1, 64],
  options: { json: { about: 'as JSON' } },
  details: ['Example:', '  cordon policy check cordon.yaml'],
  run: async ({ at, cordon }, args) => {
    const answer = await (await cordon()).checkPolicy(readFiles(at.cwd, args.words));
    if (args.flag('json')) at.stdout.write(jsonLine(answer));
    else {
      for (const { file, line, column, code, message, mend } of answer.problems) {
        at.stdout.write(
          `${visible(file)}${line === null ? '' : `:${line}:${column ?? 1}`}: ${code}: ${visible(message)}\n`,
        );
        if (mend !== null) at.stdout.write(`    → ${visible(mend)}\n`);
      }
      if (answer.ok) at.stdout.write(`ok: ${answer.policies} policies\n`);
    }
    return answer.ok ? exitStatus.ok : exitStatus.configuration;
  },
};

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

export const test: Command = {
  name: 'policy test',
  group: 'Policy',
  usage: 'cordon policy test --policy FILE… TESTS…',
  summary: 'run the cases of test files against policy files',
  words: [1, 64],
  options: { policy: { value: 'FILE', repeat: true, about: 'policy under test' }, json: { about: 'as JSON' } },
  details: ['Example:', '  cordon policy test --policy cordon.yaml cordon.tests.yaml'],
  run: async ({ at, cordon }, args) => {
    const files = args.texts('policy').length === 0 ? ['cordon.yaml'] : args.texts('policy');
    const answer = await (await cordon()).testPolicy(readFiles(at.cwd, files), readFiles(at.cwd, args.words));
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

export const explain: Command = {
  name: 'policy explain',
  group: 'Policy',
  usage: 'cordon policy explain ID',
  summary: 'why one decision came out as it did, and what would change it',
  words: [1, 1],
  options: { json: { about: 'as JSON, with intent and facts' } },
  details: ['ID is the att_… that a refusal and cordon logs show.'],
  run: async ({ at, cordon }, args) => {
    const explanation = await (await cordon()).explain(args.words[0] ?? '');
    if (args.flag('json')) {
      at.stdout.write(jsonLine(explanation));
      return exitStatus.ok;
    }
    const { decision, layers, policies, facts } = explanation;
    const paint = painter(at.colours);
    const out = [
      `${decision.outcome === 'allow' ? paint('green', decision.outcome) : paint('red', decision.outcome)} ${visible(decision.summary)}  (${decision.code})`,
      `${paint('dim', 'when')}     ${decision.at}, session ${decision.session}, generation ${decision.generation}, revision ${decision.revision}`,
      `${paint('dim', 'intent')}   ${decision.intent}`,
    ];
    for (const { layer, permits, forbids } of layers) {
      const said = [...permits.map((id) => `permitted by ${id}`), ...forbids.map((id) => `forbidden by ${id}`)];
      out.push(
        `${paint('dim', 'layer')}    ${layer}: ${said.length === 0 ? paint('yellow', 'no policy permits it') : said.join(', ')}`,
      );
    }
    for (const [id, text] of Object.entries(policies))
      out.push('', paint('dim', `// ${id}`), text.trim().split('\n').map(visible).join('\n'));
    if (facts !== null) out.push('', `${paint('dim', 'facts')}    cordon policy explain ${decision.attempt} --json`);
    for (const step of decision.next) out.push(`next     ${visible(step)}`);
    at.stdout.write(`${out.join('\n')}\n`);
    return exitStatus.ok;
  },
};
