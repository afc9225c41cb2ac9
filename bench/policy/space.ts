import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { compileTenant, toTenantPolicy } from '../../packages/control-plane/src/policy/compile.ts';
import { snapshotOf } from '../../packages/control-plane/src/policy/gate.ts';
import {
  compileEngine,
  coreCeiling,
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
const ceiling = { name: 'ceiling' as const, policies: coreCeiling.policies };

function exampleOf(name: string): PolicySnapshot {
  const folder = path.join(root, 'policies', name);
  const files = readdirSync(folder)
    .filter((file) => /\.(cedar|yaml)$/.test(file))
    .map((file) => ({ name: file, text: readFileSync(path.join(folder, file), 'utf8') }));
  const compiled = compileTenant(engine, files);
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  const policy = toTenantPolicy('local', 1, compiled.layers);
  return made(snapshotOf(engine, { ...policy, layers: [ceiling, ...policy.layers.slice(1)] }));
}

function shipped(): PolicySnapshot {
  const tenant = { name: 'tenant' as const, policies: { 'tenant/open': 'permit (principal, action, resource);' } };
  const policy = { tenant: 'local', generation: 1, layers: [ceiling, tenant], origins: [], expires: null };
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
  ['ceiling', shipped],
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
