import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findHierarchy } from '../../src/cgroup/hierarchy.ts';
import { processesInCgroup } from '../../src/supervisor/process-table.ts';
import { collect, driver, type Given, Place, requireHost, sh, specFor, start } from './harness.ts';

beforeAll(requireHost);

/** A small C program of the test's, built into the workspace before the start. */
function program(workspace: string, source: string): void {
  const target = path.join(workspace, 'attack');
  execFileSync('gcc', ['-O1', '-static', '-D_GNU_SOURCE', '-Wno-nonnull', '-x', 'c', '-', '-o', target], {
    input: source,
  });
}

/** What is in the workspace on the host while the sandbox still stands. */
async function afterwards<T>(given: Given, look: (workspace: string, said: string) => T): Promise<T> {
  await using started = await start(given);
  const all = collect(started.sandbox.main);
  await started.sandbox.open();
  const { stdout, stderr } = await all;
  return look(started.place.workspace, `${stdout}${stderr}`);
}

/** Every way in which a mode reaches a file: the file stays on the host, where no `nosuid` covers it. */
const setIdSource = `
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(name, call) do { errno = 0; long r = (call); printf("%s=%s\\n", name, r < 0 ? strerrorname_np(errno) : "ok"); } while (0)
int main(void) {
  umask(0);
  struct open_how how = {.flags = O_CREAT | O_WRONLY, .mode = 06755};
  int fd = open("plain", O_CREAT | O_RDWR, 0755);
  TRY("chmod", chmod("plain", 04755));
  TRY("fchmod", fchmod(fd, 02755));
  TRY("fchmodat", syscall(SYS_fchmodat, AT_FDCWD, "plain", 06755));
  TRY("fchmodat2", syscall(452, AT_FDCWD, "plain", 04755, 0));
  TRY("openat", syscall(SYS_openat, AT_FDCWD, "by-openat", O_CREAT | O_WRONLY, 04755));
  TRY("openat2", syscall(SYS_openat2, AT_FDCWD, "by-openat2", &how, sizeof how));
  TRY("mknodat", syscall(SYS_mknodat, AT_FDCWD, "by-mknodat", S_IFREG | 04755, 0));
  TRY("tmpfile", syscall(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, 04755));
#ifdef SYS_open
  TRY("open", syscall(SYS_open, "by-open", O_CREAT | O_WRONLY, 04755));
  TRY("creat", syscall(SYS_creat, "by-creat", 04755));
  TRY("mknod", syscall(SYS_mknod, "by-mknod", S_IFREG | 04755, 0));
#endif
  TRY("chmod-high", syscall(SYS_fchmodat, AT_FDCWD, "plain", 0x100000000L | 04755));
  /* Without O_CREAT the argument is whatever was in the register. */
  TRY("no-create", syscall(SYS_openat, AT_FDCWD, "plain", O_RDONLY, 06755));
  TRY("ordinary", chmod("plain", 0755));
  return 0;
}
`;

describe('a directly bound workspace', () => {
  it('gets no set-user-ID or set-group-ID file, by any call', async () => {
    for (const seccomp of ['strict', 'compat'] as const) {
      await afterwards(
        {
          command: ['./attack'],
          mode: 'direct',
          order: { seccomp },
          prepare: (workspace) => program(workspace, setIdSource),
        },
        (workspace, said) => {
          expect(said).toContain('no-create=ok');
          expect(said).toContain('ordinary=ok');
          const special = readdirSync(workspace).filter(
            (name) => (statSync(path.join(workspace, name)).mode & 0o6000) !== 0,
          );
          expect(special, said).toEqual([]);
          for (const line of said.split('\n').filter((one) => one !== '' && !/^(no-create|ordinary)=/.test(one))) {
            expect(line).toMatch(/=(EPERM|ENOSYS)$/);
          }
        },
      );
    }
  });
});

/** A daemon of the host that anybody who reaches its socket may speak to. */
describe('sockets of the host', () => {
  const servers: Server[] = [];
  let connections = 0;
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
    connections = 0;
  });

  async function daemon(at: string): Promise<void> {
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(at);
    servers.push(server);
    await new Promise((resolve) => server.once('listening', resolve));
    chmodSync(at, 0o777);
  }
  const connect = (at: string): string[] => [
    'python3',
    '-c',
    `import socket,sys
s=socket.socket(socket.AF_UNIX)
try:
  s.connect(${JSON.stringify(at)}); print('reached')
except OSError as e: print('stopped', e)`,
  ];

  it.each(['direct', 'proposal'] as const)('in a workspace bound as %s are not reached', async (mode) => {
    using place = new Place();
    mkdirSync(path.join(place.workspace, 'deep'));
    await daemon(path.join(place.workspace, 'deep/daemon.sock'));
    const covered = mode === 'direct' ? ['deep/daemon.sock'] : [];
    const spec = { ...specFor(place, { command: connect('deep/daemon.sock'), mode }), covered };
    await using sandbox = await driver().start(spec, new AbortController().signal);
    const all = collect(sandbox.main);
    await sandbox.open();
    const { stdout } = await all;
    expect(stdout).toContain('stopped');
    expect(connections).toBe(0);
  });

  it('in a read-only folder are not reached', async () => {
    using place = new Place();
    const tools = path.join(place.base, 'tools');
    mkdirSync(tools);
    await daemon(path.join(tools, 'daemon.sock'));
    const spec = specFor(place, { command: connect(path.join(tools, 'daemon.sock')), order: { readOnly: [tools] } });
    await using sandbox = await driver().start(spec, new AbortController().signal);
    const all = collect(sandbox.main);
    await sandbox.open();
    const { stdout } = await all;
    expect(stdout).toContain('stopped');
    expect(connections).toBe(0);
  });
});

describe('what the host does when a program crashes', () => {
  it('is nothing: the limit that says so cannot be lowered to the one that a pipe ignores', async () => {
    const { stdout } = await sh(
      'ulimit -c 0; ulimit -Sc 0; grep "core file" /proc/self/limits; ulimit -n 100; ulimit -n',
    );
    expect(stdout).toMatch(/Max core file size\s+1\s+1\s+bytes\s*\n100\n$/);
  });
});

describe('a cgroup that another user named as a session', () => {
  it('does not keep the session from its end', async () => {
    const unified = findHierarchy(true)?.unified ?? '';
    const other = path.join(unified, `cordon-test-${process.pid}`);
    const name = 'ses_01hzzzzzzzzzzzzzzzzzzzzzzz';
    const stranger = spawn('sleep', ['60'], { uid: 54_321, gid: 54_321, stdio: 'ignore' });
    try {
      mkdirSync(path.join(other, name), { recursive: true });
      writeFileSync(path.join(other, name, 'cgroup.procs'), String(stranger.pid));
      expect(processesInCgroup(name, 54_321)).toEqual([stranger.pid]);
      expect(processesInCgroup(name, 1_900_000_001)).toEqual([]);
    } finally {
      stranger.kill('SIGKILL');
      await new Promise((resolve) => stranger.once('exit', resolve));
      for (const folder of [path.join(other, name), other]) rmdirSync(folder);
    }
  });
});
