import type { Duplex, Readable } from 'node:stream';
import type { WireHead } from '../http/wire-head.ts';

/** The shapes of what an agent's socket carries; the code that opens and reads sockets stays in this folder. */
export type { Socket } from 'node:net';

/** A request as its front took it, HTTP/1.1 or HTTP/2: the head as it stood on the wire, the body as a stream. */
export interface Incoming {
  readonly wire: WireHead;
  readonly body: Readable;
  /** The client may still be sending on a connection that will be closed: its bytes are thrown away for a moment. */
  readonly lingers: boolean;
  /** What an `Upgrade: websocket` left behind; null on every other request. */
  readonly upgrade: UpgradeSocket | null;
}

/** The socket under a request that asks to leave HTTP. Until it is taken, answers go out as for every request. */
export interface UpgradeSocket {
  /** Read by nobody. */
  readonly socket: Duplex;
  /** Bytes that came behind the head. */
  readonly head: Buffer;
  /** From now on nothing of ours writes to the socket; whoever took it answers on it and closes it. */
  take(): void;
}

/** The way back to the agent, as `node:http` has it; HTTP/2 streams are given the same shape. */
export interface Reply {
  shouldKeepAlive: boolean;
  sendDate: boolean;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  readonly writableLength: number;
  /** `headers` are names and values in turn. */
  writeHead(status: number, message: string | undefined, headers: string[]): unknown;
  writeContinue(): void;
  flushHeaders(): void;
  /** `taken`: it waits here no longer. */
  write(chunk: Buffer, taken?: () => void): boolean;
  /** `sent`: everything was handed to the connection. Never called when that did not happen. */
  end(chunk?: Buffer, sent?: () => void): unknown;
  /** Without an end: what was sent must not look like a whole answer. */
  destroy(): unknown;
  on(event: 'close' | 'drain' | 'error', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'error', listener: () => void): unknown;
}
