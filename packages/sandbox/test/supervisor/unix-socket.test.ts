import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createPrivateFolder, listenOn } from '../../src/supervisor/unix-socket.ts';

const root = mkdtempSync(join(tmpdir(), 'cordon-socket-'));
const modeOf = (path: string): number => statSync(path).mode & 0o777;

afterAll(() => rmSync(root, { recursive: true, force: true }));

it('a socket is its owner’s alone, also in a folder that is open', async () => {
  const path = join(root, 'open.sock');
  const listener = await listenOn(path, (socket) => socket.destroy());
  expect(modeOf(path)).toBe(0o600);
  await listener.close();
});

it('its folder is made ours alone, and no link is taken for one', () => {
  const wide = join(root, 'wide');
  mkdirSync(wide, { mode: 0o755 });
  createPrivateFolder(wide);
  expect(modeOf(wide)).toBe(0o700);
  symlinkSync(wide, join(root, 'link'));
  expect(() => createPrivateFolder(join(root, 'link'))).toThrow(expect.objectContaining({ code: 'folder-unsafe' }));
});
