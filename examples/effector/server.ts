import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server } from 'node:net';
import { type EffectorOptions, headerPairs, type Verification, verifyPermit } from '@cordon/sdk/effector';
import { type Payments, parsePayment } from './payments.ts';

const bodyBytesMax = 64 * 1024;

export interface ServerOptions {
  readonly effector: EffectorOptions;
  readonly payments: Payments;
  /** PEM; without them it speaks plain http, for a TLS terminator before it. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
}

/** A tool server that does nothing for anybody who shows no permit for the very request. */
export function createEffector(options: ServerOptions): Server {
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, options)
      .catch(() => ({ status: 500, body: { error: 'failed' } }))
      .then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
      });
  };
  return options.tls === null ? createServer(serve) : createTlsServer(options.tls, serve);
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function answer(request: IncomingMessage, { effector, payments }: ServerOptions): Promise<Answer> {
  const { method = '', url: target = '' } = request;
  const body = await read(request);
  if (body === null) return { status: 413, body: { error: 'too-large' } };
  const headers = headerPairs(request.rawHeaders);
  const verified: Verification = await verifyPermit({ method, target, headers, body }, effector);
  if (!verified.ok) return { status: 403, body: { error: verified.code } };
  if (method === 'GET' && target === '/payments') return { status: 200, body: payments.list() };
  if (method !== 'POST' || target !== '/payments') return { status: 404, body: { error: 'not-found' } };
  const payment = parsePayment(body);
  if (payment === null) return { status: 400, body: { error: 'no-payment' } };
  const at = new Date(effector.clock.now()).toISOString();
  return { status: 201, body: payments.pay(payment, verified.permit, at) };
}

/** The whole body, as it came; null for one that is too large. */
async function read(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
