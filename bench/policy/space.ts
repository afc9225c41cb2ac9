import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { compileTenant, toTenantPolicy } from '../../packages/control-plane/src/policy/compile.ts';
import { snapshotOf } from '../../packages/control-plane/src/policy/gate.ts';
import {
  type ApprovalFacts,
  ceilingFor,
  compileEngine,
  createEngine,
  type createSnapshot,
  type PolicySnapshot,
  type Proof,
  propertyTexts,
  proveAll,
} from '../../packages/policy/src/index.ts';

/**
 * The proof over the finite part, for everything that is shipped: `node --conditions=cordon-source bench/policy/space.ts
 * [--full]`. Without `--full` the ceiling alone; with it each example of `policies/` below it too, every property, no memo.
 * Ends with 1 when a property does not hold, or when not all of it could be looked at.
 */
const full = process.argv.includes('--full');
const root = path.resolve(import.meta.dirname, '../..');
const wasm = new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web'));
const code = compileEngine(readFileSync(wasm));
const engine = createEngine(code.module, code.digest, { memoEntries: full ? 0 : 100_000 });
/** Each version of the core rules: how far people can be asked. */
const versions: Readonly<Record<string, readonly ApprovalFacts[]>> = {
  solo: [{ quorum: 1, strong: false }],
  team: [1, 2].map((quorum) => ({ quorum, strong: false })),
  'team with strong keys': [1, 2].map((quorum) => ({ quorum, strong: true })),
};

function exampleOf(name: string): PolicySnapshot {
  const folder = path.join(root, 'policies', name);
  const files = readdirSync(folder)
    .filter((file) => /\.(cedar|yaml)$/.test(file))
    .map((file) => ({ name: file, text: readFileSync(path.join(folder, file), 'utf8') }));
  const compiled = compileTenant(engine, files);
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  return made(snapshotOf(engine, toTenantPolicy('local', 1, compiled.layers)));
}

function shipped(rungs: readonly ApprovalFacts[]): PolicySnapshot {
  const tenant = { name: 'tenant' as const, policies: { 'tenant/open': 'permit (principal, action, resource);' } };
  const policy = {
    tenant: 'local',
    generation: 1,
    layers: [ceilingFor(rungs), tenant],
    origins: [],
    expires: null,
    rungs,
  };
  return made(snapshotOf(engine, policy));
}

function made(result: ReturnType<typeof createSnapshot> | ReturnType<typeof snapshotOf>): PolicySnapshot {
  if (!result.ok) throw new TypeError(JSON.stringify(result.problems));
  return result.snapshot;
}

function report(name: string, proof: Proof, ms: number): boolean {
  const { findings, complete, requests, scenes, states } = proof;
  const ok = findings.length === 0 && complete;
  const figures = `${states.toExponential(2)} states, ${scenes} places, ${requests} requests to the engine, ${Math.round(ms)} ms`;
  console.log(`${ok ? 'holds' : 'FAILS'}  ${name}: ${figures}${complete ? '' : ', not complete'}`);
  for (const { property, why, example, policies } of findings) {
    console.log(`  ${property} ${propertyTexts[property]}\n    ${why}: ${example}\n    by ${policies.join(', ')}`);
  }
  return ok;
}

const subjects: readonly (readonly [string, () => PolicySnapshot])[] = [
  ...Object.entries(versions).map(([name, rungs]) => [`ceiling, ${name}`, () => shipped(rungs)] as const),
  ...(full
    ? readdirSync(path.join(root, 'policies'), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => [`policies/${entry.name}`, () => exampleOf(entry.name)] as const)
    : []),
];
let failed = 0;
const began = performance.now();
for (const [name, subject] of subjects) {
  const started = performance.now();
  if (!report(name, proveAll(subject()), performance.now() - started)) failed += 1;
}
console.log(`${subjects.length} policy sets, ${Math.round(performance.now() - began)} ms`);
process.exitCode = failed === 0 ? 0 : 1;
