import { isCordonError } from '@cordon/protocol';
import { installAgent } from './command.ts';
import { approval, trifecta } from './held.ts';
import { createPage } from './page.ts';
import { modelKey, Stage } from './stage.ts';
import { kill, verifyLedger, workAndExfiltration } from './steps.ts';

async function main(): Promise<void> {
  const colours = process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';
  const page = createPage(process.stdout, colours);
  page.heading('Cordon: a real agent, a model that tells it bad things, and what stops what');
  page.note('No key and no internet are needed: model and web sites are played on this machine, over real TLS.');
  const agent = await installAgent(process.env);
  const started = performance.now();
  await using stage = await Stage.start(process.env);
  await stage.cordon.succeed(['secrets', 'set', 'anthropic'], modelKey);
  await workAndExfiltration(stage, agent, page);
  await approval(stage, agent, page);
  await trifecta(stage, agent, page);
  await kill(stage, agent, page);
  await verifyLedger(stage, page);
  page.heading(`Everything happened as promised, in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  page.note(
    'Your own agent: cordon secrets set anthropic, then: cordon run -- claude   (codex, gemini, opencode, pi, or any command)',
  );
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\ncordon demo: ${isCordonError(error) ? error.message : String(error)}\n`);
  if (isCordonError(error)) for (const step of error.nextSteps) process.stderr.write(`  → ${step}\n`);
  process.exitCode = 70;
}
