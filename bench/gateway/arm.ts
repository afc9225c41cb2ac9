import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createTlsServer, Agent as HttpsAgent, request as sendTls } from 'node:https';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { createAuthority } from '@cordon/egress';
import { systemClock, systemRandom } from '@cordon/protocol';
import { TestCa } from '@cordon/testkit';
import { Rig } from '../../packages/gateway/test/rig.ts';
import { answer, domain, type Ready } from './ready.ts';

/** One process of `interception.ts` or `http2.ts`: the server, or one way to it. Its first argument says which. */

function ready(message: Ready | { readonly missing: string }): void {
  process.send?.(message);
}

function portOf(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Ends with its parent, whatever it holds. */
function endWithParent(end: () => Promise<void> | void): void {
  process.on('disconnect', () => void Promise.resolve(end()).finally(() => process.exit(0)));
}

async function serveUpstream(h2: boolean): Promise<void> {
  const ca = new TestCa('Upstream of the benchmark');
  const options = { ...ca.issue([`*.${domain}`, 'localhost', '127.0.0.1']), keepAliveTimeout: 60_000 };
  const head = { 'content-type': 'application/json', 'content-length': answer.length };
  const server = h2 ? createSecureServer({ ...options, allowHTTP1: true }) : createTlsServer(options);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    request.on('end', () => {
      response.writeHead(200, head);
      response.end(answer);
    });
  });
  const port = await portOf(server);
  ready({ port, proxy: false, ca: ca.certificate, upstream: port, upstreamCa: ca.certificate });
  endWithParent(() => undefined);
}

/** The least that a program can do: end the TLS under a certificate of its own, pipe each request on over kept TLS. */
async function serveBare(upstream: Ready): Promise<void> {
  const ca = new TestCa('Bare interceptor');
  const contexts = new Map<string, SecureContext>();
  const agent = new HttpsAgent({ keepAlive: true, ca: upstream.upstreamCa });
  const inside = createServer({ keepAliveTimeout: 60_000 }, (request: IncomingMessage, response: ServerResponse) => {
    const servername = (request.headers.host ?? '').split(':')[0] ?? '';
    const { method, url, headers } = request;
    const onward = { agent, host: '127.0.0.1', port: upstream.upstream, servername, method, path: url, headers };
    const out = sendTls(onward, (inbound) => {
      response.writeHead(inbound.statusCode ?? 502, inbound.headers);
      inbound.pipe(response);
    });
    out.on('error', () => response.destroy());
    request.pipe(out);
  });
  const server = createServer();
  server.on('connect', (request, socket) => {
    const host = (request.url ?? '').split(':')[0] ?? '';
    const secureContext = contexts.get(host) ?? createSecureContext(ca.issue([host]));
    contexts.set(host, secureContext);
    socket.on('error', () => socket.destroy());
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    const secured = new TLSSocket(socket, { isServer: true, secureContext });
    secured.on('error', () => secured.destroy());
    inside.emit('connection', secured);
  });
  ready({ ...upstream, port: await portOf(server), proxy: true, ca: ca.certificate });
  endWithParent(() => agent.destroy());
}

async function serveMockttp(upstream: Ready): Promise<void> {
  const install = path.resolve(import.meta.dirname, '../../test/agents/install.sh');
  const installed = execFileSync(install, [path.join(import.meta.dirname, 'peers')], { encoding: 'utf8' }).trim();
  const { getLocal, generateCACertificate } = createRequire(path.join(installed, 'package.json'))('mockttp') as Mockttp;
  const https = await generateCACertificate({ subject: { commonName: 'mockttp' } });
  const server = getLocal({ https, http2: false, recordTraffic: false });
  await server.start();
  await server.forAnyRequest().thenForwardTo(`https://localhost:${upstream.upstream}`, {
    additionalTrustedCAs: [{ cert: upstream.upstreamCa }],
  });
  ready({ ...upstream, port: server.port, proxy: true, ca: https.cert });
  endWithParent(() => server.stop());
}

/** As much of its types as is used; it is installed by the benchmark alone. */
interface Mockttp {
  generateCACertificate(options: object): Promise<{ key: string; cert: string }>;
  getLocal(options: object): {
    readonly port: number;
    start(): Promise<void>;
    stop(): Promise<void>;
    forAnyRequest(): { thenForwardTo(target: string, options: object): Promise<unknown> };
  };
}

