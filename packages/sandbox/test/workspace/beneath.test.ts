import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Beneath } from '../../src/workspace/beneath.ts';
import type { RawPath } from '../../src/workspace/path.ts';

const root = mkdtempSync(join(tmpdir(), 'cordon-beneath-'));
const reached = (folder: string, path: string): boolean => {
  using beneath = new Beneath(folder);
  return beneath.at(path as RawPath, () => true) === true;
};

afterAll(() => rmSync(root, { recursive: true, force: true }));

it('a place below is reached, one behind a link is not', () => {
  mkdirSync(join(root, 'real/inner'), { recursive: true });
  writeFileSync(join(root, 'real/inner/file'), '');
  symlinkSync('real', join(root, 'link'));
  expect(reached(root, 'real/inner/file')).toBe(true);
  expect(reached(root, 'link/inner/file')).toBe(false);
  expect(() => new Beneath(join(root, 'link'))).toThrow(/ELOOP|ENOTDIR/);
});

it('another file system that is mounted below is not entered', () => {
  // On every host: /proc is one, and reached by a path without a link.
  expect(reached('/proc', 'sys/kernel/ostype')).toBe(true);
  expect(reached('/', 'proc/version')).toBe(false);
});
