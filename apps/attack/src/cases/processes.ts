import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type EscapeCase, probe } from '../case.ts';
import { escaped } from '../error.ts';

const gone = ['ESRCH', 'EPERM', 'ENOSYS', 'EACCES', 'killed'] as const;

export const processCases: readonly EscapeCase[] = [
  probe('signal', 'PID namespace', gone, (field) => String(field.victim)),
  probe('ptrace', 'seccomp, PID namespace', gone, (field) => String(field.victim)),
  probe('process-vm', 'seccomp, PID namespace', gone, (field) => String(field.victim)),
  probe('pidfd-getfd', 'seccomp', gone),
  probe('descriptors', 'launcher closes all descriptors (CVE-2024-21626)', ['ok']),
  probe('abstract', 'network namespace, Landlock scope', ['ECONNREFUSED', 'EPERM'], (field) => field.abstractName),
  probe(
    'path-socket',
    'mount namespace',
    ['ENOENT', 'EACCES', 'ECONNREFUSED'],
    (field) => `${field.outside}/daemon.sock`,
  ),
  probe('path-socket', 'mount namespace', ['ENOENT', 'EACCES'], (field) => `${field.deployment.runtime}/api.sock`),
  {
    ...probe('path-socket', 'sockets hidden', ['ECONNREFUSED'], () => 'daemon.sock'),
    name: 'a socket of the host in a directly bound workspace',
    options: { workspaceMode: 'direct' },
  },
  {
    ...probe('path-socket', 'overlay', ['ECONNREFUSED'], () => 'daemon.sock'),
    name: 'a socket of the host in the workspace of a proposal',
  },
  {
    name: 'a crash starts nothing on the host',
    stop: 'RLIMIT_CORE 1, seccomp',
    attack: () => './probe core-limit',
    judge: (_field, run) => {
      if (!/^tried core-limit ok 1$/m.test(run.stdout)) throw escaped(run.stdout);
    },
  },
  {
    name: 'no descriptor beyond stdio is open',
    stop: 'launcher closes all descriptors (CVE-2024-21626)',
    attack: () => './probe descriptors',
    judge: (_field, run) => {
      if (!/^tried descriptors ok 0$/m.test(run.stdout)) throw escaped(`open descriptors: ${run.stdout}`);
    },
  },
  {
    name: 'the process table shows nothing of ours',
    stop: 'second PID namespace',
    attack: () =>
      'echo tried; for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done; ls -d /proc/[0-9]* | wc -l',
    judge: (field, run) => {
      for (const word of ['bwrap', 'cordond', 'supervisor', 'gateway', field.deployment.home]) {
        if (run.stdout.includes(word)) throw escaped(`the agent sees ${word}:\n${run.stdout}`);
      }
    },
  },
  {
    name: 'the first process cannot be read or killed',
    stop: 'second PID namespace, no capability',
    attack: () =>
      'echo tried; cat /proc/1/environ 2>&1 | tr "\\0" "\\n"; kill -9 1; kill -STOP 1; sleep 0.1; echo alive',
    judge: (_field, run) => {
      if (!run.stdout.includes('alive') || run.status !== 0)
        throw escaped(`killed its own init: ${run.status} ${run.stdout}${run.stderr}`);
    },
  },
  {
    name: 'daemons do not survive the end of the session',
    stop: 'PID namespace, cgroup kill',
    attack: (field) =>
      `echo tried; for i in 1 2 3 4 5; do (trap "" TERM HUP INT; setsid sh -c 'trap "" TERM HUP INT; sleep 300 # ${field.secret}' &) ; done; sleep 0.2`,
    judge: async (field) => {
      const survivors = (): number[] =>
        field.deployment.processes().filter((pid) => commandLine(pid).includes(field.secret));
      for (let tries = 0; survivors().length > 0 && tries < 100; tries++) await pause(50);
      const left = survivors();
      if (left.length > 0) throw escaped(`these survived: ${left.join(' ')}`);
    },
  },
  {
    name: 'a fork bomb stops at its limit and a neighbour goes on',
    stop: 'cgroup pids',
    options: { resources: { pidsMax: 64 } },
    needsCgroups: true,
    attack: () => 'echo tried; bomb() { bomb | bomb & }; (bomb) 2>/dev/null; sleep 1; echo end',
    judge: async (field) => {
      const neighbour = await field.attack('echo fine');
      if (neighbour.stdout !== 'fine\n') throw escaped(`the neighbour said ${neighbour.stdout}${neighbour.stderr}`);
    },
  },
  {
    name: 'memory stops at its limit',
    stop: 'cgroup memory',
    options: { resources: { memoryBytes: 64 * 2 ** 20 } },
    needsCgroups: true,
    attack: () => 'echo tried; head -c 400000000 /dev/zero | tail | wc -c; echo survived $?',
    judge: (_field, run) => {
      if (run.stdout.includes('400000000')) throw escaped('400 MB were held under a limit of 64 MB');
    },
  },
  {
    name: 'no secret of the caller’s environment is inside',
    stop: 'environment made anew',
    attack: () => 'echo tried; env',
    judge: (field, run) => {
      for (const word of ['CORDON_HOME', 'CORDON_RUNTIME', 'NODE_CHANNEL', field.deployment.home]) {
        if (run.stdout.includes(word)) throw escaped(`the environment holds ${word}`);
      }
    },
  },
  {
    name: 'set-uid programs give nothing',
    stop: 'no_new_privs, own root',
    attack: () =>
      'echo tried; grep -E "NoNewPrivs|CapEff|CapPrm|CapBnd" /proc/self/status; find / -xdev -perm -4000 -exec {} -c id \\; 2>/dev/null | grep "uid=0" ',
    judge: (_field, run) => {
      if (!/NoNewPrivs:\s+1/.test(run.stdout)) throw escaped(run.stdout);
      for (const set of ['CapEff', 'CapPrm', 'CapBnd']) {
        if (!new RegExp(`${set}:\\s+0+$`, 'm').test(run.stdout)) throw escaped(`${set} is not empty:\n${run.stdout}`);
      }
      if (run.stdout.includes('uid=0')) throw escaped('a set-uid program became root');
    },
  },
  {
    name: 'a signal to everything stays inside',
    stop: 'PID namespace',
    attack: () => 'echo tried; ./probe kill-all; sleep 5; echo still',
    judge: async (field) => {
      const next = await field.attack('echo fine');
      if (next.stdout !== 'fine\n') throw escaped(`the next session said ${next.stdout}${next.stderr}`);
    },
  },
  {
    name: 'the ssh-agent, Docker and D-Bus of the host',
    stop: 'mount namespace, environment made anew',
    attack: () =>
      'echo tried; echo "agent=$SSH_AUTH_SOCK bus=$DBUS_SESSION_BUS_ADDRESS"; for s in "$SSH_AUTH_SOCK" /var/run/docker.sock /run/docker.sock /run/dbus/system_bus_socket /run/containerd/containerd.sock /run/user/*/bus; do [ -S "$s" ] && echo "there: $s"; done',
    judge: (_field, run) => {
      if (run.stdout.includes('there: ')) throw escaped(run.stdout);
      if (!/^agent= bus=$/m.test(run.stdout)) throw escaped(`the agent was told of a socket: ${run.stdout}`);
    },
  },
  {
    name: 'a program under another name, or started by the loader, meets the same walls',
    stop: 'seccomp and Landlock follow the process, not the name',
    attack: (field) =>
      `echo tried; cp probe git; ./git unshare-user; cp probe /tmp/x; /tmp/x mount; for l in /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.*; do [ -e $l ] && $l /bin/cat ${field.outside}/secret; [ -e $l ] && $l /usr/bin/unshare -U id; done`,
    judge: (field, run) => {
      if (run.stdout.includes(field.secret)) throw escaped('the secret was read');
      if (run.stdout.includes('uid=')) throw escaped('a user namespace was made');
      for (const name of ['unshare-user', 'mount'])
        if (!new RegExp(`^tried ${name} (EPERM|EACCES|ENOSYS)$`, 'm').test(run.stdout))
          throw escaped(`${name} under another name: ${run.stdout}`);
    },
  },
];

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
