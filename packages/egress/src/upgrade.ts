import { hash } from 'node:crypto';
import { request as sendRequest } from 'node:http';
import type { Socket } from 'node:net';
import { egressError } from './error.ts';
import {
  abortReason,
  answerProblem,
  checkedHeaders,
  type HeaderPairs,
  type OutgoingHead,
  toAnswer,
  toFault,
  toPairs,
  type UpstreamAnswer,
  watchBody,
} from './exchange.ts';
import { limits } from './limits.ts';
import type { Pin } from './pin.ts';
import { type Pool, type PooledRequestArgs, poolName } from './pool.ts';

/** A server that has become the far end of a WebSocket. The caller owns the socket. */
export interface Upgraded {
  readonly kind: 'upgraded';
  readonly socket: Socket;
  /** Bytes of the first frames, if they came with the answer. */
  readonly head: Buffer;
  /** The one of those that were offered, which the server took. */
  readonly protocol: string | null;
  /** As they came. */
  readonly headers: HeaderPairs;
  readonly statusMessage: string;
  readonly address: string;
}

/** The server answered like any other request: nothing was upgraded. */
export interface NotUpgraded {
  readonly kind: 'answer';
  readonly answer: UpstreamAnswer;
}

export interface UpgradeOptions {
  /** One connection for this alone. */
  readonly pool: Pool;
  /** 16 random bytes in base64: proves that the answer is to this handshake (RFC 6455 §4.1). */
  readonly key: string;
  /** Subprotocols that the head offers. */
  readonly offered: readonly string[];
  readonly firstByteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly signals: readonly AbortSignal[];
}

/** RFC 6455 §1.3. */
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function acceptOf(key: string): string {
  return hash('sha1', `${key}${acceptGuid}`, 'base64');
}

/**
 * One WebSocket handshake as a client (RFC 6455 §4.1); no extension is offered. Resolves when the answer is sound: one
 * that agrees to something else than what was asked is `upstream-protocol`.
 * @throws CordonError of EgressErrorCode, or a signal's reason
 */
export function upgrade(head: OutgoingHead, pin: Pin, options: UpgradeOptions): Promise<Upgraded | NotUpgraded> {
  const args: PooledRequestArgs = {
    agent: options.pool,
    method: head.method,
    path: head.target,
    headers: [
      ...checkedHeaders(head, pin),
      ...['Upgrade', 'websocket', 'Connection', 'Upgrade'],
      ...['Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', options.key],
    ],
    maxHeaderSize: limits.answerHeaderBytesMax,
    insecureHTTPParser: false,
    pin,
    poolName: poolName(pin),
  };
  return new Promise((resolve, reject) => {
    const request = sendRequest(args);
    request.maxHeadersCount = 0;
    let answered = false;
    const forget = (): void => {
      clearTimeout(deadline);
      for (const signal of options.signals) signal.removeEventListener('abort', abort);
    };
    const give = (error: unknown): void => {
      forget();
      reject(error as Error);
      request.destroy();
    };
    const abort = (): void => {
      if (answered) request.destroy();
      else give(abortReason(options.signals));
    };
    for (const signal of options.signals) signal.addEventListener('abort', abort);
    const deadline = setTimeout(() => {
      give(egressError('upstream-first-byte', `${pin.host} sent no answer in time`));
    }, options.firstByteTimeoutMs);
    request.on('error', (error) => give(abortReason(options.signals) ?? toFault(error, request, pin, 1)));
    let interim = 0;
    request.on('information', () => {
      interim += 1;
      if (interim > limits.interimAnswersMax)
        give(egressError('upstream-protocol', `${pin.host} sent too many interim answers`));
    });
    request.on('upgrade', (answer, duplex, first) => {
      // The pool makes plain and TLS sockets only, and both are of this class.
      const socket = duplex as Socket;
      socket.on('error', () => socket.destroy());
      const headers = toPairs(answer.rawHeaders);
      const wrong = handshakeProblem(headers, answer.statusCode ?? 0, options);
      if (wrong !== null) {
        socket.destroy();
        give(egressError('upstream-protocol', `${pin.host} ${wrong}`));
        return;
      }
      forget();
      resolve({
        kind: 'upgraded',
        socket,
        head: first,
        protocol: values(headers, 'sec-websocket-protocol')[0] ?? null,
        headers,
        statusMessage: answer.statusMessage ?? '',
        address: socket.remoteAddress ?? '',
      });
    });
    request.on('response', (answer) => {
      const problem = answerProblem(answer);
      if (problem !== null) {
        give(egressError('upstream-protocol', `${pin.host} ${problem}`));
        return;
      }
      clearTimeout(deadline);
      answered = true;
      answer.once('close', forget);
      watchBody(answer, options.idleTimeoutMs, pin);
      resolve({ kind: 'answer', answer: toAnswer(answer, request, 1) });
    });
    request.end();
  });
}

/**
 * RFC 6455 §4.1, what a client must check; anything that it did not ask for ends the connection. A 101 without
 * `Connection: Upgrade` the parser hands out as an answer, where its status is refused.
 */
function handshakeProblem(headers: HeaderPairs, status: number, options: UpgradeOptions): string | null {
  if (status !== 101) return 'upgraded without saying so';
  const upgrades = values(headers, 'upgrade');
  if (upgrades.length !== 1 || upgrades[0]?.toLowerCase() !== 'websocket') return 'switched to another protocol';
  const accepts = values(headers, 'sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0] !== acceptOf(options.key)) return 'answered another handshake';
  if (values(headers, 'sec-websocket-extensions').length > 0) return 'chose an extension that was not offered';
  const protocols = values(headers, 'sec-websocket-protocol');
  if (protocols.length > 1 || protocols.some((protocol) => !options.offered.includes(protocol))) {
    return 'chose a subprotocol that was not offered';
  }
  return null;
}

function values(headers: HeaderPairs, name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}
