import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createKeyFile,
  ensureDirectory,
  openLockFile,
  readKeyFile,
  removeFile,
  writeFileAtomic,
} from '../src/index.ts';
import { codeOf, temporary } from './rig.ts';

describe('writeFileAtomic', () => {
  it('replaces a file whole, with its mode, and leaves nothing else behind', async () => {
    const folder = temporary();
    const path = join(folder, 'file');
    writeFileSync(path, 'old', { mode: 0o644 });
    linkSync(path, join(folder, 'other-name'));
    await writeFileAtomic(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'other-name'), 'utf8')).toBe('old');
    await writeFileAtomic(path, Buffer.from([0, 255]), 0o444);
    expect(statSync(path).mode & 0o777).toBe(0o444);
    expect(readdirSync(folder).sort()).toEqual(['file', 'other-name']);
  });

  it('replaces a link and does not write through it', async () => {
    const folder = temporary();
    writeFileSync(join(folder, 'target'), 'untouched');
    symlinkSync(join(folder, 'target'), join(folder, 'link'));
    await writeFileAtomic(join(folder, 'link'), 'new');
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('untouched');
    expect(lstatSync(join(folder, 'link')).isFile()).toBe(true);
  });

  it('leaves the old file and no other when it fails', async () => {
    const folder = temporary();
    mkdirSync(join(folder, 'taken', 'full'), { recursive: true });
    expect(await codeOf(writeFileAtomic(join(folder, 'taken'), 'x'))).toMatch(/EISDIR|ENOTEMPTY/);
    expect(readdirSync(folder)).toEqual(['taken']);
    expect(await codeOf(writeFileAtomic(join(folder, 'none', 'file'), 'x'))).toBe('ENOENT');
  });

  it('is whole whoever wins of many writers', async () => {
    const path = join(temporary(), 'file');
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000));
    await Promise.all(texts.map((text) => writeFileAtomic(path, text)));
    expect(texts).toContain(readFileSync(path, 'utf8'));
  });
});

describe('key files', () => {
  it('are made once and read by their owner', async () => {
    const path = join(temporary(), 'key');
    expect(await codeOf(readKeyFile(path))).toBe('store-missing');
    await createKeyFile(path, 'secret');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(Buffer.from(await readKeyFile(path)).toString()).toBe('secret');
    expect(await codeOf(createKeyFile(path, 'other'))).toBe('store-conflict');
    expect(Buffer.from(await readKeyFile(path)).toString()).toBe('secret');
    await removeFile(path);
    await removeFile(path);
    expect(await codeOf(readKeyFile(path))).toBe('store-missing');
  });

  it('are not read when others could have seen or made them', async () => {
    const folder = temporary();
    const path = join(folder, 'key');
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610]) {
      writeFileSync(path, 'secret');
      chmodSync(path, mode);
      expect(await codeOf(readKeyFile(path)), mode.toString(8)).toBe('store-permission');
    }
    chmodSync(path, 0o600);
    symlinkSync(path, join(folder, 'link'));
    expect(await codeOf(readKeyFile(join(folder, 'link')))).toBe('store-permission');
    mkdirSync(join(folder, 'directory'), { mode: 0o700 });
    expect(await codeOf(readKeyFile(join(folder, 'directory')))).toBe('store-permission');
    writeFileSync(path, Buffer.alloc(100_000));
    expect(await codeOf(readKeyFile(path))).toBe('store-damaged');
  });

  it('are not read when they belong to somebody else', async () => {
    const own = join(temporary(), 'key');
    await createKeyFile(own, 'secret');
    const root = process.getuid?.() === 0;
    // Only root can give a file away; for anyone else, root's files are somebody else's.
    if (root) chownSync(own, 65534, 65534);
    expect(await codeOf(readKeyFile(root ? own : '/etc/passwd'))).toBe('store-permission');
  });
});

describe('ensureDirectory', () => {
  it('makes folders for this user alone, and accepts only such', async () => {
    const folder = temporary();
    const path = join(folder, 'a', 'b');
    await ensureDirectory(path);
    await ensureDirectory(path);
    expect([statSync(path).mode & 0o777, statSync(join(folder, 'a')).mode & 0o777]).toEqual([0o700, 0o700]);
    chmodSync(path, 0o755);
    await expect(ensureDirectory(path)).rejects.toThrow(`with mode 700: chmod 700 ${path}`);
    expect(await codeOf(ensureDirectory(path))).toBe('store-permission');
    await ensureDirectory(path, 0o755);
    rmSync(path, { recursive: true });
    symlinkSync(folder, path);
    expect(await codeOf(ensureDirectory(path))).toBe('store-permission');
    writeFileSync(join(folder, 'file'), '');
    expect(await codeOf(ensureDirectory(join(folder, 'file')))).toMatch(/EEXIST|store-permission/);
  });
});

describe('openLockFile', () => {
  it('is held by one until released', () => {
    const path = join(temporary(), 'lock');
    const lock = openLockFile(path);
    expect(() => openLockFile(path)).toThrow(/held by another/);
    lock.release();
    lock.release();
    openLockFile(path).release();
    expect(() => openLockFile(join(path, 'below'))).toThrow(/cannot be locked/);
  });
});
