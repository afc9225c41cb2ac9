import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { EscapeCase } from '../case.ts';
import { escaped } from '../error.ts';
import type { Field } from '../field.ts';
import type { Run } from '../run.ts';

function never(run: Run, word: string, what: string): void {
  if (`${run.stdout}${run.stderr}`.includes(word)) throw escaped(`${what}:\n${run.stdout}${run.stderr}`);
}

function unchanged(field: Field): void {
  if (!field.untouched()) throw escaped('the folder outside was changed');
  if (readFileSync(path.join(field.deployment.workspace, 'kept'), 'utf8') !== 'kept\n')
    throw escaped('the workspace was changed');
}

export const fileCases: readonly EscapeCase[] = [
  {
    name: 'a secret of the host is not readable',
    stop: 'mount namespace, Landlock',
    attack: (field) =>
      `echo tried; cat ${field.outside}/secret ${field.deployment.home}/* /proc/1/root${field.outside}/secret /proc/self/root${field.outside}/secret`,
    judge: (field, run) => never(run, field.secret, 'the secret was read'),
  },
  {
    name: 'nothing outside can be written',
    stop: 'mount namespace, Landlock',
    attack: (field) =>
      `echo tried; mkdir -p ${field.outside} && echo x > ${field.outside}/new; echo x > /usr/new; echo x > /etc/new; echo x >> /etc/passwd`,
    judge: (field) => {
      unchanged(field);
      for (const file of ['/usr/new', '/etc/new']) if (existsSync(file)) throw escaped(`${file} was written`);
      if (readFileSync('/etc/passwd', 'utf8').endsWith('x\n')) throw escaped('/etc/passwd was written');
    },
  },
  {
    name: 'no home, no root, no /sys, no host sockets',
    stop: 'mount namespace',
    attack: () =>
      'echo tried; ls -A /root /home /sys /run /var/lib /boot /srv /opt /media /mnt 2>/dev/null | grep -v "^/" | grep -v "^$"',
    judge: (_field, run) => {
      const shown = run.stdout.split('\n').filter((line) => !['', 'tried', 'agent'].includes(line));
      if (shown.length > 0) throw escaped(`visible: ${shown.join(' ')}`);
    },
  },
  {
    name: 'a link out of the workspace leads nowhere',
    stop: 'mount namespace',
    attack: (field) =>
      `echo tried; ln -s ${field.outside}/secret link; cat link; ln -s / top; cat top${field.outside}/secret; ln ${field.outside}/secret hard`,
    judge: (field, run) => {
      never(run, field.secret, 'the secret was read through a link');
      unchanged(field);
    },
  },
  {
    name: 'a proposal does not change the workspace before it is applied',
    stop: 'overlay',
    attack: () => 'echo tried; echo changed > kept; rm -f probe; mkdir folder; echo x > folder/new; mv kept moved; ls',
    judge: (field) => {
      unchanged(field);
      for (const name of ['folder', 'moved'])
        if (existsSync(path.join(field.deployment.workspace, name))) throw escaped(`${name} is in the workspace`);
    },
  },
  {
    name: 'a directly bound workspace gets no set-user-ID file',
    stop: 'seccomp',
    options: { workspaceMode: 'direct' },
    attack: () =>
      'cp /bin/true tool; chmod 4755 tool; chmod u+s tool; install -m 6755 /bin/true tool2; ./probe set-id-chmod; ./probe set-id-open; ./probe openat2',
    judge: (field) => {
      const { workspace } = field.deployment;
      const found = readdirSync(workspace).filter((name) => (statSync(path.join(workspace, name)).mode & 0o6000) !== 0);
      for (const name of ['tool', 'tool2', 'bit', 'bit2']) rmSync(path.join(workspace, name), { force: true });
      if (found.length > 0) throw escaped(`set-user-ID on the host: ${found.join(' ')}`);
    },
  },
  {
    name: 'the running program cannot be overwritten (CVE-2019-5736)',
    stop: 'read-only, Landlock',
    attack: () => 'echo tried; for p in /proc/[0-9]*; do echo x > $p/exe; done; cp ./probe /proc/1/exe',
    judge: (field, run) => {
      never(run, field.secret, 'unexpected');
      unchanged(field);
    },
  },
  {
    name: 'kernel files that run a program on the host are closed',
    stop: 'no /sys, read-only /proc/sys',
    attack: () =>
      'echo tried; before=$(cat /proc/sys/kernel/core_pattern); for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /sys/kernel/uevent_helper /proc/sys/fs/binfmt_misc/register /proc/sysrq-trigger; do (echo "|/tmp/x" > $f) 2>/dev/null && echo "wrote $f"; done',
    judge: (_field, run) => {
      never(run, 'wrote ', 'a kernel file was written');
      if (readFileSync('/proc/sys/kernel/core_pattern', 'utf8').startsWith('|/tmp/x'))
        throw escaped('core_pattern was changed');
    },
  },
  {
    name: 'cgroup files are out of reach (CVE-2022-0492)',
    stop: 'no /sys, cgroup namespace, no capability',
    attack: () =>
      'echo tried; ls /sys/fs/cgroup 2>/dev/null; mkdir /tmp/c && mount -t cgroup -o memory none /tmp/c && echo mounted; cat /proc/self/cgroup',
    judge: (_field, run) => {
      never(run, 'mounted', 'a cgroup hierarchy was mounted');
      never(run, 'cordon.run', 'the path of the cgroup is visible');
    },
  },
  {
    name: 'devices of the host are not there',
    stop: 'minimal /dev',
    attack: () =>
      'echo tried; ls /dev; for d in /dev/sda /dev/vda /dev/mem /dev/kmem /dev/kvm /dev/fuse /dev/loop0 /dev/net/tun; do [ -e $d ] && echo "there: $d"; done',
    judge: (_field, run) => never(run, 'there: ', 'a device is visible'),
  },
  {
    name: 'a huge sparse file does not fill the host',
    stop: 'size of /tmp, disk limit',
    attack: () => 'echo tried; head -c 10G /dev/zero > /tmp/full 2>/dev/null; stat -c %s /tmp/full',
    judge: (_field, run) => {
      const size = Number(/^\d+$/m.exec(run.stdout)?.[0] ?? Number.NaN);
      if (!(size < 10 * 2 ** 30)) throw escaped(`wrote ${size} bytes`);
    },
    options: { resources: { memoryBytes: 512 * 2 ** 20 } },
    needsCgroups: true,
  },
  {
    name: 'the session’s own record cannot be found',
    stop: 'mount namespace',
    attack: (field) =>
      `echo tried; find / -xdev \\( -name "*.journal" -o -name "cordon.db" -o -name "manifest.json" -o -name "*.sock" \\) -not -path "/proc/*" -not -path "/usr/*" 2>/dev/null; ls ${field.deployment.home}`,
    judge: (_field, run) => {
      const found = run.stdout.split('\n').filter((line) => !['', 'tried'].includes(line));
      if (found.length > 0) throw escaped(`found ${found.join(' ')}`);
    },
  },
  {
    name: 'protected files are a named proposal, even when they did not exist (CVE-2026-25725)',
    stop: 'proposal',
    attack: () =>
      'echo tried; mkdir -p .git/hooks .vscode && echo "#!/bin/sh" > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit && echo "{}" > .vscode/tasks.json; echo "x" > .envrc',
    judge: async (field, run) => {
      for (const name of ['.git', '.vscode', '.envrc']) {
        if (existsSync(path.join(field.deployment.workspace, name))) throw escaped(`${name} reached the workspace`);
      }
      const session = field.deployment.api.sessions.handle(run.session);
      const { applied } = await session.apply();
      if (/pre-commit|tasks\.json|envrc/.test(applied.join('\n')))
        throw escaped(`apply took protected files without their names: ${applied.join(' ')}`);
      for (const name of ['.git/hooks/pre-commit', '.vscode/tasks.json', '.envrc']) {
        if (existsSync(path.join(field.deployment.workspace, name))) throw escaped(`${name} was applied unnamed`);
      }
      await session.discard();
    },
  },
];
