import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const cache = path.resolve(import.meta.dirname, '../../.cache/leak');

/** What is installed, as people write it: a name alone, or everything an application lists. */
export const projects: Readonly<Record<string, readonly string[]>> = {
  express: ['express'],
  vite: ['vite'],
  'typescript-eslint': ['typescript', 'eslint', 'typescript-eslint'],
  jest: ['jest'],
  next: ['next', 'react', 'react-dom'],
  application: ['next', 'react', 'react-dom', 'express', 'vite', 'typescript', 'eslint', 'typescript-eslint', 'jest'],
};

export const wheels: readonly string[] = ['flask', 'requests', 'pytest', 'black'];

export interface Fixture {
  /** npm's cache, with everything that the projects ask a registry for. */
  readonly npm: string;
  /** Per project: a folder with package.json and the lockfile that npm wrote. */
  readonly projects: string;
  readonly wheels: string;
  /** A bare repository: this checkout's own history. */
  readonly repository: string;
}

/** Fetched once, by the ordinary clients and outside of any sandbox; nothing of it is committed. */
export function openFixture(): Fixture {
  const fixture = {
    npm: path.join(cache, 'npm'),
    projects: path.join(cache, 'projects'),
    wheels: path.join(cache, 'wheels'),
    repository: path.join(cache, 'app.git'),
  };
  for (const [name, packages] of Object.entries(projects)) {
    const folder = path.join(fixture.projects, name);
    if (existsSync(path.join(folder, 'package-lock.json'))) continue;
    console.error(`fetching ${name}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: `app-${name}`, version: '1.0.0' }));
    // A lockfile as most people have it: with the place of each package.
    const lock = '--no-omit-lockfile-registry-resolved';
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error', '--cache', fixture.npm];
    execFileSync('npm', ['install', lock, ...quiet, ...packages], { cwd: folder, stdio: 'inherit' });
    execFileSync('rm', ['-rf', path.join(folder, 'node_modules')]);
  }
  if (!existsSync(fixture.wheels) || readdirSync(fixture.wheels).length === 0) {
    const args = ['-m', 'pip', 'download', '--quiet', '--dest', fixture.wheels, ...wheels];
    execFileSync('python3', args, { stdio: 'inherit' });
  }
  if (!existsSync(fixture.repository)) {
    const root = path.resolve(import.meta.dirname, '../..');
    execFileSync('git', ['clone', '--quiet', '--bare', '--no-hardlinks', root, fixture.repository]);
  }
  return fixture;
}
