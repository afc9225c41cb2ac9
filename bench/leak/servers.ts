import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { IssuedCertificate } from '@cordon/testkit';
import type { Fixture } from './fixture.ts';
import { readNpmCache } from './npm-cache.ts';

export const hosts = ['registry.npmjs.org', 'pypi.org', 'files.pythonhosted.org', 'git.example.com'] as const;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The public places of these names, on loopback: real names, real answers. */
export class Servers implements AsyncDisposable {
  readonly port: number;
  /** What was asked for and is not here; a run with any of these measured something else. */
  readonly missing: string[];
  readonly #server: Server;

  private constructor(port: number, missing: string[], server: Server) {
    this.port = port;
    this.missing = missing;
    this.#server = server;
  }

  static async start(tls: IssuedCertificate, fixture: Fixture): Promise<Servers> {
    const missing: string[] = [];
    const handlers: Readonly<Record<(typeof hosts)[number], Handler>> = {
      'registry.npmjs.org': npmRegistry(fixture.npm, missing),
      'pypi.org': pythonIndex(fixture.wheels),
      'files.pythonhosted.org': pythonFiles(fixture.wheels),
      'git.example.com': gitOverHttp(path.dirname(fixture.repository)),
    };
    const server = createServer({ ...tls, maxHeaderSize: 64 * 1024 }, (request, response) => {
      const name = (request.headers.host ?? '').replace(/:.*/, '');
      const handler = handlers[name as (typeof hosts)[number]];
      if (handler === undefined) response.writeHead(404).end();
      else handler(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Servers((server.address() as AddressInfo).port, missing, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function npmRegistry(folder: string, missing: string[]): Handler {
  const kept = readNpmCache(folder);
  return ({ method, url = '' }, response) => {
    const { pathname } = new URL(url, 'https://registry.npmjs.org');
    const answer = kept.get(pathname.toLowerCase());
    if (answer === undefined) {
      missing.push(`${method} ${pathname}`);
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not_found"}');
      return;
    }
    response.writeHead(200, { 'content-type': answer.type, 'content-length': answer.body.length });
    response.end(method === 'HEAD' ? undefined : answer.body);
  };
}

/** PEP 503: one page per project, links with digests. */
function pythonIndex(folder: string): Handler {
  const files = readdirSync(folder);
  return ({ url = '' }, response) => {
    const name = /^\/simple\/([^/]+)\/$/.exec(url)?.[1] ?? '';
    const own = files.filter((file) => normalized(file.split('-')[0] ?? '') === name);
    const links = own.map((file) => {
      const digest = hash('sha256', readFileSync(path.join(folder, file)));
      const place = `${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest.slice(4)}/${file}`;
      return `<a href="https://files.pythonhosted.org/packages/${place}#sha256=${digest}">${file}</a>`;
    });
    response.writeHead(own.length === 0 ? 404 : 200, { 'content-type': 'text/html' }).end(links.join('\n'));
  };
}

function pythonFiles(folder: string): Handler {
  return ({ url = '' }, response) => {
    const file = path.join(folder, path.basename(url));
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(readFileSync(file));
  };
}

function normalized(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** git's own server, as a CGI program (git-http-backend(1)). */
function gitOverHttp(root: string): Handler {
  return (request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'https://git.example.com');
    const child = spawn('git', ['http-backend'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        PATH: process.env['PATH'] ?? '',
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method ?? 'GET',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        HTTP_GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      },
    });
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdout.on('end', () => {
      const whole = Buffer.concat(chunks);
      const end = whole.indexOf('\r\n\r\n');
      const head = whole.subarray(0, end).toString().split('\r\n');
      const pairs = head.map((line) => line.split(/: (.*)/s) as [string, string]);
      const status = Number(pairs.find(([name]) => name === 'Status')?.[1].slice(0, 3) ?? 200);
      for (const [name, value] of pairs) if (name !== 'Status') response.setHeader(name, value);
      response.writeHead(status).end(whole.subarray(end + 4));
    });
  };
}
