import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, LineSink, TestCa, WebSocketSink } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment, ordinaryUser, type Run } from '../support/deployment.ts';

const database = 'db.test.example';
const live = 'live.test.example';
const pinned = 'pinned.test.example';

/** Connects as any client of a database would: by name and port, without knowing of a proxy. */
const lineClient = (host: string, port: number, family = 0, line = 'select 1'): string => `
  const place = { port: ${port}, host: '${host}', family: ${family} };
  const socket = require('node:net').connect(place, () => socket.write('${line}\\n'));
  socket.on('data', (data) => { console.log('got', String(data).trim()); socket.end(); });
  socket.on('error', (error) => { console.log('failed', error.code); });
  socket.on('close', () => process.exit(0));`;

const webSocketClient = (url: string, text: string): string => `
  const socket = new WebSocket('${url}');
  socket.onopen = () => socket.send('${text}');
  socket.onmessage = ({ data }) => { console.log('got', data); socket.close(1000); };
  socket.onerror = () => console.log('failed');
  socket.onclose = ({ code, reason }) => { console.log('closed', code, reason); process.exit(0); };`;

describe.each([
  ['root', 'hand-off'],
  ['ordinary', 'hand-off'],
  ['root', 'relay'],
  ['ordinary', 'relay'],
] as const)('what is no plain request, started by %s (%s)', (user, way) => {
  const as = user === 'ordinary' ? ordinaryUser : undefined;
  const weaker = as === undefined ? [] : ['--allow-weaker', 'cgroups'];
  const ca = new TestCa();
  let lines: LineSink;
  let sockets: WebSocketSink;
  let web: HttpSink;
  let deployment: Deployment;

  beforeAll(async () => {
    lines = await LineSink.start();
    sockets = await WebSocketSink.start(ca.issue([live]));
    web = await HttpSink.start({ tls: ca.issue([pinned]), answer: () => ({ status: 200, body: 'itself' }) });
    const ports = { [`${database}:5432`]: lines.port, [live]: sockets.port, [pinned]: web.port };
    const destinations = destinationsOf(ports, ca);
    deployment = await Deployment.start({ ...(as === undefined ? {} : { as }), destinations, sockets: way });
    writeFileSync(path.join(deployment.workspace, 'server-ca.pem'), ca.certificate, { mode: 0o644 });
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
    for (const sink of [lines, sockets, web]) await sink[Symbol.asyncDispose]();
  });

  const sh = (script: string, allow: readonly string[]): Promise<Run> =>
    deployment.sh(script, [...weaker, ...allow.flatMap((grant) => ['--allow', grant])]);
  /** The checkout's own Node: a distribution's may be too old to have WebSocket. */
  const webSocket = (script: string, allow: readonly string[]): Promise<Run> =>
    deployment.cordon([
      ...['run', '--quiet', ...weaker, ...allow.flatMap((grant) => ['--allow', grant])],
      ...['--', process.execPath, '-e', script],
    ]);
  const node = (script: string): string => `node -e "${script.replaceAll('\n', ' ')}"`;

  it('raw TCP reaches the destination of its grant by name, and its end is in the log', async () => {
    const run = await sh(`${node(lineClient(database, 5432))}; grep ${database} /etc/hosts`, [
      `tcp://${database}:5432`,
    ]);
    expect(run.stdout.trim().split('\n'), run.stderr).toEqual(['got SELECT 1', 'got BYE', `127.64.0.1 ${database}`]);
    const { stdout } = await deployment.cordon(['logs']);
    expect(stdout).toMatch(/allow .*tcp:\/\/db\.test\.example:5432/);
  });

  it('raw TCP by another address of the name is the same, and is not taken for HTTP', async () => {
    const run = await sh(node(lineClient(database, 5432, 6, 'GET / HTTP/1.1')), [`tcp://${database}:5432`]);
    expect(run.stdout.trim().split('\n'), run.stderr).toEqual(['got GET / HTTP/1.1', 'got BYE']);
  });

  it('raw TCP reaches nothing else: no other port, and nothing without a grant', async () => {
    const before = lines.connections;
    const other = await sh(node(lineClient(database, 5433)), [`tcp://${database}:5432`]);
    expect(other.stdout, other.stderr).toMatch(/^failed /);
    const none = await sh(node(lineClient(database, 5432)), [`${database}:5432:GET,POST`]);
    expect(none.stdout, none.stderr).not.toContain('got');
    expect(lines.connections).toBe(before);
  });

  it('a WebSocket is opened where it was granted, and each message is in the log', async () => {
    const run = await webSocket(webSocketClient(`wss://${live}/feed`, 'hello'), [`wss://${live}/feed`]);
    expect(run.stdout.trim().split('\n'), run.stderr).toEqual(['got hello', 'closed 1000']);
    expect(sockets.received).toContain('hello');
    const { stdout } = await deployment.cordon(['logs', '--json']);
    const actions = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { action?: string }).action);
    expect(actions).toEqual(expect.arrayContaining(['http.upgrade', 'http.message']));
  });

  it('a WebSocket is refused where only requests, or another path, were granted', async () => {
    const before = sockets.requests.length;
    for (const grant of [`${live}:GET,POST`, `wss://${live}/other`]) {
      const run = await webSocket(webSocketClient(`wss://${live}/feed`, 'hello'), [grant]);
      expect(run.stdout, run.stderr).toContain('failed');
      expect(run.stdout).not.toContain('got');
    }
    expect(sockets.requests.length).toBe(before);
  });

  it('opaque TLS shows the client the server itself; without the grant it does not', async () => {
    const curl = `curl -sS -m 20 --cacert server-ca.pem https://${pinned}/`;
    const passed = await sh(curl, [`tls://${pinned}`]);
    expect(passed.stdout, passed.stderr).toBe('itself');
    const before = web.requests.length;
    const refused = await sh(curl, [pinned]);
    // 60: the certificate is ours, which this client does not trust.
    expect(refused.status, refused.stderr).toBe(60);
    expect(web.requests.length).toBe(before);
  });
});
