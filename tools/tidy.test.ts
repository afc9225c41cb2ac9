import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { limitNames, rules, type SourceFile } from './tidy.ts';

const root = path.resolve(import.meta.dirname, '..');
const names = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '' && existsSync(path.join(root, name)));
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
const files: readonly SourceFile[] = names
  .filter(
    (name) => /\.(ts|mjs|cjs|js|json|c|h|sh|md|yaml|yml|cedar)$/.test(name) && !name.endsWith('package-lock.json'),
  )
  .map((name) => ({ path: name, text: read(name) }));

describe.each(rules)('$name: $why', (rule) => {
  it('holds in the whole tree', () => {
    expect(files.filter((file) => rule.of(file.path)).flatMap((file) => rule.find(file))).toEqual([]);
  });

  it('finds its planted violation', () => {
    expect(rule.of(rule.planted.path)).toBe(true);
    expect(rule.find(rule.planted)).not.toEqual([]);
  });
});

describe('documents', () => {
  it('name every limit that the code has (I10)', () => {
    const documented = read('docs/limits.md');
    const missing = files
      .filter((file) => /^packages\/[^/]+\/src\/limits\.ts$/.test(file.path))
      .flatMap((file) => limitNames(file.text).map((name) => ({ file: file.path, name })))
      .filter(({ name }) => !documented.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });

  it('name every dependency and why it is there', () => {
    const documented = read('docs/dependencies.md');
    const manifests = names.filter((name) => /(^|\/)package\.json$/.test(name));
    const missing = manifests.flatMap((name) => {
      const manifest = JSON.parse(read(name)) as Record<
        'dependencies' | 'devDependencies' | 'optionalDependencies',
        Record<string, string> | undefined
      >;
      return [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies]
        .flatMap((group) => Object.keys(group ?? {}))
        .filter((dependency) => !dependency.startsWith('@cordon/') && !documented.includes(`\`${dependency}\``))
        .map((dependency) => `${name}: ${dependency}`);
    });
    expect(missing).toEqual([]);
  });

  it('pin every dependency to one exact version', () => {
    const loose = names
      .filter((name) => /(^|\/)package\.json$/.test(name))
      .flatMap((name) => {
        const manifest = JSON.parse(read(name)) as Record<string, Record<string, string> | undefined>;
        return ['dependencies', 'devDependencies', 'optionalDependencies']
          .flatMap((group) => Object.entries(manifest[group] ?? {}))
          .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
          .map(([dependency, version]) => `${name}: ${dependency}@${version}`);
      });
    expect(loose).toEqual([]);
  });

  it('link only to what is there', () => {
    const broken = files
      .filter((file) => file.path.endsWith('.md'))
      .flatMap((file) =>
        [...file.text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)]
          .map((match) => path.join(path.dirname(file.path), match[1] ?? ''))
          .filter((target) => !existsSync(path.join(root, target)))
          .map((target) => `${file.path} → ${target}`),
      );
    expect(broken).toEqual([]);
  });
});
