import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect, driver, launchBinary, Place, requireHost, run, sh, specFor, start } from './harness.ts';

const outside = mkdtempSync('/var/tmp/cordon-outside-');
beforeAll(() => {
  requireHost();
  writeFileSync(path.join(outside, 'secret'), 'a secret of the host');
});
afterAll(() => rmSync(outside, { recursive: true, force: true }));

describe('who the agent is', () => {
  it('has its own uid on the host, none of the capabilities, and no way to get some', async () => {
    await using started = await start({ command: ['sleep', '1000'] });
    await started.sandbox.open();
    const seen = execFileSync('ps', ['-o', 'uid=,comm=', '-u', String(started.sandbox.report.uid)], {
      encoding: 'utf8',
    });
    expect(seen).toMatch(new RegExp(`${started.sandbox.report.uid} sleep`));
    const { stdout } = await sh('grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)" /proc/self/status; ulimit -c');
    expect(stdout).toMatch(/Uid:\s1000\s1000\s1000\s1000/);
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) expect(stdout).toMatch(new RegExp(`Cap${set}:\\s0{16}\n`));
    expect(stdout).toMatch(/NoNewPrivs:\s1\nSeccomp:\s2\n/);
    expect(stdout.trim().endsWith('\n0')).toBe(true);
  });

  it('gains nothing from a set-uid program', async () => {
    const { stdout } = await sh('./id -u; su -c id root </dev/null; echo "su $?"', {
      prepare: (workspace) => {
        copyFileSync('/usr/bin/id', path.join(workspace, 'id'));
        chmodSync(path.join(workspace, 'id'), 0o4755);
      },
    });
    expect(stdout).toMatch(/^1000\n/);
    expect(stdout).not.toContain('uid=0');
  });

  it('inherits neither umask nor priority nor directory of the supervisor', async () => {
    const before = { mask: process.umask(0o077), priority: os.getPriority() };
    os.setPriority(-5);
    const { stdout } = await sh('umask; nice; pwd; ls -ld /etc/passwd /etc/cordon/ca.pem | cut -c1-10').finally(() => {
      process.umask(before.mask);
      os.setPriority(before.priority);
    });
    expect(stdout).toMatch(/^0022\n0\n\/var\/tmp\/.*\n-rw-r--r--\n-rw-r--r--\n$/);
  });

  it('holds no descriptor of ours', async () => {
    const { stdout } = await sh(
      'for n in $(seq 3 200); do readlink /proc/self/fd/$n; readlink /proc/$$/fd/$n; done; true',
    );
    expect(stdout).toBe('');
  });

  it('sees its own processes only, and can neither read nor stop the first one', async () => {
    const script = `ls -d /proc/[0-9]* | wc -l; kill -9 1; kill -0 1 && echo alive
cat /proc/1/environ /proc/1/maps; ls /proc/1/fd; readlink /proc/1/exe; cat /proc/1/mem | head -c1; true`;
    const { stdout, stderr } = await sh(script);
    const [count, alive, ...rest] = stdout.trim().split('\n');
    expect(Number(count)).toBeLessThan(8);
    expect(alive).toBe('alive');
    expect(rest).toEqual([]);
    expect(stderr.match(/Permission denied/g)?.length).toBeGreaterThanOrEqual(3);
  });

  it('has nothing of the host in its environment', async () => {
    process.env['CORDON_TEST_CANARY'] = 'canary';
    const { stdout } = await run({ command: ['/usr/bin/env'], order: { env: { ONLY: 'this' } } });
    const names = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(names.sort()).toEqual(['HOME', 'LANG', 'LOGNAME', 'ONLY', 'PATH', 'SHELL', 'USER']);
  });
});

