import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { collect, type Given, requireHost, start } from './harness.ts';

beforeAll(requireHost);

/** Runs a script and gives its output with the place as it is afterwards, before it is removed. */
async function after<T>(
  script: string,
  given: Omit<Given, 'command'>,
  look: (workspace: string, session: string, stdout: string) => T,
): Promise<T> {
  await using started = await start({ ...given, command: ['/bin/bash', '-c', script] });
  const all = collect(started.sandbox.main);
  await started.sandbox.open();
  const { stdout, stderr } = await all;
  return look(started.place.workspace, started.place.sessionDir, `${stdout}${stderr}`);
}

/** As somebody's project: files of uid 1234 below a folder that only root can walk through. */
function someonesProject(workspace: string): void {
  writeFileSync(path.join(workspace, 'kept'), 'old');
  writeFileSync(path.join(workspace, 'private'), 'mine', { mode: 0o600 });
  mkdirSync(path.join(workspace, 'folder'));
  writeFileSync(path.join(workspace, 'folder/inside'), 'old');
  writeFileSync(path.join(workspace, 'shared'), 'old');
  execFileSync('chown', ['-R', '1234:1234', workspace]);
  chownSync(path.join(workspace, 'shared'), 1234, 33);
  chmodSync(path.dirname(workspace), 0o700);
}

describe('proposal', () => {
  it('leaves the workspace as it was, byte for byte', async () => {
    const script =
      'cat private; echo new > kept; echo new > shared; rm -r folder; echo add > added; mv private renamed; ls; chmod 777 .';
    await after(script, { prepare: someonesProject }, (workspace, session, out) => {
      expect(out).toBe('mineadded\nkept\nrenamed\nshared\n');
      expect(readFileSync(path.join(workspace, 'kept'), 'utf8')).toBe('old');
      expect(readFileSync(path.join(workspace, 'private'), 'utf8')).toBe('mine');
      expect(readFileSync(path.join(workspace, 'folder/inside'), 'utf8')).toBe('old');
      expect(existsSync(path.join(workspace, 'added'))).toBe(false);
      expect(statSync(workspace).mode & 0o777).toBe(0o755);
      expect(readFileSync(path.join(session, 'upper/added'), 'utf8')).toBe('add\n');
      // A whiteout: character device 0:0.
      expect(lstatSync(path.join(session, 'upper/folder')).isCharacterDevice()).toBe(true);
    });
  });

  it('makes no devices, and no whiteouts of its own', async () => {
    const out = await after('mknod w c 0 0; mknod n c 1 3; mkfifo p && echo fifo', {}, (_, __, text) => text);
    expect(out.match(/Operation not permitted/g)).toHaveLength(2);
    expect(out).toContain('fifo');
  });
});

describe('direct', () => {
  it("writes as the workspace's owner, whatever the folders above it allow", async () => {
    const script =
      'cat private; echo new > kept; echo new > shared && chmod 640 shared; echo add > added; mkdir sub; stat -c %u added; touch /proc/self/cwd/../x';
    await after(script, { mode: 'direct', prepare: someonesProject }, (workspace, _, out) => {
      expect(out).toMatch(/^mine1000\n/);
      expect(readFileSync(path.join(workspace, 'kept'), 'utf8')).toBe('new\n');
      for (const name of ['added', 'sub']) expect(statSync(path.join(workspace, name)).uid).toBe(1234);
      // A file of the owner's in a group of others: the owner may write it, and the group stays.
      expect(statSync(path.join(workspace, 'shared'))).toMatchObject({ uid: 1234, gid: 33 });
      expect(readFileSync(path.join(workspace, 'shared'), 'utf8')).toBe('new\n');
    });
  });

  it('cannot touch what belongs to somebody else', async () => {
    const prepare = (workspace: string): void => {
      someonesProject(workspace);
      writeFileSync(path.join(workspace, 'of-root'), 'root', { mode: 0o600 });
      writeFileSync(path.join(workspace, 'suid'), 'x', { mode: 0o755 });
      chownSync(path.join(workspace, 'suid'), 0, 0);
      chmodSync(path.join(workspace, 'suid'), 0o4755);
    };
    const out = await after(
      'cat of-root; echo x > of-root; echo x > suid; stat -c %u of-root suid',
      { mode: 'direct', prepare },
      (_, __, text) => text,
    );
    expect(out.match(/Permission denied|Value too large/g)?.length).toBeGreaterThanOrEqual(3);
    expect(out).toContain('65534\n65534\n');
  });

  it('keeps protected paths that exist, also from being moved away with their folder', async () => {
    const prepare = (workspace: string): void => {
      mkdirSync(path.join(workspace, '.git/hooks'), { recursive: true });
      writeFileSync(path.join(workspace, '.git/hooks/pre-commit'), 'original');
      writeFileSync(path.join(workspace, '.git/config'), 'original');
      writeFileSync(path.join(workspace, '.envrc'), 'original');
      symlinkSync('/etc', path.join(workspace, '.vscode'));
      execFileSync('chown', ['-R', '1234:1234', workspace]);
    };
    const script = `echo x > .git/config; echo x > .envrc; echo x > .git/hooks/pre-commit; echo x > .git/hooks/post-checkout
rm -rf .git/hooks; mv .git moved; mv .envrc moved; ln -f /tmp/x .envrc; rm .envrc; echo fine > .git/index; ls -a .vscode/shadow`;
    const order = { protectedPaths: ['.git/hooks', '.git/config', '.envrc', '.vscode/tasks.json', 'absent/file'] };
    await after(script, { mode: 'direct', prepare, order }, (workspace, _, out) => {
      for (const file of ['.git/hooks/pre-commit', '.git/config', '.envrc']) {
        expect(readFileSync(path.join(workspace, file), 'utf8')).toBe('original');
      }
      expect(existsSync(path.join(workspace, '.git/hooks/post-checkout'))).toBe(false);
      expect(existsSync(path.join(workspace, 'absent'))).toBe(false);
      expect(readFileSync(path.join(workspace, '.git/index'), 'utf8')).toBe('fine\n');
      expect(out).toContain('Device or resource busy');
    });
  });

  it('a swap of the workspace for a link between check and mount is seen', async () => {
    const { Place, driver, specFor } = await import('./harness.ts');
    using place = new Place();
    const spec = specFor(place, { command: ['true'], mode: 'direct' });
    rmSync(place.workspace, { recursive: true });
    symlinkSync('/root', place.workspace);
    await expect(driver().start(spec, new AbortController().signal)).rejects.toMatchObject({ code: 'start-failed' });
  });
});
