import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type FrameAbuse, FrameMeter, letGoOfSession, MeteredSocket } from '@cordon/egress';
import { assertNever, type Clock } from '@cordon/protocol';
import { wireOfH2 } from '../http/h2-head.ts';
import type { GatewayLimits } from '../limits.ts';
import { type Refusal, refuse } from '../refuse/refusal.ts';
import type { Connection } from './connection.ts';
import { H2Reply } from './h2-reply.ts';
import type { Incoming, Reply } from './wire.ts';

export interface H2Handlers {
  /** Answers in every case. */
  request(connection: Connection, request: Incoming, response: Reply): Promise<void>;
  /** What ended a whole connection. */
  refused(connection: Connection, refusal: Refusal): void;
}

export interface H2FrontOptions {
  readonly handlers: H2Handlers;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
}

/** HTTP/2 inside terminated TLS: each stream is a request like any other, beside others of its connection. */
export class H2Front implements Disposable {
  readonly #options: H2FrontOptions;
  readonly #open = new Set<H2Conversation>();

  constructor(options: H2FrontOptions) {
    this.#options = options;
  }

  attach(connection: Connection): void {
    const conversation = new H2Conversation(connection, this.#options);
    this.#open.add(conversation);
    connection.socket.once('close', () => this.#open.delete(conversation));
  }

  [Symbol.dispose](): void {
    for (const conversation of [...this.#open]) conversation[Symbol.dispose]();
  }
}

/** What client and gateway agreed upon by ALPN. */
export function speaksH2(socket: Duplex): boolean {
  return socket instanceof TLSSocket && socket.alpnProtocol === 'h2';
}

class H2Conversation implements Disposable {
  readonly #connection: Connection;
  readonly #options: H2FrontOptions;
  readonly #meter: FrameMeter;
  readonly #session: ServerHttp2Session;
  #timers = new Map<'settings' | 'head' | 'idle' | 'linger', NodeJS.Timeout>();
  readonly #streams = new Set<ServerHttp2Stream>();
  #served = 0;
  #ended = false;

  constructor(connection: Connection, options: H2FrontOptions) {
    const { limits, clock } = options;
    this.#connection = connection;
    this.#options = options;
    this.#meter = new FrameMeter(
      {
        resetsBurst: limits.h2ResetsAtOnceMax,
        resetsPerSecond: limits.h2ResetsPerSecond,
        controlFramesBurst: limits.h2ControlFramesAtOnceMax,
        controlFramesPerSecond: limits.h2ControlFramesPerSecond,
        headsBurst: limits.h2HeadsAtOnceMax,
        headsPerSecond: limits.h2HeadsPerSecond,
      },
      'client',
      clock.monotonic(),
    );
    const socket = new MeteredSocket(connection.socket, this.#meter, clock, (abuse) => this.#onRead(abuse));
    this.#session = performServerHandshake(socket, sessionOptions(limits));
    this.#session.on('error', (error: Error) => this.#onError(error));
    this.#session.on('stream', (stream, _headers, _flags, raw) => this.#onStream(stream, raw));
    this.#session.on('close', () => this.#onClose());
    connection.socket.once('close', () => this.#forgetTimers());
    this.#after('settings', limits.h2SettingsMs, () => {
      this.#end(refuse('request-timeout', 'No SETTINGS came behind the start of HTTP/2.'), 'settingsTimeout');
    });
    this.#watchIdle();
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
    this.#connection.socket.destroy();
  }

  #onRead(abuse: FrameAbuse | null): void {
    if (abuse !== null) {
      this.#end(abuseRefusal(abuse), 'calm');
      return;
    }
    if (this.#meter.settingsSeen) this.#stop('settings');
    if (!this.#meter.headOpen) this.#stop('head');
    else if (!this.#timers.has('head')) {
      this.#after('head', this.#options.limits.headTimeoutMs, () => {
        this.#end(refuse('request-timeout', 'The request head did not arrive in time.'), 'calm');
      });
    }
  }

  #onStream(stream: ServerHttp2Stream, raw: readonly string[]): void {
    const { limits, clock, handlers } = this.#options;
    // INVARIANT: before anything else; an unhandled stream error would end the process.
    stream.on('error', () => undefined);
    this.#meter.accepted();
    this.#streams.add(stream);
    this.#served += 1;
    this.#stop('idle');
    const id = stream.id ?? 0;
    this.#meter.follow(id);
    const reply = new H2Reply(stream, {
      wrote: (bytes) => this.#meter.wrote(bytes),
      broken: () => this.#session.destroyed || this.#meter.wasReset(id),
    });
    stream.once('close', () => {
      this.#streams.delete(stream);
      // Whoever waits for the end of the answer asks in this event, too.
      setImmediate(() => this.#meter.forget(id));
      const abuse = stream.aborted && !reply.cut ? this.#meter.aborted(clock.monotonic()) : null;
      if (abuse !== null) this.#end(abuseRefusal(abuse), 'calm');
      this.#watchIdle();
    });
    if (this.#served >= limits.requestsPerConnectionMax) this.#session.close();
    const ended = stream.endAfterHeaders;
    if (ended) stream.resume();
    const request = { wire: wireOfH2(raw, ended), body: stream, lingers: false, upgrade: null };
    handlers.request(this.#connection, request, reply).catch(() => {
      // The handler answers and records its own faults; one that escapes ends the connection (I3).
      this.#connection.socket.destroy();
    });
  }

  /** PING does not keep a connection alive that asks for nothing. */
  #watchIdle(): void {
    if (this.#streams.size > 0 || this.#ended || this.#session.destroyed) return;
    this.#after('idle', this.#options.limits.keepAliveIdleMs, () => this.#session.close());
  }

  #onError(error: Error): void {
    letGoOfSession(error);
    const code = 'code' in error ? String(error.code) : '';
    // A GOAWAY of the client, or an end that was our own: there is nothing to say about either.
    if (this.#ended || code === 'ERR_HTTP2_SESSION_ERROR' || code === 'ECONNRESET') return;
    this.#ended = true;
    this.#options.handlers.refused(this.#connection, refuse('http2-protocol', `The connection ended: ${code}.`));
  }

  /** Ends every stream; GOAWAY says why (RFC 9113 §7). */
  #end(refusal: Refusal, how: keyof typeof goawayCodes): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.handlers.refused(this.#connection, refusal);
    this.#forgetTimers();
    if (this.#session.destroyed) return;
    for (const stream of this.#streams) stream.destroy();
    // Destroyed at once, the GOAWAY would be lost behind what is still being written. Nothing is read any more.
    this.#session.goaway(goawayCodes[how]);
    this.#after('linger', this.#options.limits.lingerMs, () => this.#connection.socket.destroy());
  }

  #onClose(): void {
    this.#forgetTimers();
    const { socket } = this.#connection;
    // The client has a moment to read the GOAWAY; what it still sends goes nowhere.
    if (!socket.destroyed) this.#after('linger', this.#options.limits.lingerMs, () => socket.destroy());
  }

  #after(name: 'settings' | 'head' | 'idle' | 'linger', ms: number, then: () => void): void {
    this.#stop(name);
    this.#timers.set(name, setTimeout(then, ms));
  }

  #stop(name: 'settings' | 'head' | 'idle' | 'linger'): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #forgetTimers(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

const goawayCodes = {
  calm: constants.NGHTTP2_ENHANCE_YOUR_CALM,
  settingsTimeout: constants.NGHTTP2_SETTINGS_TIMEOUT,
} as const;

function sessionOptions(limits: GatewayLimits): Parameters<typeof performServerHandshake>[1] {
  return {
    maxSessionMemory: Math.floor(limits.h2SessionBytesMax / 1_000_000),
    // Counted with the pseudo-headers. What is a little over our own limit still gets a readable 431.
    maxHeaderListPairs: limits.h2FieldsMax,
    // The meter's bound is reached first; this one is nghttp2's, behind it.
    ...{ streamResetBurst: 2 * limits.h2ResetsAtOnceMax, streamResetRate: 2 * limits.h2ResetsPerSecond },
    settings: {
      maxConcurrentStreams: limits.h2StreamsMax,
      maxHeaderListSize: limits.headBytesMax,
      enableConnectProtocol: false,
    },
  };
}

function abuseRefusal(abuse: FrameAbuse): Refusal {
  switch (abuse) {
    case 'resets':
      return refuse('http2-abuse', 'Too many requests were broken off.');
    case 'heads':
      return refuse('http2-abuse', 'Too many request heads were malformed.');
    case 'push':
    case 'control-frames':
      return refuse('http2-abuse', 'Too many frames carried nothing.');
    default:
      return assertNever(abuse, 'frame abuse');
  }
}