describe('what the agent sees of files', () => {
  it('is an allow-list', async () => {
    const { stdout } = await sh(
      `ls -A /; for f in /sys /root /var/lib /var/run /run /boot /opt /srv /mnt ${outside}/secret /etc/shadow /etc/machine-id; do test -e $f && echo "there $f"; done; true`,
    );
    expect(stdout).not.toContain('there');
    const names = stdout.trim().split('\n');
    for (const name of names)
      expect([
        'bin',
        'dev',
        'etc',
        'home',
        'lib',
        'lib32',
        'lib64',
        'libx32',
        'proc',
        'sbin',
        'tmp',
        'usr',
        'var',
      ]).toContain(name);
  });

  it('is not writable but for workspace, HOME and the volatile folders', async () => {
    const script =
      'for d in / /usr /usr/bin /etc /etc/cordon /dev /dev/pts /proc /home /home/agent /tmp /dev/shm .; do touch $d/probe 2>/dev/null && echo $d; done; true';
    expect((await sh(script)).stdout.trim().split('\n')).toEqual(['/home/agent', '/tmp', '/dev/shm', '.']);
  });

  it('Landlock alone refuses what the mounts would allow', async () => {
    // /dev is a tmpfs of the agent's own uid: only Landlock and the read-only remount stand there. A file in /proc that
    // its owner may write is refused by Landlock alone.
    const { stdout, stderr } = await sh(
      'echo 500 > /proc/self/oom_score_adj && echo written; cat /proc/self/oom_score_adj',
    );
    expect(stdout).toBe('200\n');
    expect(stderr).toContain('Permission denied');
  });

  it('has a hosts file, the name server of its session, and the CA in every bundle', async () => {
    const { stdout } = await sh(
      'cat /etc/hosts; grep -v options /etc/resolv.conf; tail -3 /etc/ssl/certs/ca-certificates.crt; cmp /etc/ssl/certs/ca-certificates.crt /etc/cordon/bundle.pem && echo same; cat /etc/cordon/ca.pem; getent passwd agent; cd ~ && pwd',
    );
    for (const name of ['cordon.internal', 'model.cordon.internal']) expect(stdout).toContain(`127.0.0.1 ${name}\n`);
    // Granted names are asked for: on 127.0.0.1 only two of their ports would be served.
    expect(stdout).not.toContain('named.example');
    expect(stdout).toContain(
      '\nnameserver 127.0.0.1\n-----BEGIN CERTIFICATE-----\ndGVzdA==\n-----END CERTIFICATE-----\nsame\n',
    );
    expect(stdout).toContain('agent:x:1000:1000::/home/agent:/bin/sh\n/home/agent\n');
  });

  it('has the files that the order places, read-only outside of HOME', async () => {
    const files = [
      { path: '~/.config/agent/config.toml', content: 'a', mode: 0o600 },
      { path: '/etc/agent/managed.json', content: 'b', mode: 0o644 },
      { path: '/opt/agent/settings', content: 'c', mode: 0o644 },
    ];
    const script =
      'cat ~/.config/agent/config.toml /etc/agent/managed.json /opt/agent/settings; echo x >> ~/.config/agent/config.toml && echo ok; echo x > /etc/agent/managed.json; echo x > /opt/agent/settings; rm /opt/agent/settings';
    const { stdout, stderr } = await sh(script, { order: { files } });
    expect(stdout).toBe('abcok\n');
    expect(stderr.match(/Read-only file system|Permission denied|Device or resource busy/g)?.length).toBe(3);
  });

  it('shows programs that somebody installed for themselves alone, and only those', async () => {
    const tool = path.join(outside, 'private');
    mkdirSync(tool, { mode: 0o700 });
    writeFileSync(path.join(tool, 'tool'), '#!/bin/sh\necho from the tool\n', { mode: 0o700 });
    const { stdout, stderr } = await sh(`${tool}/tool; touch ${tool}/x; ls ${outside}`, {
      order: { readOnly: [tool] },
    });
    expect(stdout).toBe('from the tool\nprivate\n');
    expect(stderr).toMatch(/Read-only file system|Permission denied/);
  });
});

