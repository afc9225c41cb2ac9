// docs/threat-model.md names the code that keeps each promise and the test that fails without it. Every file that any
// document names must exist, and every way out that `apps/attack` tries must stand in the threat model, and no other.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { groups } from '../apps/attack/src/groups.ts';

const root = path.resolve(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '' && existsSync(path.join(root, name)));
const page = read('docs/threat-model.md');

/** Paths in backticks that begin with a folder of ours and end in a file; patterns and placeholders are none. */
const filesOf = (text: string): readonly string[] =>
  [...text.matchAll(/`((?:packages|apps|test|native|tools|bench|docs|profiles)\/[\w./-]+\.\w+)`/g)].map(
    (match) => match[1] ?? '',
  );
const gone = (text: string): readonly string[] => filesOf(text).filter((name) => !existsSync(path.join(root, name)));

/** “Quoted” after `Escape cases:`, joined over line breaks. */
const casesOf = (text: string): readonly string[] =>
  [...text.matchAll(/^Escape cases:([\s\S]*?)\n\n/gm)].flatMap((block) =>
    [...(block[1] ?? '').matchAll(/“([^”]*)”/g)].map((match) => (match[1] ?? '').replaceAll(/\s+/g, ' ')),
  );

const tried = new Set(groups.flatMap(({ cases }) => cases).map(({ name }) => name));
// Named on the page on every machine, tried where there is such a thing.
if (process.arch !== 'x64') for (const name of ['x32', 'int80', 'iopl']) tried.add(name);

it('every file that a document names exists', () => {
  expect(documents.flatMap((name) => gone(read(name)).map((file) => `${name}: ${file}`))).toEqual([]);
  expect(gone('kept by `packages/policy/src/planted.ts`')).toHaveLength(1);
});

it('the threat model names every escape case, and no other', () => {
  expect([...casesOf(page)].sort()).toEqual([...tried].sort());
  expect(casesOf('Escape cases: “planted\ncase”.\n\n')).toEqual(['planted case']);
});

it('every promise and invariant names code and a test', () => {
  const rows = page.split('\n').filter((line) => /^\| (\d\. |I\d+ )/.test(line));
  expect(rows).toHaveLength(17);
  for (const row of rows) {
    const [, code = '', test = ''] = row.split(' | ');
    expect(filesOf(code), row).not.toEqual([]);
    expect(
      filesOf(test).filter((name) => name.endsWith('.test.ts')),
      row,
    ).not.toEqual([]);
  }
});
