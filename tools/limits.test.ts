// docs/limits.md against the code: every limit has a row in its package's section with its value as it is, no row speaks
// of a limit that is gone, and every limit is read somewhere (one that nothing reads bounds nothing).
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'packages', 'apps'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => /\/src\/.*\.ts$/.test(name) && existsSync(path.join(root, name)));
const limitFiles = tracked.filter((name) => /^packages\/[^/]+\/src\/limits\.ts$/.test(name));
/** Source of one package without its limits; those of `protocol` are everybody's. */
const sourcesOf = (owner: string): string =>
  tracked
    .filter((name) => !limitFiles.includes(name) && (owner === 'protocol' || name.startsWith(`packages/${owner}/`)))
    .map((name) => readFileSync(path.join(root, name), 'utf8'))
    .join('\n');
const sources = new Map(limitFiles.map((file) => [ownerOf(file), sourcesOf(ownerOf(file))]));

function ownerOf(file: string): string {
  return file.split('/')[1] ?? '';
}

interface Limit {
  readonly owner: string;
  readonly name: string;
  readonly value: number;
}

async function limitsOf(file: string): Promise<readonly Limit[]> {
  const tables = (await import(pathToFileURL(path.join(root, file)).href)) as Record<string, Record<string, number>>;
  const owner = ownerOf(file);
  return Object.values(tables).flatMap((table) =>
    Object.entries(table).map(([name, value]) => ({ owner, name, value })),
  );
}

const bytes = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['bytes', 1],
] as const;
const times = [
  ['d', 24 * 3600_000],
  ['h', 3600_000],
  ['min', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** The largest unit in which the value is a whole number; one day is still 24 h. */
function written({ name, value }: Limit): string {
  const units = /Bytes/.test(name) ? bytes : /Ms(Max|Min)?$/.test(name) ? times : null;
  const unit = units?.find(([text, size]) => value % size === 0 && value >= (text === 'd' ? 2 * size : size));
  const number = (value / (unit?.[1] ?? 1)).toLocaleString('en-US');
  if (unit !== undefined) return `${number} ${unit[0]}`;
  return /Percent$/.test(name) ? `${number} %` : /Chars/.test(name) ? `${number} characters` : number;
}

/** Section (a package) → name → value, as the page has them. */
function readPage(text: string): ReadonlyMap<string, string> {
  const rows = new Map<string, string>();
  let owner = '';
  for (const line of text.split('\n')) {
    owner = /^## (.*)$/.exec(line)?.[1] ?? owner;
    const [, name, value] = /^\| `([a-z][A-Za-z0-9]*)` \| ([^|]*) \|/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) rows.set(`${owner} ${name}`, value);
  }
  return rows;
}

function differences(page: ReadonlyMap<string, string>, limits: readonly Limit[]): readonly string[] {
  const wanted = new Map(limits.map((limit) => [`${limit.owner} ${limit.name}`, written(limit)]));
  const wrong = [...wanted].filter(([key, value]) => page.get(key) !== value).map(([key, value]) => `${key}: ${value}`);
  const stale = [...page.keys()].filter((key) => !wanted.has(key)).map((key) => `${key}: is no limit`);
  return [...wrong, ...stale];
}

const unread = (limits: readonly Limit[]): readonly string[] =>
  limits
    .filter(({ owner, name }) => !new RegExp(`[lL]imits\\.${name}\\b`).test(sources.get(owner) ?? ''))
    .map(({ owner, name }) => `${owner} ${name}`);

const limits = (await Promise.all(limitFiles.map(limitsOf))).flat();
const page = readPage(readFileSync(path.join(root, 'docs/limits.md'), 'utf8'));

it('docs/limits.md has every limit of the code with its value, and no other', () => {
  expect(limits.length).toBeGreaterThan(200);
  expect(differences(page, limits)).toEqual([]);
});

it('a changed value, a new limit and one that is gone are found', () => {
  const [first = { owner: '', name: '', value: 0 }, ...rest] = limits;
  expect(differences(page, [{ ...first, value: first.value + 1 }, ...rest])).toHaveLength(1);
  expect(differences(page, [...limits, { owner: 'gateway', name: 'planted', value: 1 }])).toHaveLength(1);
  expect(differences(page, rest)).toEqual([`${first.owner} ${first.name}: is no limit`]);
});

it('every limit is read by something', () => {
  expect(unread(limits)).toEqual([]);
  expect(unread([{ owner: 'gateway', name: 'plantedMax', value: 1 }])).toEqual(['gateway plantedMax']);
});
