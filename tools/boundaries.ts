// Checks direction and authority of the packages, then plants one violation of each rule in a small tree beside the
// sources and requires that exactly that rule finds it: a rule that cannot fail would pass for ever.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}

function cruise(folder: string): readonly Violation[] {
  const run = spawnSync(
    'depcruise',
    ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'packages', 'apps'],
    {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  if (run.stdout === '') throw new Error(`dependency-cruiser did not run: ${run.stderr}`);
  return (JSON.parse(run.stdout) as { summary: { violations: Violation[] } }).summary.violations;
}

/** A file that breaks a rule, and the rule that must say so. */
const planted: ReadonlyArray<{ readonly rule: string; readonly file: string; readonly text: string }> = [
  { rule: 'direction-protocol', file: 'packages/protocol/src/up.ts', text: "import '../../policy/src/index.ts';" },
  { rule: 'direction-policy', file: 'packages/ledger/src/sibling.ts', text: "import '../../policy/src/index.ts';" },
  { rule: 'direction-egress', file: 'packages/secrets/src/up.ts', text: "import '../../gateway/src/index.ts';" },
  {
    rule: 'direction-gateway',
    file: 'packages/gateway/src/across.ts',
    text: "import '../../control-plane/src/index.ts';",
  },
  {
    rule: 'cli-sees-sdk-only',
    file: 'apps/cordon/src/down.ts',
    text: "import '../../../packages/ledger/src/index.ts';",
  },
  {
    rule: 'verifier-stands-alone',
    file: 'apps/verify/src/down.ts',
    text: "import '../../../packages/store/src/index.ts';",
  },
  {
    rule: 'witness-stands-alone',
    file: 'apps/witness/src/down.ts',
    text: "import '../../../packages/policy/src/index.ts';",
  },
  { rule: 'testkit-stays-out', file: 'packages/gateway/src/fake.ts', text: "import '../../testkit/src/index.ts';" },
  { rule: 'authority-processes', file: 'packages/policy/src/spawn.ts', text: "import 'node:child_process';" },
  { rule: 'authority-network', file: 'packages/policy/src/dial.ts', text: "import 'node:net';" },
  { rule: 'authority-network', file: 'packages/gateway/src/dial.ts', text: "import 'node:https';" },
  { rule: 'authority-files', file: 'packages/gateway/src/write.ts', text: "import 'node:fs/promises';" },
  { rule: 'authority-files', file: 'packages/control-plane/src/database.ts', text: "import 'node:sqlite';" },
  { rule: 'no-cycle', file: 'packages/policy/src/about.ts', text: "import './round.ts';" },
  { rule: 'one-entry-per-package', file: 'packages/sdk/src/deep.ts', text: "import '../../protocol/src/inside.ts';" },
];
const background: Readonly<Record<string, string>> = {
  'packages/policy/src/round.ts': "import './about.ts';",
  'packages/protocol/src/inside.ts': 'export {};',
};
const packages = [
  'protocol',
  'policy',
  'ledger',
  'egress',
  'secrets',
  'sandbox',
  'store',
  'gateway',
  'control-plane',
  'sdk',
  'testkit',
];

function plant(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), `${text}\n`);
  };
  for (const name of packages) write(`packages/${name}/src/index.ts`, 'export {};');
  for (const [file, text] of Object.entries(background)) write(file, text);
  for (const { file, text } of planted) write(file, text);
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.base.json']) copyFileSync(file, path.join(folder, file));
}

const real = cruise('.');
for (const { from, rule } of real) console.error(`${from}: ${rule.name}`);
plant('.cache/planted');
const found = cruise('.cache/planted');
const missed = planted.filter(
  ({ rule, file }) => !found.some((violation) => violation.from === file && violation.rule.name === rule),
);
for (const { rule, file } of missed) console.error(`the planted violation ${file} was not found by rule ${rule}`);
console.log(
  `${real.length} violations, ${planted.length - missed.length} of ${planted.length} planted violations found`,
);
process.exit(real.length === 0 && missed.length === 0 ? 0 : 1);