async function serveSquid(upstream: Ready): Promise<void> {
  const program = '/usr/sbin/squid';
  const certgen = '/usr/lib/squid/security_file_certgen';
  if (!existsSync(program) || !existsSync(certgen)) return ready({ missing: 'apt-get install -y squid-openssl' });
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-squid-'));
  chmodSync(folder, 0o777);
  const at = (name: string): string => path.join(folder, name);
  const { certificate, key } = await createAuthority({ clock: systemClock, random: systemRandom, tenant: 'squid' });
  writeFileSync(at('ca.pem'), `${certificate}\n${key}`);
  writeFileSync(at('upstream.pem'), upstream.upstreamCa);
  const names = ['api', ...Array.from({ length: 5000 }, (_, i) => `n${i}`)];
  writeFileSync(at('hosts'), names.map((name) => `127.0.0.1 ${name}.${domain}\n`).join(''));
  execFileSync(certgen, ['-c', '-s', at('certificates'), '-M', '16MB'], { stdio: 'ignore' });
  execFileSync('chown', ['-R', 'proxy', folder]);
  const probe = createServer();
  const port = await portOf(probe);
  await new Promise((resolve) => probe.close(resolve));
  writeFileSync(
    at('squid.conf'),
    [
      `http_port 127.0.0.1:${port} ssl-bump tls-cert=${at('ca.pem')} generate-host-certificates=on dynamic_cert_mem_cache_size=16MB`,
      `sslcrtd_program ${certgen} -s ${at('certificates')} -M 16MB`,
      'sslcrtd_children 2 startup=2 idle=1',
      'acl first at_step SslBump1',
      'ssl_bump peek first',
      'ssl_bump bump all',
      `tls_outgoing_options cafile=${at('upstream.pem')}`,
      `acl to_server port ${upstream.upstream}`,
      'http_access allow to_server',
      'http_access deny all',
      'cache deny all',
      `hosts_file ${at('hosts')}`,
      'access_log none',
      `cache_log ${at('cache.log')}`,
      `pid_filename ${at('pid')}`,
      `coredump_dir ${folder}`,
      'shutdown_lifetime 0 seconds',
      'workers 1',
      '',
    ].join('\n'),
  );
  const child = spawn(program, ['-N', '-f', at('squid.conf')], { stdio: 'ignore' });
  child.once('exit', (status) => {
    if (process.connected) throw new Error(`squid ended with ${status}; its log is in ${folder}`);
  });
  while (!(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, 50));
  ready({ ...upstream, port, proxy: true, ca: certificate });
  endWithParent(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function serveGateway(upstream: Ready, memo: boolean): Promise<void> {
  const names = ['api', ...Array.from({ length: 5000 }, (_, i) => `n${i}`)].map((name) => `${name}.${domain}`);
  const rig = await Rig.start({
    grants: [{ allow: `*.${domain}:${upstream.upstream}`, methods: ['GET', 'POST'] }],
    hosts: Object.fromEntries(names.map((name) => [`${name}:${upstream.upstream}`, upstream.upstream])),
    trust: [upstream.upstreamCa],
    ...(memo ? {} : { memoEntries: 0 }),
  });
  ready({ ...upstream, port: rig.ports.proxy, proxy: true, ca: rig.ca.certificate });
  endWithParent(() => rig[Symbol.asyncDispose]());
}

const upstream = JSON.parse(process.argv[3] ?? 'null') as Ready;
switch (process.argv[2]) {
  case 'upstream':
  case 'upstream-h2':
    await serveUpstream(process.argv[2] === 'upstream-h2');
    break;
  case 'direct':
    ready(upstream);
    endWithParent(() => undefined);
    break;
  case 'bare':
    await serveBare(upstream);
    break;
  case 'mockttp':
    await serveMockttp(upstream);
    break;
  case 'squid':
    await serveSquid(upstream);
    break;
  case 'gateway':
  case 'gateway-no-memo':
    await serveGateway(upstream, process.argv[2] === 'gateway');
    break;
  default:
    throw new Error(`no arm ${process.argv[2]}`);
}
