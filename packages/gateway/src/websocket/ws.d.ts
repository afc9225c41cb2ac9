import type { Duplex, Writable } from 'node:stream';

/** What `ws` exports beside what its types name: the reader and the writer of frames, without a handshake. */
declare module 'ws' {
  export interface ReceiverEvents {
    message: [data: Buffer, isBinary: boolean];
    ping: [data: Buffer];
    pong: [data: Buffer];
    /** 1005: the close frame was empty (RFC 6455 §7.1.5). */
    conclude: [code: number, reason: Buffer];
    error: [error: Error & { readonly code?: string }];
    drain: [];
  }

  export class Receiver extends Writable {
    constructor(options: {
      readonly isServer: boolean;
      readonly maxPayload: number;
      readonly maxFragments: number;
      readonly maxBufferedChunks: number;
    });
    on<E extends keyof ReceiverEvents>(event: E, listener: (...args: ReceiverEvents[E]) => void): this;
  }

  export class Sender {
    constructor(socket: Duplex);
    send(
      data: Buffer,
      options: { readonly binary: boolean; readonly fin: true; readonly mask: boolean; readonly compress: false },
    ): void;
    close(code: number | undefined, reason: Buffer | string | undefined, mask: boolean): void;
    ping(data: Buffer, mask: boolean): void;
    pong(data: Buffer, mask: boolean): void;
  }
}
