import http from 'node:http';
import type { Duplex } from 'node:stream';
import { CordonError } from '@cordon/protocol';
import { apiErrorOf, type SdkErrorCode } from './error.ts';
import { limits } from './limits.ts';
import type { ApiAnswer, ApiRequest, ByteStream, Transport } from './transport.ts';

/** Else node:http asks whether the host is an address, and the pattern for that takes milliseconds to compile. */
const unnamed = { servername: '' } as const;

/** The API of the daemon on this machine. Being able to open the socket (mode 0600) is the authority to use it. */
export function unixTransport(socketPath: string): Transport {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16, ...unnamed });
  return {
    send: (request) => send(socketPath, agent, request),
    upgrade: (path, protocol, signal) => upgrade(socketPath, path, protocol, signal),
  };
}

function send(socketPath: string, agent: http.Agent, request: ApiRequest): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      {
        socketPath,
        agent,
        method: request.method,
        path: request.path,
        headers: {
          host: 'cordon',
          ...request.headers,
          ...(request.body === undefined ? {} : { 'content-length': Buffer.byteLength(request.body) }),
        },
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      },
      (incoming) => {
        const headers: Record<string, string | undefined> = {};
        for (const [name, value] of Object.entries(incoming.headers)) {
          headers[name] = Array.isArray(value) ? value.join(', ') : value;
        }
        resolve({ status: incoming.statusCode ?? 0, headers, body: incoming });
      },
    );
    outgoing.on('error', (error) => reject(unreachable(socketPath, error)));
    outgoing.end(request.body);
  });
}

function upgrade(socketPath: string, path: string, protocol: string, signal?: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const outgoing = http.request({
      socketPath,
      agent: false,
      ...unnamed,
      path,
      headers: { host: 'cordon', connection: 'Upgrade', upgrade: protocol },
      ...(signal === undefined ? {} : { signal }),
    });
    outgoing.on('error', (error) => reject(unreachable(socketPath, error)));
    outgoing.on('upgrade', (_answer, socket, head) => resolve(byteStream(socket, head)));
    outgoing.on('response', (incoming) => {
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (text: string) => {
        if (body.length < limits.eventBytesMax) body += text;
      });
      incoming.on('end', () => reject(apiErrorOf(incoming.statusCode ?? 0, body)));
      incoming.on('error', (error) => reject(unreachable(socketPath, error)));
    });
    outgoing.end();
  });
}

function byteStream(socket: Duplex, head: Buffer): ByteStream {
  if (head.length > 0) socket.unshift(head);
  return {
    input: socket as AsyncIterable<Uint8Array>,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(unreachable('the attach stream', error)) : resolve()));
      }),
    close: () => socket.destroy(),
  };
}

function unreachable(what: string, cause: Error): CordonError {
  return new CordonError<SdkErrorCode>('unreachable', `cannot reach the daemon at ${what}: ${cause.message}`, {
    cause,
    expose: true,
    nextSteps: ['cordon up', 'cordon status'],
  });
}
