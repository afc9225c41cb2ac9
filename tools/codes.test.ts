// docs/reference/codes.md against the code: whatever can be read as `code` by a person or a program stands on the page.
// Codes are the literals of every `…Code` union, the keys of the tables that such a type names, and literals given to
// CordonError directly.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'packages', 'apps'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  // The test kit and the demo never meet a user.
  .filter((name) => /\/src\/.*\.ts$/.test(name) && !/^(packages\/testkit|apps\/demo)\//.test(name))
  .filter((name) => existsSync(path.join(root, name)))
  .map((name) => readFileSync(path.join(root, name), 'utf8'));

const literal = /'([a-z][A-Za-z0-9.-]*)'/g;

function codesOf(source: string): readonly string[] {
  const text = source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
  const unions = [...text.matchAll(/export type \w*Code\s*=([^;]+);/g)].map((match) => match[1] ?? '');
  const tables = unions
    .map((union) => /keyof typeof (\w+)/.exec(union)?.[1])
    .filter((name) => name !== undefined)
    .flatMap((name) => {
      const body = new RegExp(`const ${name} = \\{([\\s\\S]*?)\\n\\} as const`).exec(text)?.[1] ?? '';
      return [...body.matchAll(/^ {2}'?([a-z][A-Za-z0-9.-]*)'?:/gm)].map((match) => match[1] ?? '');
    });
  const thrown = [...text.matchAll(/new \w*Error(?:<\w+>)?\(\s*'([a-z][a-z0-9-]*)'/g)].map((match) => match[1] ?? '');
  const inUnions = unions.flatMap((union) => [...union.matchAll(literal)].map((match) => match[1] ?? ''));
  return [...inUnions, ...tables, ...thrown];
}

const missing = (page: string, codes: readonly string[]): readonly string[] =>
  [...new Set(codes)].filter((code) => !page.includes(`\`${code}\``)).sort();

const page = readFileSync(path.join(root, 'docs/reference/codes.md'), 'utf8');

it('every code that the sources know is explained', () => {
  const codes = sources.flatMap(codesOf);
  expect(new Set(codes).size).toBeGreaterThan(200);
  expect(missing(page, codes)).toEqual([]);
});

it('a code that is not explained is found, wherever it stands', () => {
  const planted = [
    "export type PlantedCode =\n  /** why */\n  | 'planted-union'\n  | 'allowed';",
    "const table = {\n  'planted-key': 400,\n  plain: 1,\n} as const;\nexport type TableCode = keyof typeof table;",
    "throw new CordonError<PlantedCode>(\n  'planted-throw', 'words');",
  ];
  expect(missing(page, planted.flatMap(codesOf))).toEqual(['plain', 'planted-key', 'planted-throw', 'planted-union']);
});
