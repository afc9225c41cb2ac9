import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  checkedHeaders,
  converse,
  type HeaderPairs,
  type OutgoingHead,
  toPairs,
  type UpstreamAnswer,
} from './exchange.ts';
import type { Pin } from './pin.ts';
import type { Pool } from './pool.ts';

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
export async function upgrade(head: OutgoingHead, pin: Pin, options: UpgradeOptions): Promise<Upgraded | NotUpgraded> {
  const headers = [
    ...checkedHeaders(head, pin),
    ...['Upgrade', 'websocket', 'Connection', 'Upgrade'],
    ...['Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', options.key],
  ];
  const switched = (answer: IncomingMessage, socket: Socket, first: Buffer): Upgraded | string => {
    socket.on('error', () => socket.destroy());
    const pairs = toPairs(answer.rawHeaders);
    return (
      handshakeProblem(pairs, answer.statusCode ?? 0, options) ?? {
        kind: 'upgraded',
        socket,
        head: first,
        protocol: values(pairs, 'sec-websocket-protocol')[0] ?? null,
        headers: pairs,
        statusMessage: answer.statusMessage ?? '',
        address: socket.remoteAddress ?? '',
      }
    );
  };
  const came = await converse(head, pin, { ...options, headers, body: null, attempts: 1, switched });
  return 'kind' in came ? came : { kind: 'answer', answer: came };
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
