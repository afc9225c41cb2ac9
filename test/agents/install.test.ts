import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const script = path.join(import.meta.dirname, 'install.sh');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'cordon-install-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A pinned set without dependencies: what is tested is the installer, not the registry. */
function pinned(name: string, lock: Readonly<Record<string, unknown>> = {}): string {
  const set = path.join(folder, name);
  mkdirSync(set);
  const root = { name, version: '1.0.0', ...lock };
  writeFileSync(path.join(set, 'package.json'), JSON.stringify(root, null, 2));
  writeFileSync(
    path.join(set, 'package-lock.json'),
    JSON.stringify({ name, version: '1.0.0', lockfileVersion: 3, packages: { '': { name, version: '1.0.0' } } }),
  );
  return set;
}

async function install(set: string): Promise<string> {
  const env = { ...process.env, CORDON_AGENTS_DIR: path.join(folder, 'cache') };
  return (await run('sh', [script, set], { env })).stdout.trim();
}

describe('install.sh', () => {
  it('installs once, also when two start together, and leaves nothing half done', async () => {
    const set = pinned('empty');
    const [one, two] = await Promise.all([install(set), install(set)]);
    expect(one).toBe(two);
    const before = statSync(one).ino;
    expect(await install(set)).toBe(one);
    expect(statSync(one).ino).toBe(before);
    expect(readdirSync(path.join(folder, 'cache'))).toEqual([path.basename(one)]);
  });

  it('installs anew when what is pinned changes', async () => {
    const first = await install(pinned('set'));
    rmSync(path.join(folder, 'set'), { recursive: true });
    expect(await install(pinned('set', { description: 'changed' }))).not.toBe(first);
  });

  it('fails, and keeps nothing, when lockfile and manifest disagree', async () => {
    const set = pinned('broken', { dependencies: { 'is-not-in-the-lockfile': '1.0.0' } });
    await expect(install(set)).rejects.toMatchObject({ code: 1 });
    expect(readdirSync(path.join(folder, 'cache'))).toEqual([]);
  });
});
