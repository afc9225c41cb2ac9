import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Destination, Interception } from '@cordon/egress';
import { isCordonError } from '@cordon/protocol';
import { readConnect, withScheme } from '../http/connect-head.ts';
import { destinationOf, type Place } from '../http/head.ts';
import type { WireHead } from '../http/wire-head.ts';
import type { GatewayLimits } from '../limits.ts';
import { answerRaw, problemOf } from '../refuse/answer.ts';
import { quote } from '../refuse/quote.ts';
import { isRefusal, type Refusal, refuse } from '../refuse/refusal.ts';
import type { Session } from '../session/session.ts';
import type { Connection } from './connection.ts';
import { classifyOpening, classifyRawOpening, type Opening } from './opening.ts';
import { peek } from './peek.ts';

export interface TunnelOptions {
  readonly limits: GatewayLimits;
  /** Under the tenant's current CA; null until the control plane has handed it over. */
  readonly interception: () => Promise<Interception | null>;
  /** Hands a readable conversation on, plain or terminated. */
  readonly inside: (session: Session, place: Place, socket: Duplex, hello: string) => void;
  /** Whether a grant speaks of raw TCP to there: then silence is waited for a moment only. */
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
  /** How the connection came; hashed with the intent. */
  readonly via: 'connect' | 'capture' | 'tls';
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
  await serveOpening({ session, channel, target, via: 'connect', socket }, options);
}

/** A tunnel in a tunnel would be a second way to say where a request goes; no client of ours needs one. */
function notHere(): Refusal {
  return refuse('method-not-allowed', 'CONNECT is served on the proxy socket only.');
}

/** The `tls` socket, :443: as CONNECT to the name in the ClientHello; one that names nothing is refused. */
export function serveTls(session: Session, channel: string, socket: Socket, options: TunnelOptions): Promise<void> {
  return serveOpening({ session, channel, target: null, via: 'tls', socket }, options);
}

/** A connection that did not ask the proxy: as CONNECT to where it was made to. */
export function serveCaptured(
  session: Session,
  channel: string,
  target: Destination,
  socket: Socket,
  options: TunnelOptions,
): Promise<void> {
  return serveOpening({ session, channel, target, via: 'capture', socket }, options);
}

/** A connection of which only the first bytes will say what it is. */
interface Opened extends Pick<TunnelAsk, 'session' | 'channel' | 'via' | 'socket'> {
  /** Where it was asked to lead; null: its ClientHello has to say. */
  readonly target: Destination | null;
}

async function serveOpening(opened: Opened, options: TunnelOptions): Promise<void> {
  const { session, channel, target, socket } = opened;
  const { limits } = options;
  const raw = target !== null && options.mayTunnel?.(session, target) === true;
  // Whoever connects to the name itself means what its socket in the sandbox gives, whichever address it has taken.
  if (raw && opened.via === 'capture') {
    await serveOther(opened, raw, null, options);
    return;
  }
  if (target !== null && !raw && opened.via === 'connect') foresee(session, target.host, options);
  const opening = await peek(socket, raw ? classifyRawOpening : classifyOpening, {
    bytesMax: limits.clientHelloBytesMax,
    timeoutMs: raw ? limits.silenceMs : limits.headTimeoutMs,
  });
  if (opening === null || opening.kind === 'unknown') {
    await serveOther(opened, raw, opening, options);
    return;
  }
  if (opening.kind === 'http') {
    if (target === null) speaksNothing(opened, options);
    else options.inside(session, { kind: 'inside', endpoint: withScheme(target, 'http') }, socket, 'plain');
    return;
  }
  const leads = target ?? namedBy(opening.serverName);
  if (leads !== null && (await options.tunnel?.({ ...opened, target: leads, opening })) === true) return;
  const agreed = agree(target, opening.serverName);
  if (isRefusal(agreed)) {
    options.refused(session, channel, agreed);
    socket.destroy();
    return;
  }
  await terminate(session, channel, agreed, socket, options);
}

/** A client takes as long for its hello as a certificate takes us. What goes wrong here is told when the hello is there. */
function foresee(session: Session, host: string, { interception }: TunnelOptions): void {
  interception()
    .then((authority) => authority?.context(host, session.id))
    .catch(() => undefined);
}

/** Neither TLS nor HTTP, or nothing at all: only a grant for raw TCP has a use for it. */
async function serveOther(
  opened: Opened,
  raw: boolean,
  opening: { readonly kind: 'unknown' } | null,
  options: TunnelOptions,
): Promise<void> {
  const { target, socket } = opened;
  const gone = socket.destroyed || socket.readableEnded;
  if (target !== null && !gone && (opening !== null || raw)) {
    if ((await options.tunnel?.({ ...opened, target, opening: opening ?? { kind: 'silent' } })) === true) return;
  }
  if (opening !== null) speaksNothing(opened, options);
  else socket.destroy();
}

function speaksNothing({ session, channel, socket }: Opened, options: TunnelOptions): void {
  options.refused(session, channel, refuse('malformed-request', 'The connection speaks neither TLS nor HTTP.'));
  socket.destroy();
}

/** Where a connection to :443 leads by the name in its ClientHello; one that has no reading is refused behind this. */
function namedBy(serverName: string | null): Destination | null {
  const named = serverName === null ? null : destinationOf('https', { host: serverName, port: 443 });
  return named === null || isRefusal(named) ? null : named;
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
  const detail = `The connection was opened for ${quote(target.host)}, but the TLS ClientHello names ${quote(named.host)}.`;
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
    const interception = await options.interception();
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
        : refuse('tls-client-refused', `The client gave up the TLS handshake for ${quote(agreed.host)} (${code}).`, {
            ...(agreed.place.kind === 'inside' ? { resource: agreed.place.endpoint.origin } : {}),
          });
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
