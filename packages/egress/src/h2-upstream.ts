import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@cordon/protocol';
import { egressError } from './error.ts';
import { letGoOfSession } from './h2-error.ts';
import { type FrameAbuse, FrameMeter } from './h2-frames.ts';
import { MeteredSocket } from './h2-socket.ts';
import { limits } from './limits.ts';
import type { Pin } from './pin.ts';

/** One HTTP/2 connection to a server. It belongs to one session, origin and credential, and so do all of its streams. */
export class H2Upstream {
  readonly address: string;
  readonly #session: ClientHttp2Session;
  readonly #socket: TLSSocket;
  readonly #meter: FrameMeter;
  readonly #host: string;
  readonly #streams = new Set<ClientHttp2Stream>();
  #over: (() => void) | null = null;
  #served = 0;
  #retired = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(socket: TLSSocket, pin: Pin, clock: Pick<Clock, 'monotonic'>) {
    this.#socket = socket;
    this.#host = pin.host;
    this.address = socket.remoteAddress ?? '';
    this.#meter = new FrameMeter(
      {
        resetsBurst: limits.h2ResetsAtOnceMax,
        resetsPerSecond: limits.h2ResetsPerSecond,
        controlFramesBurst: limits.h2ControlFramesAtOnceMax,
        controlFramesPerSecond: limits.h2ControlFramesPerSecond,
        headsBurst: limits.h2HeadsAtOnceMax,
        headsPerSecond: limits.h2HeadsPerSecond,
      },
      'server',
      clock.monotonic(),
    );
    const metered = new MeteredSocket(
      socket,
      this.#meter,
      clock,
      (abuse) => this.#onRead(abuse),
      (tell) => this.#onOver(tell),
    );
    this.#session = connect(pin.origin, {
      createConnection: () => metered,
      maxReservedRemoteStreams: 0,
      maxHeaderListPairs: limits.answerHeadersMax + 32,
      maxSessionMemory: Math.floor(limits.h2SessionBytesMax / 1_000_000),
      settings: {
        enablePush: false,
        maxHeaderListSize: limits.answerHeaderBytesMax,
        initialWindowSize: limits.h2StreamWindowBytes,
      },
    });
    this.#session.on('error', letGoOfSession);
    this.#session.on('close', () => this.destroy());
    this.#session.once('connect', () => {
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(limits.h2SessionWindowBytes);
    });
    this.#watchIdle();
  }

  /** Whether new requests may go here. */
  get usable(): boolean {
    return !this.#retired && !this.#session.closed && !this.#session.destroyed && !this.#socket.destroyed;
  }

  get served(): number {
    return this.#served;
  }

  /** What the server has sent so far, TLS taken off. */
  get bytesRead(): number {
    return this.#meter.bytesRead;
  }

  /** `fields` are names and values in turn, pseudo-headers first. The stream's `error` must get a listener at once. */
  request(fields: readonly string[], body: Buffer | null): ClientHttp2Stream {
    clearTimeout(this.#idle);
    const stream = this.#session.request(fields, { endStream: body === null });
    this.#streams.add(stream);
    this.#served += 1;
    // The head, every interim one, and trailers.
    this.#meter.accepted(limits.interimAnswersMax + 4);
    const follow = (): void => this.#meter.follow(stream.id ?? 0);
    if (stream.pending) stream.once('ready', follow);
    else follow();
    stream.once('close', () => {
      this.#streams.delete(stream);
      this.#meter.forget(stream.id ?? 0);
      if (this.#over !== null && this.#streams.size === 0) this.#over();
      this.#watchIdle();
    });
    if (body !== null) {
      this.#meter.wrote(body.length);
      stream.end(body);
    }
    return stream;
  }

  /** The server has ended this answer in order: it is whole. */
  finished(stream: ClientHttp2Stream): boolean {
    return this.#meter.finished(stream.id ?? 0);
  }

  /** The server has broken the stream off; where it has not, an error is what nghttp2 found wrong. */
  wasReset(stream: ClientHttp2Stream): boolean {
    return this.#meter.wasReset(stream.id ?? 0);
  }

  /** No new requests; ends with the last answer. */
  retire(): void {
    this.#retired = true;
    if (!this.#session.destroyed) this.#session.close();
  }

  destroy(): void {
    this.#retired = true;
    clearTimeout(this.#idle);
    if (!this.#session.destroyed) this.#session.destroy();
    this.#socket.destroy();
  }

  #watchIdle(): void {
    clearTimeout(this.#idle);
    if (this.#streams.size > 0 || this.#session.destroyed) return;
    this.#idle = setTimeout(() => this.destroy(), limits.keepAliveIdleMs);
  }

  /**
   * The server has closed. Node would throw away with the connection what was not read yet of answers that are whole;
   * those are read to their end first.
   */
  #onOver(tell: () => void): void {
    this.#retired = true;
    this.#over = tell;
    for (const stream of this.#streams) {
      if (!this.finished(stream)) stream.destroy();
    }
    if (this.#streams.size === 0) tell();
  }

  #onRead(abuse: FrameAbuse | null): void {
    if (abuse === null) return;
    const error = egressError('upstream-protocol', `${this.#host} sent too much of what carries nothing (${abuse})`);
    this.#retired = true;
    this.#session.destroy(error, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#socket.destroy();
  }
}