describe('the network', () => {
  it('has no route where the kernel cannot capture, and says so', async () => {
    // The real program, which only says that it cannot.
    const without = path.join(outside, 'launch-without-capture');
    writeFileSync(without, `#!/bin/sh\n[ "$1 $2" != "probe capture" ] || exit 70\nexec ${launchBinary} "$@"\n`, {
      mode: 0o755,
    });
    using place = new Place();
    const script =
      'cat /etc/hosts; wc -c < /etc/resolv.conf; for to in 192.0.2.1/80 169.254.169.254/80 2001:db8::1/80; do (exec 3<>/dev/tcp/$to) && echo open; done; true';
    const spec = { ...specFor(place, { command: ['/bin/bash', '-c', script] }), launchBinary: without };
    const sandbox = await driver().start(spec, new AbortController().signal);
    try {
      expect(sandbox.report.capture).toBe('none');
      expect(sandbox.sockets.map(({ kind }) => kind).sort()).toEqual(['http', 'http', 'proxy', 'proxy', 'tls', 'tls']);
      const all = collect(sandbox.main);
      await sandbox.open();
      const { stdout, stderr } = await all;
      expect(stdout).toContain('127.0.0.1 named.example\n0\n');
      expect(stdout).not.toContain('open');
      expect(stderr.match(/connect: (Network is unreachable|Cannot assign requested address)/g)).toHaveLength(3);
    } finally {
      await sandbox.teardown();
    }
  });

  it('is loopback and nothing else: other addresses lead to the capture socket', async () => {
    let reached = 0;
    const server = net
      .createServer((socket) => {
        reached++;
        socket.end('reached');
      })
      .listen(0, '0.0.0.0');
    await new Promise((done) => server.once('listening', done));
    const { port } = server.address() as net.AddressInfo;
    const program = `import socket
def attempt(name, make):
    try:
        print(name, make())
    except OSError as error:
        print(name, 'refused')
def tcp(host, port, family=socket.AF_INET, protocol=0):
    with socket.socket(family, socket.SOCK_STREAM, protocol) as s:
        s.settimeout(2); s.connect((host, port)); return 'connected'
def udp(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: return s.sendto(b'x', (host, 53))
def fast_open(host):
    with socket.socket() as s:
        s.sendto(b'x', socket.MSG_FASTOPEN, (host, ${port})); return 'connected'
attempt('host', lambda: tcp('127.0.0.1', ${port}))
attempt('mptcp', lambda: tcp('192.0.2.1', 80, socket.AF_INET, 262))
attempt('udp', lambda: udp('192.0.2.1'))
attempt('multicast', lambda: udp('224.0.0.251'))
attempt('icmp', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1).sendto(b'\\x08\\0' + bytes(6), ('192.0.2.1', 0)))
attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt('packet', lambda: socket.socket(17, socket.SOCK_RAW))
attempt('vsock', lambda: socket.socket(40, socket.SOCK_STREAM))
attempt('alg', lambda: socket.socket(38, socket.SOCK_SEQPACKET))
attempt('tcp', lambda: tcp('192.0.2.1', ${port}))
attempt('fastopen', lambda: fast_open('192.0.2.1'))
attempt('own', lambda: tcp('${ownAddress()}', ${port}))
attempt('metadata', lambda: tcp('169.254.169.254', 80))
attempt('tcp6', lambda: tcp('2001:db8::1', 80, socket.AF_INET6))
attempt('proxy', lambda: tcp('127.0.0.1', 3128))
attempt('proxy6', lambda: tcp('::1', 3128, socket.AF_INET6))
print(open('/proc/net/dev').read().count(':'))`;
    const { stdout, stderr } = await run({ command: ['/usr/bin/python3', '-c', program] });
    server.close();
    expect(stderr).toBe('');
    const lines = stdout.trim().split('\n');
    expect(lines.filter((line) => line.endsWith('refused')).map((line) => line.split(' ')[0])).toEqual([
      'host',
      'mptcp',
      'udp',
      'multicast',
      'icmp',
      'raw',
      'packet',
      'vsock',
      'alg',
    ]);
    // Nobody serves, and still the connection stands: it waits in the backlog of the handed socket.
    expect(lines.slice(-8)).toEqual(
      ['tcp', 'fastopen', 'own', 'metadata', 'tcp6', 'proxy', 'proxy6'].map((name) => `${name} connected`).concat('1'),
    );
    expect(reached).toBe(0);
  });

  it('has no way to sockets of the host, by path or by abstract name', async () => {
    const at = path.join(outside, 'host.sock');
    const byPath = net.createServer().listen(at);
    const byName = net.createServer().listen('\0cordon-test-abstract');
    const program = `import socket
for name in ('${at}', '\\0cordon-test-abstract', '/var/run/docker.sock', '/run/dbus/system_bus_socket'):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(name); print('connected')
    except OSError: print('refused')`;
    const { stdout } = await run({ command: ['/usr/bin/python3', '-c', program] });
    byPath.close();
    byName.close();
    expect(stdout).toBe('refused\n'.repeat(4));
  });
});

