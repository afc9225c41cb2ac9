import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Change } from '@cordon/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildLaunch, Fixture } from './support.ts';

beforeAll(buildLaunch);

const isRoot = process.getuid?.() === 0;

function find(changes: readonly Change[], path: string, kind?: Change['kind']): Change {
  const found = changes.find((change) => change.path === path && (kind === undefined || change.kind === kind));
  if (found === undefined)
    throw new Error(`no change of ${path} among ${changes.map((c) => `${c.kind} ${c.path}`).join(', ')}`);
  return found;
}

function sha(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

describe('reading a proposal', () => {
  test('what was created, changed, deleted and made executable, with digests and diffs', async () => {
    using f = new Fixture({ 'a.txt': 'one\ntwo\n', 'gone.txt': 'x\n', 'run.sh': '#!\n', 'same.txt': 'same' });
    f.agent('echo three >> a.txt; rm gone.txt; chmod 755 run.sh; mkdir new; echo n > new/n; touch same.txt');
    const changes = await f.changes();
    expect(changes.map((change) => `${change.kind} ${change.path}`)).toEqual([
      'modify a.txt',
      'delete gone.txt',
      'directory new',
      'create new/n',
      'mode run.sh',
    ]);
    expect(find(changes, 'a.txt')).toMatchObject({
      before: sha('one\ntwo\n'),
      after: sha('one\ntwo\nthree\n'),
      bytes: 14,
    });
    expect(find(changes, 'a.txt').diff).toContain('+three');
    expect(find(changes, 'gone.txt').diff).toContain('-x');
    expect(find(changes, 'run.sh').mode).toBe(0o755);
  });

  test('an opaque folder deletes each thing that it hides, and only that', async () => {
    using f = new Fixture({ 'd/old': '1', 'd/deep/er': '2', 'd/kept': '3' });
    f.agent('rm -rf d; mkdir d; echo 4 > d/new; printf 3 > d/kept');
    const changes = await f.changes();
    expect(changes.map((change) => `${change.kind} ${change.path}`)).toEqual([
      'delete d/deep',
      'delete d/deep/er',
      'create d/new',
      'delete d/old',
    ]);
  });

  test('a renamed folder is its deletion and its creation', async () => {
    using f = new Fixture({ 'from/x/y': '1' });
    f.agent('mv from to');
    const kinds = (await f.changes()).map((change) => `${change.kind} ${change.path}`);
    expect(kinds).toEqual([
      'delete from',
      'delete from/x',
      'delete from/x/y',
      'directory to',
      'directory to/x',
      'create to/x/y',
    ]);
  });

  test('a whiteout for a name that the host never had changes nothing', async () => {
    using f = new Fixture({ a: '1' });
    f.agent('echo x > b; rm b');
    execFileSync('mknod', [join(f.upper, 'forged'), 'c', '0', '0']);
    expect(await f.changes()).toEqual([]);
  });

  test('a forged whiteout is the deletion that it makes, shown like any other', async () => {
    using f = new Fixture({ precious: 'keep me' });
    execFileSync('mknod', [join(f.upper, 'precious'), 'c', '0', '0']);
    expect(find(await f.changes(), 'precious')).toMatchObject({ kind: 'delete', before: sha('keep me') });
  });

  test.each([
    ['fifo', 'mkfifo s', 'special file (fifo)'],
    [
      'socket',
      `perl -e 'use IO::Socket::UNIX; IO::Socket::UNIX->new(Local => "s", Listen => 1)'`,
      'special file (socket)',
    ],
    // In a user namespace nobody can make a device node, so there is none to refuse.
    ...(isRoot
      ? [
          ['character device', 'mknod s c 1 3', 'special file (device)'],
          ['block device', 'mknod s b 7 0', 'special file (device)'],
        ]
      : []),
    ['set-uid file', 'echo x > s; chmod 4755 s', 'set-user-ID'],
    ['set-gid file', 'echo x > s; chmod 2755 s', 'set-user-ID'],
    ['absolute symlink', 'ln -s /etc/passwd s', 'outside the workspace'],
    ['climbing symlink', 'ln -s ../x s', 'outside the workspace'],
    ['symlink that climbs after it descended', 'ln -s d/../../x s', 'climbs after it descended'],
  ])('%s is refused, and the host gets nothing of it', async (_name, script = '', why = '') => {
    using f = new Fixture({ other: '1' });
    f.agent(`${script}; echo 2 > other`);
    expect(find(await f.changes(), 's').refused).toContain(why);
    const { applied, refused } = await f.apply();
    expect(applied).toEqual(['other']);
    expect(refused.map((one) => one.path)).toEqual(['s']);
    expect(existsSync(join(f.workspace, 's'))).toBe(false);
    expect(readFileSync(join(f.workspace, 'other'), 'utf8')).toBe('2\n');
  });

  test('nothing staged is left where a file would come for a folder that stays', async () => {
    using f = new Fixture({ 'd/.git/hooks/pre-commit': '#!/bin/sh\n', 'd/x': '1' });
    f.agent('rm -rf d; echo new > d');
    const { refused } = await f.apply();
    expect(refused.map((one) => one.path)).toContain('d');
    expect(readdirSync(f.workspace)).toEqual(['d']);
    expect(existsSync(join(f.workspace, 'd/.git/hooks/pre-commit'))).toBe(true);
  });

  test('a name of staged content is refused, so that it can stop no later apply', async () => {
    using f = new Fixture({ other: '1' });
    f.agent('echo x > .cordon-ses_test-0; mkdir d; echo y > d/.cordon-ses_test-1; echo 2 > other');
    const { applied, refused } = await f.apply();
    expect(applied).toEqual(['other', 'd']);
    expect(refused.map((one) => one.path).sort()).toEqual(['.cordon-ses_test-0', 'd/.cordon-ses_test-1']);
    f.agent('echo 3 > other');
    expect((await f.apply()).applied).toEqual(['other']);
  });

  test('symlinks that stay inside are applied, by a real path and by climbing first', async () => {
    using f = new Fixture({ 'a/b/c': '1', top: '2' });
    f.agent(`ln -s c a/b/near; ln -s ../../top a/b/up; ln -s '${f.workspace}/top' abs`);
    expect((await f.apply()).refused).toEqual([]);
    expect(readlinkSync(join(f.workspace, 'a/b/up'))).toBe('../../top');
    expect(readFileSync(join(f.workspace, 'a/b/near'), 'utf8')).toBe('1');
  });

  test('a hard link to something outside the upper layer is refused; links inside are copied', async () => {
    using f = new Fixture();
    f.agent('echo x > one; ln one two');
    execFileSync('ln', [join(f.root, 'began'), join(f.upper, 'out')]);
    const changes = await f.changes();
    expect(find(changes, 'out').refused).toContain('hard link');
    expect(find(changes, 'one').refused).toBeNull();
    await f.apply();
    expect(existsSync(join(f.workspace, 'out'))).toBe(false);
    expect(lstatSync(join(f.workspace, 'two')).nlink).toBe(1);
  });

  test('an overlay redirect or metacopy mark is refused', async () => {
    using f = new Fixture({ 'd/f': '1' });
    f.agent('echo 2 > d/f');
    const prefix = isRoot ? 'trusted' : 'user';
    setXattr(join(f.upper, 'd'), `${prefix}.overlay.redirect`, '/etc');
    setXattr(join(f.upper, 'd/f'), `${prefix}.overlay.metacopy`, '');
    const changes = await f.changes();
    expect(find(changes, 'd').refused).toContain('redirect');
    expect(find(changes, 'd/f').refused).toContain('redirect');
  });

  test('names with newlines, controls, backslashes and bytes that are no UTF-8 come out reversibly', async () => {
    using f = new Fixture();
    const long = 'n'.repeat(255);
    f.agent(
      `for n in "$(printf 'a\\nb')" "$(printf 'esc\\033[2J')" "$(printf 'bad\\377\\376')" 'back\\x41' 'ünï' "$(printf 'rtl\\342\\200\\256gpj')" ${long}; do printf "%s" "$n" > "$n"; done`,
    );
    const paths = (await f.changes()).map((change) => change.path).sort();
    expect(paths).toEqual(
      ['a\\x0ab', 'esc\\x1b[2J', 'bad\\xff\\xfe', 'back\\x5cx41', 'ünï', 'rtl\\xe2\\x80\\xaegpj', long].sort(),
    );
    const { applied, refused } = await f.apply(['a\\x0ab', 'bad\\xff\\xfe', 'back\\x5cx41']);
    expect(refused).toEqual([]);
    expect(applied.sort()).toEqual(['a\\x0ab', 'bad\\xff\\xfe', 'back\\x5cx41'].sort());
    expect(readFileSync(join(f.workspace, 'back\\x41'), 'utf8')).toBe('back\\x41');
    expect(existsSync(join(f.workspace, 'ünï'))).toBe(false);
  });

  test('a tree deeper than the bound is told as such and not entered; removal still takes all of it', async () => {
    using f = new Fixture();
    f.agent(`i=0; while [ $i -lt 140 ]; do mkdir d; cd d; i=$((i+1)); done; echo x > end`);
    const changes = await f.changes();
    expect(changes.at(-1)?.refused).toContain('nested too deeply');
    expect(changes.some((change) => change.path.endsWith('end'))).toBe(false);
  });

  test('a proposal larger than one answer folds new folders, and keeps protected and refused parts apart', async () => {
    using f = new Fixture();
    const name = 'x'.repeat(200);
    f.agent(
      `mkdir -p big/.git/hooks; for i in $(seq 1 9000); do : > big/${name}$i; done; echo e > big/.git/hooks/h; ln -s /etc big/l`,
    );
    const changes = await f.changes();
    expect(changes.length).toBeLessThan(10);
    expect(changes.map((change) => change.path)).toEqual(['big', 'big/.git/hooks', 'big/.git/hooks/h', 'big/l']);
    const outcome = await f.apply(['big']);
    expect(outcome.applied.at(-1)).toMatch(/^… and \d+ more$/);
    expect(readdirSync(join(f.workspace, 'big')).length).toBe(9001);
    expect(changes[0]?.after).toMatch(/^tree:9002 files sha256:[0-9a-f]{64}$/);
    // Nine thousand files, each staged and renamed: on a machine with much else to do they take long.
  }, 120_000);
});

describe('protected paths', () => {
  test.each([
    ['.git/hooks/pre-commit'],
    ['deep/sub/.git/config'],
    ['.GIT/hooks/x'],
    ['.vscode/tasks.json'],
    ['.envrc'],
    ['.claude/settings.json'],
    ['.mcp.json'],
    ['pkg/.npmrc'],
    ['.husky/_/husky.sh'],
    ['my.code-workspace'],
  ])('%s is applied only when it is named', async (path) => {
    using f = new Fixture();
    f.agent(`mkdir -p "$(dirname '${path}')"; echo evil > '${path}'; echo fine > ok`);
    expect(find(await f.changes(), path).protected).toBe(true);
    const first = await f.apply();
    expect(first.refused.map((one) => one.path)).toContain(path);
    expect(existsSync(join(f.workspace, path))).toBe(false);
    const folders = (await f.changes()).filter((change) => change.protected).map((change) => change.path);
    expect((await f.apply(null, folders)).refused).toEqual([]);
    expect(readFileSync(join(f.workspace, path), 'utf8')).toBe('evil\n');
  });

  test('a literal path of the order is protected too; its namesake elsewhere is not', async () => {
    using f = new Fixture();
    f.extraProtected = ['tools/run'];
    f.agent('mkdir -p tools/run other/tools/run; echo x > tools/run/a; echo x > other/tools/run/a');
    const changes = await f.changes();
    expect(find(changes, 'tools/run/a').protected).toBe(true);
    expect(find(changes, 'other/tools/run/a').protected).toBe(false);
  });

  test('a bare repository in the tree, and a .git file, are traps', async () => {
    using f = new Fixture();
    f.agent(
      'mkdir -p bare/objects bare/refs bare/hooks sub; echo ref > bare/HEAD; echo evil > bare/config; echo e > bare/hooks/h; echo "gitdir: ../bare" > sub/.git; mkdir app; echo fine > app/config',
    );
    const changes = await f.changes();
    for (const path of ['bare/config', 'bare/hooks/h', 'bare/HEAD', 'sub/.git'])
      expect(find(changes, path).protected, path).toBe(true);
    expect(find(changes, 'app/config').protected).toBe(false);
  });

  test('deleting a folder that holds a protected file needs that file named', async () => {
    using f = new Fixture({ '.git/hooks/pre-push': 'mine', '.git/HEAD': 'ref' });
    f.agent('rm -rf .git');
    await f.apply();
    expect(readFileSync(join(f.workspace, '.git/hooks/pre-push'), 'utf8')).toBe('mine');
    expect(existsSync(join(f.workspace, '.git/HEAD'))).toBe(false);
  });
});

describe('applying', () => {
  test('what was chosen and nothing else, with the workspace owner’s identity', async () => {
    using f = new Fixture({ a: '1', 'd/x': '1' });
    if (isRoot) execFileSync('chown', ['-R', '4321:4321', f.workspace]);
    f.begin();
    f.agent('echo 2 > a; echo 2 > d/x; echo 2 > d/y; echo 2 > b');
    expect((await f.apply(['d'])).applied.sort()).toEqual(['d/x', 'd/y']);
    expect(readFileSync(join(f.workspace, 'a'), 'utf8')).toBe('1');
    expect(existsSync(join(f.workspace, 'b'))).toBe(false);
    expect(lstatSync(join(f.workspace, 'd/y')).uid).toBe(lstatSync(f.workspace).uid);
    expect((await f.changes()).map((change) => change.path)).toEqual(['a', 'b']);
  });

  test('a file becomes a folder and a folder a file', async () => {
    using f = new Fixture({ file: '1', 'folder/x': '1' });
    f.agent('rm -r file folder; mkdir file; echo in > file/in; echo now > folder');
    expect((await f.apply()).refused).toEqual([]);
    expect(readFileSync(join(f.workspace, 'file/in'), 'utf8')).toBe('in\n');
    expect(readFileSync(join(f.workspace, 'folder'), 'utf8')).toBe('now\n');
    expect(leftovers(f)).toEqual([]);
  });

  test('what the host changed since the session began is refused, not overwritten; the rest is applied', async () => {
    using f = new Fixture({ a: '1', b: '1', gone: '1' });
    f.agent('echo agent > a; echo agent > b; rm gone; echo agent > fresh');
    f.write('a', 'host');
    f.write('fresh', 'host');
    f.write('gone', 'host');
    const { applied, refused } = await f.apply();
    expect(applied).toEqual(['b']);
    expect(refused.map((one) => one.path).sort()).toEqual(['a', 'fresh', 'gone']);
    expect(['a', 'fresh', 'gone'].map((name) => readFileSync(join(f.workspace, name), 'utf8'))).toEqual([
      'host',
      'host',
      'host',
    ]);
  });

  test('what an earlier apply wrote is no conflict for the next one', async () => {
    using f = new Fixture({ a: '1' });
    f.agent('echo 2 > a');
    await f.apply();
    f.agent('echo 3 > a');
    expect(await f.apply()).toEqual({ applied: ['a'], refused: [] });
    f.agent('echo 4 > a');
    f.write('a', 'host again');
    expect((await f.apply()).refused.map((one) => one.path)).toEqual(['a']);
  });

  test('what was not shown, or changed after it was shown, is refused until it is looked at again', async () => {
    using f = new Fixture({ a: '1' });
    f.agent('echo 2 > a');
    await f.changes();
    f.agent('echo evil > a; echo evil > b');
    expect((await f.apply()).refused.map((one) => one.path)).toEqual(['a', 'b']);
    await f.changes();
    expect((await f.apply()).applied.sort()).toEqual(['a', 'b']);
  });

  test('a running session is applied only after a look', async () => {
    using f = new Fixture({ a: '1' });
    f.agent('echo 2 > a');
    await expect(f.apply(null, [], true)).rejects.toThrow('look at its changes first');
    await f.changes();
    expect((await f.apply(null, [], true)).applied).toEqual(['a']);
  });

  test('a folder of the host that became a symlink leads nowhere', async () => {
    using f = new Fixture({ 'd/x': '1', 'outside-the-plan': '' });
    f.agent('echo evil > d/x; echo evil > d/new; mkdir d/sub; echo evil > d/sub/f');
    const target = join(f.root, 'target');
    mkdirSync(target);
    writeFileSync(join(target, 'x'), 'safe');
    execFileSync('rm', ['-r', join(f.workspace, 'd')]);
    symlinkSync(target, join(f.workspace, 'd'));
    const { applied } = await f.apply();
    expect(applied).toEqual([]);
    expect(execFileSync('ls', [target]).toString()).toBe('x\n');
    expect(readFileSync(join(target, 'x'), 'utf8')).toBe('safe');
  });

  test('a symlink swapped in again and again while an apply runs never redirects a write', {
    timeout: 30_000,
  }, async () => {
    using f = new Fixture();
    const target = join(f.root, 'target');
    mkdirSync(target);
    for (let i = 0; i < 40; i++) f.write(`d/f${i}`, 'old');
    f.begin();
    f.agent('for i in $(seq 0 39); do echo new > d/f$i; mkdir -p d/s$i; echo new > d/s$i/f; done');
    const swapper = `import os,sys
d=sys.argv[1]; t=sys.argv[2]
while True:
    try:
        os.rename(d, d+'.real'); os.symlink(t, d); os.unlink(d); os.rename(d+'.real', d)
    except OSError: pass
`;
    const { spawn } = await import('node:child_process');
    const race = spawn('python3', ['-c', swapper, join(f.workspace, 'd'), target], { stdio: 'ignore' });
    try {
      for (let round = 0; round < 15; round++) await f.apply().catch(() => undefined);
    } finally {
      race.kill('SIGKILL');
      await new Promise((resolve) => race.on('exit', resolve));
    }
    expect(execFileSync('ls', ['-A', target]).toString()).toBe('');
  });

  test('a workspace that somebody replaced by a link since is not followed', async () => {
    using f = new Fixture();
    const target = join(f.root, 'target');
    mkdirSync(target);
    f.write('a', 'old');
    f.begin();
    f.agent('echo new > a; mkdir -p cron.d; echo evil > cron.d/evil');
    await f.changes();
    renameSync(f.workspace, `${f.workspace}.real`);
    symlinkSync(target, f.workspace);
    await expect(f.apply()).rejects.toMatchObject({ code: expect.stringMatching(/ELOOP|ENOTDIR/) as string });
    expect(execFileSync('ls', ['-A', target]).toString()).toBe('');
    expect(readFileSync(join(`${f.workspace}.real`, 'a'), 'utf8')).toBe('old');
  });

  test('a disk that fills up while it is prepared leaves everything as it was', async () => {
    using f = new Fixture();
    // A small file system as workspace: staging hits its end.
    const script = `
      mount -t tmpfs -o size=1m tmpfs "${f.workspace}"
      echo old > "${f.workspace}/a"
      echo new > "${f.upper}/a"
      head -c 3000000 /dev/urandom > "${f.upper}/z-big"
      mkdir -p "${f.upper}/m/n"
      node --conditions=cordon-source "${import.meta.dirname}/apply-once.ts" "${f.workspace}" "${f.sessionDir}" || true
      cat "${f.workspace}/a"; ls -A "${f.workspace}"`;
    const out = execFileSync('unshare', [isRoot ? '-m' : '-rm', 'sh', '-ec', script], {
      env: { PATH: `${join(process.execPath, '..')}:${process.env.PATH}` },
    }).toString();
    expect(out).toContain('nothing was applied');
    expect(out.slice(out.indexOf('\n') + 1)).toBe('old\na\n');
  });

  test('an apply that was killed half-way is undone by the next look', async () => {
    using f = new Fixture({ file: 'precious', keep: '1' });
    f.agent('rm file; mkdir file; echo x > file/x');
    // As a SIGKILL after staging leaves it: set aside, folder made, temporary files about.
    writeFileSync(
      join(f.sessionDir, 'applying.json'),
      JSON.stringify({ prefix: '.cordon-ses_test-', folders: [''], trash: [['file', '.cordon-ses_test-0']] }),
    );
    execFileSync('mv', [join(f.workspace, 'file'), join(f.workspace, '.cordon-ses_test-0')]);
    mkdirSync(join(f.workspace, 'file'));
    f.write('.cordon-ses_test-1', 'half');
    await f.changes();
    expect(readFileSync(join(f.workspace, 'file'), 'utf8')).toBe('precious');
    expect(leftovers(f)).toEqual([]);
  });

  test('sparse files stay sparse', async () => {
    using f = new Fixture();
    f.agent('truncate -s 40M hole; printf end >> hole');
    expect((await f.apply()).applied).toEqual(['hole']);
    const info = lstatSync(join(f.workspace, 'hole'));
    expect(info.size).toBe(40 * 1024 * 1024 + 3);
    expect(info.blocks * 512).toBeLessThan(4 * 1024 * 1024);
  });

  test('modes come along, special bits do not; a folder may become read-only', async () => {
    using f = new Fixture({ 'd/x': '1' });
    chmodSync(join(f.workspace, 'd'), 0o755);
    f.begin();
    f.agent('mkdir -m 1777 t; mkdir ro; echo x > ro/x; chmod 555 ro; echo s > s; chmod 750 s');
    expect((await f.apply()).refused).toEqual([]);
    const mode = (name: string): number => lstatSync(join(f.workspace, name)).mode & 0o7777;
    expect([mode('t'), mode('ro'), mode('s')]).toEqual([0o777, 0o555, 0o750]);
  });
});

function leftovers(f: Fixture): string[] {
  return execFileSync('find', [f.workspace, '-name', '.cordon-*']).toString().split('\n').filter(Boolean);
}

function setXattr(path: string, name: string, value: string): void {
  execFileSync('python3', [
    '-c',
    'import os,sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())',
    path,
    name,
    value,
  ]);
}
