import type { Duplex, Writable } from 'node:stream';
import * as ws from 'ws';

interface ReceiverEvents {
  message: [data: Buffer, isBinary: boolean];
  ping: [data: Buffer];
  pong: [data: Buffer];
  /** 1005: the close frame was empty (RFC 6455 §7.1.5). */
  conclude: [code: number, reason: Buffer];
  error: [error: Error & { readonly code?: string }];
}

export interface Receiver extends Omit<Writable, 'on'> {
  on<E extends keyof ReceiverEvents>(event: E, listener: (...args: ReceiverEvents[E]) => void): this;
}

interface ReceiverOptions {
  readonly isServer: boolean;
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
}

export interface Sender {
  send(
    data: Buffer,
    options: { readonly binary: boolean; readonly fin: true; readonly mask: boolean; readonly compress: false },
  ): void;
  close(code: number, reason: Buffer | string, mask: boolean): void;
  ping(data: Buffer, mask: boolean): void;
  pong(data: Buffer, mask: boolean): void;
}

/** What `ws` exports beside what its types name: the reader and the writer of frames, without a handshake. */
const exported = ws as unknown as {
  readonly Receiver: new (options: ReceiverOptions) => Receiver;
  readonly Sender: new (socket: Duplex) => Sender;
};

export const createReceiver = (options: ReceiverOptions): Receiver => new exported.Receiver(options);
export const createSender = (socket: Duplex): Sender => new exported.Sender(socket);
