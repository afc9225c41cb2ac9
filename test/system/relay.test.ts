import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment, ordinaryUser } from '../support/deployment.ts';
import { until } from '../support/until.ts';

const host = 'open.example';
const other = 'other.example';
const stranger = { uid: 61_235, gid: 61_235 };

const wait = (condition: () => boolean | Promise<boolean>, what: string): Promise<void> =>
  until(condition, what, 25_000);

/** A relay's header as anybody could write it who does not know the token. */
const forged = (): Buffer => {
  const bytes = Buffer.alloc(60);
  bytes.write('CRL1', 'latin1');
  bytes[40] = 4;
  bytes.writeUInt16BE(3128, 42);
  bytes.set([127, 0, 0, 1], 44);
  return bytes;
};

describe.each(['root', 'ordinary'] as const)('sockets through a relay, started by %s', (user) => {
  const as = user === 'ordinary' ? ordinaryUser : undefined;
  const weaker = as === undefined ? [] : ['--allow-weaker', 'cgroups'];
  const ca = new TestCa();
  let server: HttpSink;
  let deployment: Deployment;

  beforeAll(async () => {
    server = await HttpSink.start({ tls: ca.issue([host, other]), answer: () => ({ status: 200, body: 'ok' }) });
    const destinations = destinationsOf({ [host]: server.port, [other]: server.port }, ca);
    deployment = await Deployment.start({ ...(as === undefined ? {} : { as }), destinations, sockets: 'relay' });
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const relays = (): string => path.join(deployment.runtime, 'relays');
  const folders = (): string[] => (existsSync(relays()) ? readdirSync(relays()) : []);
  const curl = (url: string): string => `curl -s -m 30 -o /dev/null -w '%{http_code}\\n' ${url}`;

  /** A session that runs until it is killed, what it has printed, and its id. */
  async function living(
    script: string,
    options: readonly string[] = ['--allow', host],
  ): Promise<{ id: string; output: () => string; closed: Promise<number | null> }> {
    const before = new Set(folders());
    const child = deployment.background(['run', '--quiet', ...weaker, ...options, '--', '/bin/sh', '-c', script]);
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await wait(() => output !== '' || child.exitCode !== null, 'its first words');
    expect(child.exitCode, 'it ended').toBeNull();
    const id = folders().find((name) => !before.has(name)) ?? '';
    return { id, output: () => output, closed: child.closed };
  }

  const relayOf = (id: string): number => {
    const found = readdirSync('/proc').find((pid) => {
      try {
        return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/root`) === path.join(relays(), id);
      } catch {
        return false;
      }
    });
    return Number(found);
  };

  const gatewayOf = async (): Promise<number> => {
    const { stdout } = await deployment.cordon(['status', '--json']);
    const { roles } = JSON.parse(stdout) as { roles: Array<{ role: string; pid: number }> };
    const gateway = roles.find(({ role }) => role.startsWith('gateway'));
    if (gateway === undefined) throw new Error(`no gateway in ${stdout}`);
    return gateway.pid;
  };

  it('allow and deny by the proxy, and say which way they are', async () => {
    const before = server.requests.length;
    const run = await deployment.sh(`${curl(`https://${host}/a`)}; ${curl(`https://${other}/b`)}`, [
      ...weaker,
      '--allow',
      host,
    ]);
    expect(run.stdout).toBe('200\n403\n');
    expect(server.requests.slice(before).map(({ target }) => target)).toEqual(['/a']);
    const { stdout } = await deployment.cordon(['ps', '--all', '--json']);
    expect(stdout).toContain('"sockets":"relay"');
    expect((await deployment.cordon(['ps', '--all'])).stdout).toContain(', relay');
    expect(folders()).toEqual([]);
  });

  it('are each session’s own', async () => {
    const script = `echo here; while :; do ${curl(`https://${host}/x`)}; ${curl(`https://${other}/x`)}; sleep 0.1; done`;
    const both = [await living(script, ['--allow', host]), await living(script, ['--allow', other])];
    await wait(() => both.every(({ output }) => output().split('\n').length > 8), 'answers of both');
    const [first = [], second = []] = both.map(({ output }) => output().split('\n').slice(1, 7));
    expect(first).toEqual(['200', '403', '200', '403', '200', '403']);
    expect(second).toEqual(['403', '200', '403', '200', '403', '200']);
    expect(folders()).toHaveLength(2);
    for (const { id } of both) await deployment.cordon(['kill', id]);
    await Promise.all(both.map(({ closed }) => closed));
    await wait(() => folders().length === 0, 'the folders to be gone');
  });

  it('carry much, both ways, and keep each half’s own end', async () => {
    const send = `head -c 3000000 /dev/zero | ${curl(`-T - -X PUT https://${host}/big`)}`;
    const before = server.requests.length;
    const run = await deployment.sh(`${send}; head -c 3000000 /dev/zero | wc -c`, [
      ...weaker,
      '--allow',
      `${host}/**:PUT`,
    ]);
    expect(run.stdout, run.stderr).toBe('200\n3000000\n');
    expect(server.requests.length).toBe(before + 1);
  });

  it('wait while a killed gateway is replaced, and are served', async () => {
    const session = await living(`echo ready; while :; do ${curl(`https://${host}/wait`)}; sleep 0.05; done`);
    await wait(() => session.output().includes('200'), 'an answer');
    process.kill(await gatewayOf(), 'SIGKILL');
    const before = session.output().length;
    await wait(() => session.output().slice(before).split('200').length > 4, 'answers of the next one');
    // What was under way in the one that died is lost; whatever came later waited.
    expect(
      session
        .output()
        .split('\n')
        .filter((line) => /^\d+$/.test(line) && line !== '200').length,
    ).toBeLessThanOrEqual(1);
    await deployment.cordon(['kill', session.id]);
    expect(await session.closed).toBe(137);
  });

  it('are let go of when their gateway has ended, though the agent holds on to them', async () => {
    const hold = `python3 -u -c "
import socket, time
all = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(50)]
print('held')
time.sleep(1000)"`;
    const session = await living(hold);
    const descriptors = (): number => readdirSync(`/proc/${relayOf(session.id)}/fd`).length;
    await wait(() => descriptors() > 100, 'both ends of each');
    process.kill(await gatewayOf(), 'SIGKILL');
    await wait(() => descriptors() < 50, 'neither end of any');
    await deployment.cordon(['kill', session.id]);
    expect(await session.closed).toBe(137);
  });

  it('end with the session, whatever it still holds', async () => {
    const hold = `python3 -u -c "
import socket, time
all = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(50)]
print('held')
time.sleep(1000)"`;
    const session = await living(hold);
    const relay = relayOf(session.id);
    expect(relay).toBeGreaterThan(0);
    await deployment.cordon(['kill', session.id]);
    expect(await session.closed).toBe(137);
    await wait(() => !existsSync(`/proc/${relay}`) && folders().length === 0, 'nothing to be left');
  });

  it('end the session with them: without its relay it has no streams', async () => {
    const session = await living('echo here; sleep 1000');
    process.kill(relayOf(session.id), 'SIGKILL');
    expect(await session.closed).not.toBe(0);
    await wait(() => folders().length === 0, 'nothing to be left');
  });

  it('pass through a process that can do nothing else', async () => {
    const session = await living('echo here; sleep 1000');
    const relay = relayOf(session.id);
    const status = readFileSync(`/proc/${relay}/status`, 'utf8');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`${set}:\\t0+\n`));
    expect(status).toMatch(/NoNewPrivs:\t1/);
    expect(status).toMatch(/Seccomp:\t2/);
    for (const kind of ['net', 'user']) {
      expect(readlinkSync(`/proc/${relay}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
    }
    expect(readdirSync(path.join(relays(), session.id)).sort()).toEqual(['gateway', 'supervisor']);
    await deployment.cordon(['kill', session.id]);
    await session.closed;
  });

  it('cannot be reached by the agent, by another user, nor by a program of the same user', async () => {
    const session = await living(
      `echo here; while ! test -e done; do sleep 0.1; done; ls -d ${relays()} 2>&1; sleep 1000`,
      ['--allow', host, '--workspace-mode', 'direct'],
    );
    const place = path.join(relays(), session.id, 'gateway');
    const folder = statSync(path.dirname(place));
    expect(folder.mode & 0o777).toBe(0o700);
    expect(folder.uid).toBe(as?.uid ?? 0);
    // Who may go there, and does not know the token: not a byte of an answer, for each of the two.
    for (const socket of [place, path.join(path.dirname(place), 'supervisor')]) expect(await asked(socket)).toBe('');
    const tried = spawn('python3', ['-c', `import socket; socket.socket(socket.AF_UNIX).connect('${place}')`], {
      ...stranger,
      cwd: '/',
    });
    let said = '';
    tried.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await new Promise((resolve) => tried.once('close', resolve));
    expect(said).toContain('PermissionError');
    await deployment.cordon(['exec', session.id, '--', '/bin/sh', '-c', 'touch done']);
    await wait(() => session.output().includes('No such file'), 'the agent’s look');
    await deployment.cordon(['kill', session.id]);
    await session.closed;
  });
});

/** What a socket says to a header without its token. */
function asked(place: string): Promise<string> {
  const socket = connect({ path: place });
  let all = '';
  socket.on('data', (chunk) => {
    all += chunk.toString('latin1');
  });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => resolve(all));
    socket.write(forged());
  });
}
