import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { PolicyFile, PolicyReference } from '@cordon/sdk';
import { configurationError } from '../../exit.ts';

/** Files as they are named. @throws CordonError `configuration` */
export function readFiles(cwd: string, names: readonly string[]): PolicyFile[] {
  return names.map((name) => {
    try {
      return { name, text: readFileSync(path.resolve(cwd, name), 'utf8') };
    } catch (error) {
      throw configurationError(`cannot read ${name}: ${(error as Error).message}`);
    }
  });
}

/** Files as they are named; of a folder everything that a bundle of it would hold. */
export function readSources(cwd: string, names: readonly string[]): PolicyFile[] {
  return names.flatMap((name) => (isFolder(path.resolve(cwd, name)) ? readFolder(cwd, name) : readFiles(cwd, [name])));
}

/**
 * A folder as the content of a bundle: Cedar below `policies/`, grants in YAML below `grants/`, cases below `tests/`,
 * wherever they lie in the folder. Other files stay where they are. @throws CordonError `configuration`
 */
export function readFolder(cwd: string, name: string): PolicyFile[] {
  const root = path.resolve(cwd, name);
  const files = listFiles(root, '')
    .map((file) => ({ file, place: placeOf(file) }))
    .filter((each) => each.place !== null)
    .map(({ file, place }) => ({ name: place ?? '', text: readText(path.join(root, file)) }));
  if (files.length === 0) throw configurationError(`${name} holds no .cedar and no .yaml file`);
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function isTest(name: string): boolean {
  return name.startsWith('tests/') || name.endsWith('.tests.yaml');
}

/** `current`, the number of a generation, a bundle or a folder. @throws CordonError `configuration` */
export function referenceOf(cwd: string, word: string): PolicyReference {
  if (word === 'current') return { current: true };
  if (/^[1-9][0-9]{0,8}$/.test(word)) return { generation: Number(word) };
  const file = path.resolve(cwd, word);
  if (isFolder(file)) return { files: readFolder(cwd, word) };
  if (/\.(cedar|ya?ml)$/.test(word)) {
    const [{ text } = { text: '' }] = readFiles(cwd, [word]);
    return { files: [{ name: placeOf(path.basename(word)) ?? word, text }] };
  }
  return { bundle: readBundle(file).toString('base64') };
}

/** @throws CordonError `configuration` */
export function readBundle(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw configurationError(`cannot read ${file}: ${(error as Error).message}`, 'cordon policy sign DIR');
  }
}

export function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

function placeOf(file: string): string | null {
  const within = file.replace(/^(policies|grants|tests)\//, '').replace(/\.yml$/, '.yaml');
  if (file.endsWith('.cedar')) return `policies/${within}`;
  if (!/\.ya?ml$/.test(file)) return null;
  return isTest(file) ? `tests/${within}` : `grants/${within}`;
}

function listFiles(root: string, below: string): string[] {
  const entries = readdirSync(path.join(root, below), { withFileTypes: true });
  return entries
    .filter((entry) => !entry.name.startsWith('.'))
    .flatMap((entry) => {
      const name = path.posix.join(below, entry.name);
      if (entry.isDirectory()) return listFiles(root, name);
      return entry.isFile() ? [name] : [];
    });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw configurationError(`cannot read ${file}: ${(error as Error).message}`);
  }
}
