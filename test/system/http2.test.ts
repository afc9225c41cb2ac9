import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { destinationsOf, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Deployment, ordinaryUser, type Run } from '../support/deployment.ts';
import { until } from '../support/until.ts';

const host = 'api.test.example';

describe.each(['root', 'ordinary'] as const)('HTTP/2 from inside a session, started by %s', (user) => {
  const as = user === 'ordinary' ? ordinaryUser : undefined;
  const weaker = as === undefined ? [] : ['--allow-weaker', 'cgroups'];
  const ca = new TestCa();
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  let server: Http2SecureServer;
  let deployment: Deployment;

  beforeAll(async () => {
    const { key, cert } = ca.issue([host]);
    server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
      asked.push(`${request.method} ${request.url} ${request.httpVersion}`);
      response.end(`to ${request.url}\n`);
    });
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const destinations = destinationsOf({ [host]: (server.address() as AddressInfo).port }, ca);
    deployment = await Deployment.start({ ...(as === undefined ? {} : { as }), destinations });
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  beforeEach(() => {
    asked.length = 0;
  });

  const curl = (options: string, ...paths: string[]): Promise<Run> => {
    const urls = paths.map((path) => `-o - https://${host}${path}`).join(' ');
    return deployment.sh(`curl -sS -m 20 -w 'version %{http_version}\\n' ${options} ${urls}`, [
      ...weaker,
      ...['--allow', `${host}/open/**:GET,POST`],
    ]);
  };

  it('a client that offers it gets it, and so does the server behind us', async () => {
    const run = await curl('--http2 --data hello', '/open/a');
    expect(run.stdout, run.stderr).toBe('to /open/a\nversion 2\n');
    expect(asked).toEqual(['POST /open/a 2.0']);
    const logged = async (): Promise<string> => (await deployment.cordon(['logs', '--json'])).stdout;
    // The end of a request is in the index a moment after the client has its answer.
    await until(async () => (await logged()).includes('"status":200'), 'the end of the request in the log', 20_000);
    const [row] = (await logged()).split('\n').filter((line) => line.includes('/open/a'));
    expect(JSON.parse(row ?? '')).toMatchObject({ outcome: 'allow', status: 200, bytesOut: 5, bytesIn: 11 });
  });

  it('many requests at once are each decided: those that are granted go, the others are answered by us', async () => {
    const paths = ['/open/a', '/closed/b', '/open/c', '/closed/d', '/open/e'];
    const run = await curl('--http2 --parallel', ...paths);
    expect(run.stdout.match(/version 2/g), run.stderr).toHaveLength(5);
    expect(run.stdout.match(/to \/open\/[ace]/g)).toHaveLength(3);
    expect(run.stdout.match(/"code":\s*"no-grant"/g)).toHaveLength(2);
    expect([...asked].sort()).toEqual(['GET /open/a 2.0', 'GET /open/c 2.0', 'GET /open/e 2.0']);
  });

  it('a client that does not is spoken to in HTTP/1.1, and the server too', async () => {
    const run = await curl('--http1.1', '/open/a');
    expect(run.stdout, run.stderr).toBe('to /open/a\nversion 1.1\n');
    expect(asked).toEqual(['GET /open/a 1.1']);
  });
});
