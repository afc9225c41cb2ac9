import { constants, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2';
import { CordonError } from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import type { Reply } from './wire.ts';

/** RFC 9113 §8.2.2: they are about an HTTP/1.1 connection, and a client must take them for an error. */
const connectionSpecific: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

export interface ReplyWatch {
  /** Told of each part of a body. */
  readonly wrote: (bytes: number) => void;
  /** Whether the client reset the stream, or the connection is gone. */
  readonly broken: () => boolean;
}

/** The answer on one HTTP/2 stream. The stream's `error` must have a listener. */
export class H2Reply implements Reply {
  readonly #stream: ServerHttp2Stream;
  readonly #watch: ReplyWatch;
  #ended = false;
  /** The newest part, for a moment: with the end right behind it both are one frame, one record of TLS and one system call. */
  #last: { readonly chunk: Buffer; readonly taken: (() => void) | undefined } | null = null;
  /** Ended by us before its time. */
  cut = false;
  shouldKeepAlive = true;
  sendDate = false;

  constructor(stream: ServerHttp2Stream, watch: ReplyWatch) {
    this.#stream = stream;
    this.#watch = watch;
    // A client that is still sending is told to stop, which is no error (RFC 9113 §8.1).
    stream.once('finish', () => {
      if (!stream.readableEnded && !stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  get writableEnded(): boolean {
    return this.#stream.writableEnded;
  }

  get writableFinished(): boolean {
    // Node ends the writable side of a stream that is reset, too; and a stream that both sides have ended may close
    // before it says that it has finished.
    const { writableFinished, aborted, closed, rstCode } = this.#stream;
    if (!this.#ended || aborted) return false;
    return writableFinished || (closed && rstCode === constants.NGHTTP2_NO_ERROR && !this.#watch.broken());
  }

  get writableLength(): number {
    return this.#stream.writableLength + (this.#last?.chunk.length ?? 0);
  }

  /** @throws CordonError `upstream-protocol` for a status that HTTP does not have (RFC 9110 §15) */
  writeHead(status: number, _message: string | undefined, headers: string[]): void {
    if (this.destroyed) return;
    if (status > 599) throw new CordonError('upstream-protocol', 'a status over 599', { expose: true });
    const fields = [':status', String(status)];
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = (headers[i] ?? '').toLowerCase();
      if (!connectionSpecific.has(name)) fields.push(name, headers[i + 1] ?? '');
    }
    // `sendDate` is Node's own option, missing in its types: a Date that upstream did not send is not ours to add.
    this.#stream.respond(fields, { sendDate: this.sendDate } as ServerStreamResponseOptions);
  }

  writeContinue(): void {
    if (!this.destroyed) this.#stream.additionalHeaders({ ':status': 100 });
  }

  flushHeaders(): void {
    // `respond` has sent them.
  }

  write(chunk: Buffer, taken?: () => void): boolean {
    this.#watch.wrote(chunk.length);
    this.#pass();
    this.#last = { chunk, taken };
    setImmediate(() => this.#pass());
    return !this.#stream.writableNeedDrain;
  }

  end(chunk?: Buffer, sent?: () => void): void {
    const stream = this.#stream;
    this.#ended = true;
    if (sent !== undefined) {
      if (this.writableFinished) setImmediate(sent);
      else this.#whenFinished(sent);
    }
    if (chunk !== undefined) this.#pass();
    const last = chunk ?? this.#last?.chunk;
    this.#last = null;
    if (!stream.writableEnded) stream.end(last);
  }

  #pass(): void {
    const last = this.#last;
    this.#last = null;
    // After a 205 the stream has ended with its head; a server that sends a body all the same sends it to nobody.
    if (last !== null && !this.#stream.writableEnded) this.#stream.write(last.chunk, last.taken);
  }

  #whenFinished(sent: () => void): void {
    const stream = this.#stream;
    const finish = (): void => {
      if (!this.writableFinished) return;
      stream.off('finish', finish);
      stream.off('close', finish);
      sent();
    };
    stream.on('finish', finish);
    stream.on('close', finish);
  }

  destroy(): void {
    this.cut = true;
    this.#last = null;
    this.#stream.destroy(new GatewayError('stream-cut', 'the answer was cut'));
  }

  on(event: 'close' | 'drain' | 'error', listener: () => void): void {
    this.#stream.on(event, listener);
  }

  once(event: 'close', listener: () => void): void {
    this.#stream.once(event, listener);
  }

  off(event: 'error', listener: () => void): void {
    this.#stream.off(event, listener);
  }
}
