import { createServer, type Server } from 'node:http';
import type { Witness } from '@cordon/ledger';

const bodyBytesMax = 16 * 1024;
const requestTimeoutMs = 10_000;
const connectionsMax = 64;

/** `POST /add-checkpoint`, and `GET /checkpoint?origin=…` for who wants to compare with what this witness saw. */
export function serveWitness(witness: Witness): Server {
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    const end = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
    };
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://witness.invalid');
    if (request.method === 'GET' && pathname === '/checkpoint') {
      const note = witness.latest(searchParams.get('origin') ?? '');
      end(note === null ? 404 : 200, 'text/plain; charset=utf-8', note ?? 'no head of this log was seen\n');
      return;
    }
    if (request.method !== 'POST' || pathname !== '/add-checkpoint') {
      end(404, 'text/plain; charset=utf-8', 'this is a witness: POST /add-checkpoint\n');
      return;
    }
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > bodyBytesMax) request.destroy();
      else chunks.push(chunk);
    });
    request.on('end', () => {
      const { status, type, body } = witness.addCheckpoint(Buffer.concat(chunks).toString());
      end(status, type, body);
    });
  });
  server.maxConnections = connectionsMax;
  return server;
}