describe('a start is refused', () => {
  it.each([
    ['the root as workspace', { workspace: { path: '/', mode: 'direct' as const } }],
    ['a workspace in /usr', { workspace: { path: '/usr/share', mode: 'direct' as const } }],
    ['the folder of the host’s daemons as workspace', { workspace: { path: '/run', mode: 'direct' as const } }],
    ['devices as a read-only folder', { readOnly: ['/dev'] }],
    ['a process of the host as a read-only folder', { readOnly: ['/proc/1'] }],
    ['a folder outside as working folder', { cwd: '/etc' }],
    ['no command', { command: [] }],
    ['a NUL in an argument', { command: ['echo', 'a\0b'] }],
    ['a name that leaves the cgroup tree', { tenant: '../..' }],
    ['a name with a slash', { agent: 'a/b' }],
    ['a protected path above the workspace', { protectedPaths: ['../x'] }],
    ['a line break in a host name', { hostNames: ['a\n1.2.3.4 b'] }],
    ['a placed file over a program', { files: [{ path: '/usr/bin/env', content: '', mode: 0o755 }] }],
    ['a placed file above HOME', { files: [{ path: '~/../x', content: '', mode: 0o755 }] }],
    [
      'less memory than anything needs',
      { resources: { cpuMillis: 1000, memoryBytes: 1, pidsMax: 10, diskBytes: 1e9, openFilesMax: 1024 } },
    ],
  ])('for %s', async (_, order) => {
    using place = new Place();
    const spec = specFor(place, { command: ['true'], order });
    await expect(driver().start(spec, new AbortController().signal)).rejects.toMatchObject({ code: 'spec-invalid' });
  });

  it("when the workspace holds Cordon's own state, or lies in it", async () => {
    using place = new Place();
    for (const workspace of [place.base, path.join(place.base, 'home'), path.join(place.base, 'home', 'keys')]) {
      mkdirSync(workspace, { recursive: true });
      const order = { workspace: { path: workspace, mode: 'direct' as const }, cwd: workspace };
      const spec = specFor(place, { command: ['true'], order });
      await expect(driver().start(spec, new AbortController().signal)).rejects.toMatchObject({ code: 'spec-invalid' });
    }
  });

  it('when a component of the workspace is a link', async () => {
    using place = new Place();
    const link = path.join(place.base, 'link');
    symlinkSync(outside, link);
    const spec = specFor(place, { command: ['true'], order: { workspace: { path: link, mode: 'direct' }, cwd: link } });
    await expect(driver().start(spec, new AbortController().signal)).rejects.toMatchObject({ code: 'start-failed' });
  });

  it('when the session was started before, which goes on undisturbed', async () => {
    await using started = await start({ command: ['sleep', '1000'] });
    await started.sandbox.open();
    const again = { ...specFor(started.place, { command: ['true'] }) };
    await expect(driver().start(again, new AbortController().signal)).rejects.toMatchObject({ code: 'start-failed' });
    using other = new Place();
    const sameName = specFor(other, { command: ['true'], order: { session: started.place.session } });
    await expect(driver().start(sameName, new AbortController().signal)).rejects.toMatchObject({
      code: 'start-failed',
    });
    expect((await started.sandbox.stats()).processes).toBeGreaterThan(2);
  });

  it('when the native program is not there; and its folders are gone again', async () => {
    using place = new Place();
    const spec = { ...specFor(place, { command: ['true'] }), launchBinary: '/nowhere/launch' };
    await expect(driver(place).start(spec, new AbortController().signal)).rejects.toMatchObject({
      code: 'layer-missing',
    });
    for (const folder of [place.sessionDir, `${place.base}/relays`]) expect(readdirSync(folder)).toEqual([]);
  });

  it('when root gives no uid, or the signal is aborted; and nothing is left behind', async () => {
    using place = new Place();
    const spec = specFor(place, { command: ['true'] });
    await expect(driver().start({ ...spec, uid: null }, new AbortController().signal)).rejects.toMatchObject({
      code: 'layer-missing',
    });
    await expect(driver().start(spec, AbortSignal.abort())).rejects.toMatchObject({ code: 'start-aborted' });
    const late = new AbortController();
    const starting = driver().start(spec, late.signal);
    late.abort();
    await expect(starting).rejects.toMatchObject({ code: 'start-aborted' });
    expect(processesOf(spec.uid ?? -1)).toEqual([]);
    expect(readdirSync(place.sessionDir)).toEqual([]);
  });
});

/** Of this host, as its neighbours know it. */
function ownAddress(): string {
  const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '192.0.2.2';
}

function processesOf(uid: number): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/status`, 'utf8').includes(`Uid:\t${uid}\t`) &&
        readlinkSync(`/proc/${pid}/exe`) !== ''
      );
    } catch {
      return false;
    }
  });
}
