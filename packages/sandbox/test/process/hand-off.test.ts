import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ServeMessage } from '@cordon/protocol';
import { type Sandbox, sendHandle } from '@cordon/sandbox';
import { beforeAll, describe, expect, it } from 'vitest';
import { collect, launchBinary, requireHost, start } from './harness.ts';

beforeAll(requireHost);

const tcp = { grant: 'tcp://db.example:5432', address: '127.64.0.1', port: 5432, name: 'db.example' };
const asked = [
  ...['127.0.0.1', '::1'].flatMap((address) => [`${address}/3128`, `${address}/80`, `${address}/443`]),
  `db.example/${tcp.port}`,
  '192.0.2.1/25',
  '2001:db8::1/853',
];
const ask = `for to in ${asked.join(' ')}; do
  exec 3<>/dev/tcp/$to && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n1 <&3; exec 3<&-
done
for to in 127.0.0.1 ::1; do exec 3<>/dev/udp/$to/53 && echo asked >&3 && head -n1 <&3; exec 3<&-; done`;

async function server(): Promise<ChildProcess> {
  const child = fork(path.join(import.meta.dirname, 'fixtures/server.ts'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  return child;
}

async function serve(child: ChildProcess, sandbox: Sandbox, session: string): Promise<void> {
  // A killed server's socket stays, as the keeper of gateways knows.
  const relay = sandbox.sockets[0]?.relay;
  if (relay !== undefined) rmSync(relay.path, { force: true });
  for (const { handle, ...socket } of sandbox.sockets) {
    const message: ServeMessage = {
      type: 'serve',
      v: 1,
      tenant: 'test',
      session,
      ...socket,
      of: sandbox.sockets.length,
    };
    const serving = once(child, 'message');
    await sendHandle(child, message, handle);
    await serving;
  }
}

describe.each(['auto', 'relay'] as const)('the sockets (%s)', (sockets) => {
  it('are served by another process, each known by the socket alone', async () => {
    await using started = await start({ command: ['/bin/bash', '-c', ask], order: { tcp: [tcp], sockets } });
    const child = await server();
    await serve(child, started.sandbox, started.place.session);
    const all = collect(started.sandbox.main);
    await started.sandbox.open();
    const { stdout, stderr } = await all;
    child.disconnect();
    expect(stderr).toBe('');
    const { session } = started.place;
    const lines = [
      ...['127.0.0.1', '::1'].flatMap((address) =>
        Object.entries({ proxy: 3128, http: 80, tls: 443 }).map(([kind, port]) => `${kind} ${address} ${port}`),
      ),
      `tcp ${tcp.address} ${tcp.port} ${tcp.grant}`,
      // What the program meant is the accepted socket's own address.
      'capture 192.0.2.1 25',
      'capture 2001:db8::1 853',
      'names 127.0.0.1 53 asked',
      'names ::1 53 asked',
    ];
    expect(stdout).toBe(lines.map((line) => `${session} ${line}\n`).join(''));
  });

  it('are all served by the server that replaces a killed one', async () => {
    const script = `read go; ${ask}`;
    await using started = await start({ command: ['/bin/bash', '-c', script], order: { tcp: [tcp], sockets } });
    const first = await server();
    await serve(first, started.sandbox, 'first');
    first.kill('SIGKILL');
    await once(first, 'exit');
    const all = collect(started.sandbox.main);
    await started.sandbox.open();
    const second = await server();
    await serve(second, started.sandbox, 'second');
    started.sandbox.main.stdin.end('go\n');
    const lines = (await all).stdout.trim().split('\n');
    second.disconnect();
    expect(lines.filter((line) => line.startsWith('second '))).toHaveLength(asked.length + 2);
  });

  it('wait in the backlog while a killed server is replaced', async () => {
    const script = `exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; echo asked; tail -n1 <&3`;
    await using started = await start({ command: ['/bin/bash', '-c', script], order: { sockets } });
    const first = await server();
    await serve(first, started.sandbox, 'first');
    first.kill('SIGKILL');
    await once(first, 'exit');
    const all = collect(started.sandbox.main);
    const asked = once(started.sandbox.main.stdout, 'data');
    await started.sandbox.open();
    await asked;
    const second = await server();
    await serve(second, started.sandbox, 'second');
    expect((await all).stdout).toContain('second http 127.0.0.1 80');
    second.disconnect();
  });

  it('lose nothing to a server that hung before it took them', async () => {
    const script = `exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; echo asked; tail -n1 <&3`;
    await using started = await start({ command: ['/bin/bash', '-c', script], order: { sockets } });
    const first = await server();
    await serve(first, started.sandbox, 'first');
    first.kill('SIGSTOP');
    const all = collect(started.sandbox.main);
    const asked = once(started.sandbox.main.stdout, 'data');
    await started.sandbox.open();
    await asked;
    first.kill('SIGKILL');
    await once(first, 'exit');
    const second = await server();
    await serve(second, started.sandbox, 'second');
    expect((await all).stdout).toContain('second http 127.0.0.1 80');
    second.disconnect();
  });

  it('refuse connections once they are torn down', async () => {
    await using started = await start({ command: ['true'], order: { sockets } });
    expect(started.sandbox.sockets).toHaveLength(10);
    expect(started.sandbox.report.sockets).toBe(sockets === 'auto' ? 'hand-off' : 'relay');
    await started.sandbox.teardown();
    expect(started.sandbox.sockets).toHaveLength(0);
  });
});

describe('where the hand-off does not work', () => {
  /** As a Node of another format would see it: the trial finds nothing, everything else is as it is. */
  const without = '#!/bin/sh\n[ "$1 $2" = "probe channel" ] && exit 1\nexec "$REAL" "$@"\n';

  it('the same session has a relay, with streams and commands of its own', async () => {
    const folder = mkdtempSync('/var/tmp/cordon-test-');
    try {
      const launch = path.join(folder, 'launch');
      writeFileSync(launch, without.replace('$REAL', launchBinary), { mode: 0o755 });
      await using started = await start({ command: ['/bin/cat'], launch });
      const { sandbox, place } = started;
      expect(sandbox.report.sockets).toBe('relay');
      expect(sandbox.sockets.every(({ handle, relay }) => handle === null && relay !== undefined)).toBe(true);
      const folderOf = path.join(place.base, 'relays', place.session);
      expect(statSync(folderOf).mode & 0o777).toBe(0o700);
      const all = collect(sandbox.main);
      await sandbox.open();
      const given = { command: ['/bin/sh', '-c', 'echo out; echo err >&2; exit 3'], env: {}, cwd: place.workspace };
      const piped = await collect(await sandbox.exec({ ...given, terminal: null }));
      expect(piped).toMatchObject({ exit: { status: 3 }, stdout: 'out\n', stderr: 'err\n' });
      const terminal = await collect(await sandbox.exec({ ...given, terminal: { cols: 80, rows: 24 } }));
      expect(terminal).toMatchObject({ exit: { status: 3 }, stdout: 'out\r\nerr\r\n' });
      sandbox.main.stdin.end('x'.repeat(500_000));
      expect((await all).stdout).toHaveLength(500_000);
      const gone = await sandbox.teardown();
      expect(gone.filter(({ ok }) => !ok)).toEqual([]);
      expect(existsSync(folderOf)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("Node's message format for a handed descriptor", () => {
  it('is the one that the native program writes', async () => {
    // The same bytes from a program that is no Node: `net.Native` arrives as a handle that nobody accepts on.
    const program = `import socket, array
channel = socket.socket(fileno=3)
listener = socket.socket(); listener.bind(('127.0.0.1', 0)); listener.listen()
line = b'{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"socket":"http","address":"127.0.0.1","of":6}}\\n'
channel.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [listener.fileno()]))])
print(channel.recv(4096).decode().strip(), flush=True)`;
    const child = spawn('/usr/bin/python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    const answer = once(child.stdout as NonNullable<typeof child.stdout>, 'data');
    const [message, handle] = (await once(child, 'message')) as [
      unknown,
      { close(): void; constructor: { name: string } },
    ];
    expect(message).toEqual({ socket: 'http', address: '127.0.0.1', of: 6 });
    expect(handle.constructor.name).toBe('TCP');
    expect(String(await answer)).toContain('NODE_HANDLE_ACK');
    handle.close();
  });
});
