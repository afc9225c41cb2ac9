import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { proveTenant } from '../src/policy/check.ts';
import { closedTenant, compileTenant, type SourceFile, toTenantPolicy } from '../src/policy/compile.ts';
import { runCases, snapshotOf } from '../src/policy/gate.ts';
import { testEngine } from './harness.ts';

const root = path.resolve(import.meta.dirname, '../../../policies');
const engine = testEngine();
const folders = readdirSync(root).filter((name) => statSync(path.join(root, name)).isDirectory());
const wrong = (problems: unknown): Error => new TypeError(JSON.stringify(problems));

function filesOf(folder: string, pattern: RegExp): SourceFile[] {
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => ({ name, text: readFileSync(path.join(folder, name), 'utf8') }));
}

describe('the example policies', { timeout: 120_000 }, () => {
  it('are those that their page names', () => {
    const page = readFileSync(path.join(root, 'README.md'), 'utf8');
    expect(folders).toEqual(['coding-agent', 'finance-agent', 'research-agent', 'support-agent']);
    for (const name of folders) expect(page).toContain(`[${name}](${name})`);
  });

  it.each(folders)('%s passes the gate and the proof, and comes out as its cases say', async (name) => {
    const folder = path.join(root, name);
    const files = filesOf(folder, /\.(cedar|yaml)$/);
    const compiled = compileTenant(engine, files);
    if (!compiled.ok) throw wrong(compiled.problems);
    const policy = toTenantPolicy('local', 1, compiled.layers);
    expect(await proveTenant(engine, policy, files)).toEqual([]);
    const made = snapshotOf(engine, policy);
    if (!made.ok) throw wrong(made.problems);
    const tests = filesOf(path.join(folder, 'tests'), /\.yaml$/);
    const results = runCases(made.snapshot, tests, wrong);
    expect(results.filter((result) => !result.ok)).toEqual([]);
    // Every allow has its deny, and what waits for people is among the cases where the policy says that something does.
    const said = results.map((result) => result.expected.split(' ')[0]);
    const waits = files.some((file) => file.text.includes('approval:'));
    expect(new Set(said)).toEqual(new Set(['allow', 'deny', ...(waits ? ['hold'] : [])]));
    // They do test something: under a policy that permits nothing the allows fail.
    const closed = snapshotOf(engine, toTenantPolicy('local', 1, closedTenant()));
    if (!closed.ok) throw wrong(closed.problems);
    const failed = runCases(closed.snapshot, tests, wrong).filter((result) => !result.ok);
    expect(failed.length).toBeGreaterThanOrEqual(said.filter((outcome) => outcome !== 'deny').length);
  });
});
