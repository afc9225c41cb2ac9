import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Destination, Interception } from '@cordon/egress';
import { isCordonError } from '@cordon/protocol';
import { readConnect, withScheme } from '../http/connect-head.ts';
import { destinationOf, type Place, type WireHead } from '../http/head.ts';
import type { GatewayLimits } from '../limits.ts';
import { answerRaw, problemOf } from '../refuse/answer.ts';
import { quote } from '../refuse/quote.ts';
import { isRefusal, type Refusal, refuse } from '../refuse/refusal.ts';
import type { Session } from '../session/session.ts';
import type { Connection } from './connection.ts';
import { classifyOpening, type Opening } from './opening.ts';
import { peek } from './peek.ts';

export interface TunnelOptions {
  readonly limits: GatewayLimits;
  /** Under the tenant's current CA; null until the control plane has handed it over. */
  readonly interception: (signal: AbortSignal) => Promise<Interception | null>;
  /** Hands a readable conversation on, plain or terminated. */
  readonly inside: (session: Session, place: Place, socket: Duplex, hello: string) => void;
  /** Whether any grant of the session could tunnel to there: then silence is waited for a moment only. */
  readonly mayTunnel?: (session: Session, target: Destination) => boolean;
  /** Asked once the first bytes are known and before anything is terminated. true: the socket is the handler's now. */
  readonly tunnel?: (ask: TunnelAsk) => Promise<boolean>;
  /** For the record: what ended before there was a request to decide about. */
  readonly refused: (session: Session, channel: string, refusal: Refusal) => void;
}

/** What follows a CONNECT and could be passed on unread, if a grant says so. Plain HTTP is never offered. */
export interface TunnelAsk {
  readonly session: Session;
  readonly channel: string;
  /** Host and port of the CONNECT; its scheme says nothing. */
  readonly target: Destination;
  readonly opening: Exclude<Opening, { kind: 'http' }> | { readonly kind: 'silent' };
  /** Paused, with every byte put back. */
  readonly socket: Socket;
}

/**
 * CONNECT: always 200, and nothing is dialled for it. The requests inside are what is decided, so a host without any
 * grant still gets a 403 that the client can read.
 */
export async function serveConnect(
  connection: Connection,
  wire: WireHead,
  socket: Duplex,
  head: Buffer,
  options: TunnelOptions,
): Promise<void> {
  const { session, id: channel } = connection;
  const target = connection.place.kind === 'proxy' ? readConnect(wire) : notHere();
  if (isRefusal(target) || !(socket instanceof Socket)) {
    const refusal = isRefusal(target) ? target : notHere();
    options.refused(session, channel, refusal);
    answerRaw(socket, problemOf(refusal));
    return;
  }
  socket.pause();
  if (head.length > 0) socket.unshift(head);
  socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
  await serveOpening(session, channel, target, socket, options);
}

/** A tunnel in a tunnel would be a second way to say where a request goes; no client of ours needs one. */
function notHere(): Refusal {
  return refuse('method-not-allowed', 'CONNECT is served on the proxy socket only.');
}

/** The `tls` socket, :443: as CONNECT to the name in the ClientHello; one that names nothing is refused. */
export function serveTls(session: Session, channel: string, socket: Socket, options: TunnelOptions): Promise<void> {
  return serveOpening(session, channel, null, socket, options);
}

/** A connection that did not ask the proxy: as CONNECT to where it was made to. */
export function serveCaptured(
  session: Session,
  channel: string,
  target: Destination,
  socket: Socket,
  options: TunnelOptions,
): Promise<void> {
  return serveOpening(session, channel, target, socket, options);
}

async function serveOpening(
  session: Session,
  channel: string,
  target: Destination | null,
  socket: Socket,
  options: TunnelOptions,
): Promise<void> {
  const { limits } = options;
  const opening = await peek(socket, classifyOpening, {
    bytesMax: limits.clientHelloBytesMax,
    timeoutMs:
      target !== null && options.mayTunnel?.(session, target) === true ? limits.silenceMs : limits.headTimeoutMs,
  });
  if (target !== null && opening?.kind !== 'http' && !socket.destroyed) {
    const ask = { session, channel, target, opening: opening ?? ({ kind: 'silent' } as const), socket };
    if ((await options.tunnel?.(ask)) === true) return;
  }
  if (opening === null || opening.kind === 'unknown' || (opening.kind === 'http' && target === null)) {
    if (opening !== null) {
      options.refused(session, channel, refuse('malformed-request', 'The connection speaks neither TLS nor HTTP.'));
    }
    socket.destroy();
    return;
  }
  if (opening.kind === 'http') {
    if (target !== null)
      options.inside(session, { kind: 'inside', endpoint: withScheme(target, 'http') }, socket, 'plain');
    return;
  }
  const agreed = agree(target, opening.serverName);
  if (isRefusal(agreed)) {
    options.refused(session, channel, agreed);
    socket.destroy();
    return;
  }
  await terminate(session, channel, agreed, socket, options);
}

interface Agreement {
  readonly host: string;
  readonly place: Place;
}

/** INVARIANT: CONNECT's host and the SNI are one name; only a CONNECT to an IP literal may come without SNI. */
function agree(target: Destination | null, serverName: string | null): Agreement | Refusal {
  if (serverName === null) {
    if (target?.literal === true) return { host: target.host, place: { kind: 'inside', endpoint: target } };
    return refuse('misdirected-request', 'The ClientHello names no server, so there is no host to decide about.');
  }
  const named = destinationOf('https', { host: serverName, port: target?.port ?? 443 });
  if (isRefusal(named)) return named;
  if (target === null || target.origin === named.origin) {
    return { host: named.host, place: { kind: 'inside', endpoint: named } };
  }
  const detail = `CONNECT named ${quote(target.host)}, but the TLS ClientHello names ${quote(named.host)}.`;
  return { host: named.host, place: { kind: 'misdirected', detail } };
}

async function terminate(
  session: Session,
  channel: string,
  agreed: Agreement,
  socket: Socket,
  options: TunnelOptions,
): Promise<void> {
  const { signal, stop } = deadline(options.limits.handshakeTimeoutMs + options.limits.policyWaitMs, socket);
  try {
    const interception = await options.interception(signal);
    if (interception === null) {
      socket.destroy();
      return;
    }
    const secure = await interception.terminate(socket, agreed.host, session.id, signal);
    secure.on('error', () => secure.destroy());
    options.inside(session, agreed.place, secure, 'tls');
  } catch (error: unknown) {
    const code = isCordonError(error) ? error.code : 'tls-failed';
    const refusal =
      code === 'tls-name-rate'
        ? refuse('too-many-tls-names', `Too many new TLS names at once; ${quote(agreed.host)} was refused.`)
        : refuse('tls-client-refused', `The client gave up the TLS handshake for ${quote(agreed.host)} (${code}).`);
    options.refused(session, channel, refusal);
    socket.destroy();
  } finally {
    stop();
  }
}

/** Aborts after a while, or when the client has gone. */
function deadline(ms: number, socket: Socket): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, ms);
  socket.once('close', abort);
  return {
    signal: controller.signal,
    stop: () => {
      clearTimeout(timer);
      socket.off('close', abort);
    },
  };
}
