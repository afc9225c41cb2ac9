import type { Duplex } from 'node:stream';
import { takeRate } from '@cordon/policy';
import { GatewayError, type GatewayErrorCode } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';
import type { HeldBytes } from '../session/held.ts';
import { createReceiver, createSender, type Receiver, type Sender } from './frames.ts';

export type Opcode = 'text' | 'binary' | 'close';

/** One whole message. Pings are answered here and go nowhere; a close with a meaning is a message like the others. */
export interface Message {
  readonly opcode: Opcode;
  readonly data: Buffer;
  /** Of a close frame; 1005: it said nothing. */
  readonly code: number | null;
}

export interface PeerOptions {
  readonly socket: Duplex;
  /** Bytes that came with the handshake. */
  readonly head: Buffer;
  /** Which side we are: a client masks what it sends, a server what it gets must be masked (RFC 6455 §5.1). */
  readonly role: 'client' | 'server';
  readonly limits: GatewayLimits;
  readonly held: HeldBytes;
  readonly now: () => number;
}

/** How a broken rule of RFC 6455 is answered (§7.4.1), and what it is called in the record. */
const closeCodes: Readonly<Record<string, readonly [number, GatewayErrorCode]>> = {
  WS_ERR_INVALID_UTF8: [1007, 'websocket-protocol'],
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: [1009, 'websocket-too-large'],
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: [1009, 'websocket-too-large'],
  WS_ERR_TOO_MANY_BUFFERED_PARTS: [1008, 'websocket-flood'],
};

/** Why one side ended; `closeCode` is what that side is told. */
export class PeerEnd extends GatewayError {
  readonly closeCode: number | null;
  /** Ours towards that side: `server` is the agent's. */
  readonly role: PeerOptions['role'];

  constructor(role: PeerOptions['role'], code: GatewayErrorCode, message: string, closeCode: number | null) {
    super(code, message);
    this.closeCode = closeCode;
    this.role = role;
  }
}

/**
 * One side of a WebSocket: messages are taken one by one, and while one waits the socket is not read.
 * INVARIANT: what RFC 6455 forbids ends the connection before a byte of that message is handed out.
 */
export class Peer {
  readonly #socket: Duplex;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #role: PeerOptions['role'];
  readonly #limits: GatewayLimits;
  readonly #held: HeldBytes;
  readonly #now: () => number;
  readonly #queue: Message[] = [];
  #rate: number | undefined;
  #heldBytes = 0;
  #partial = 0;
  #end: PeerEnd | null = null;
  #waiting: { readonly resolve: (message: Message) => void; readonly reject: (end: PeerEnd) => void } | null = null;
  #closeSent = false;

  constructor(options: PeerOptions) {
    const { socket, role, limits } = options;
    this.#socket = socket;
    this.#role = role;
    this.#limits = limits;
    this.#held = options.held;
    this.#now = options.now;
    this.#sender = createSender(socket);
    this.#receiver = createReceiver({
      isServer: role === 'server',
      maxPayload: limits.websocketMessageBytesMax,
      maxFragments: limits.websocketFragmentsMax,
      maxBufferedChunks: limits.websocketChunksMax,
    });
    this.#listen(options.head);
  }

  /** The next message. @throws PeerEnd once this side has ended; messages that came before are handed out first */
  next(): Promise<Message> {
    const message = this.#queue.shift();
    if (message !== undefined) {
      this.#settleHeld();
      if (this.#queue.length === 0) this.#socket.resume();
      return Promise.resolve(message);
    }
    if (this.#end !== null) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Resolves when the other side has taken it off our hands. @throws PeerEnd `slow-reader`, or why this side ended */
  async send(message: Message): Promise<void> {
    if (this.#end !== null) throw this.#end;
    this.#sender.send(message.data, {
      binary: message.opcode === 'binary',
      fin: true,
      mask: this.#role === 'client',
      compress: false,
    });
    if (this.#socket.writableNeedDrain) await this.#drained();
  }

  ping(): void {
    if (this.#end === null && this.#takesControl()) this.#sender.ping(Buffer.alloc(0), this.#role === 'client');
  }

  /** Says why and ends; whoever does not answer is dropped after a moment. */
  close(code: number, reason: Buffer | string = ''): void {
    if (this.#closeSent || this.#socket.destroyed) return;
    this.#closeSent = true;
    this.#queue.length = 0;
    this.#fail(this.#ended('websocket-closed', 'we closed this side', null));
    this.#sender.close(code, reason, this.#role === 'client');
    this.#socket.end();
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), this.#limits.websocketCloseMs);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  /** For a side that was not told why: its connection just ends. */
  drop(): void {
    if (!this.#closeSent) this.#socket.destroy();
  }

  /** Nobody waits for these frames, so a peer that pings and reads nothing would fill the memory with the answers. */
  #takesControl(): boolean {
    return !this.#closeSent && !this.#socket.writableNeedDrain;
  }

  #ended(code: GatewayErrorCode, message: string, closeCode: number | null): PeerEnd {
    return new PeerEnd(this.#role, code, message, closeCode);
  }

  #listen(head: Buffer): void {
    const socket = this.#socket;
    const receiver = this.#receiver;
    receiver.on('message', (data, isBinary) => {
      this.#partial = 0;
      this.#arrived({ opcode: isBinary ? 'binary' : 'text', data, code: null });
    });
    receiver.on('conclude', (code, reason) => this.#arrived({ opcode: 'close', data: reason, code }));
    receiver.on('ping', (data) => {
      if (this.#admit() && this.#takesControl()) this.#sender.pong(data, this.#role === 'client');
    });
    receiver.on('pong', () => void this.#admit());
    receiver.on('error', (error) => {
      const [closeCode, code] = closeCodes[error.code ?? ''] ?? [1002, 'websocket-protocol'];
      this.#fail(this.#ended(code, 'the peer broke the rules of the protocol', closeCode));
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.once('end', () => this.#fail(this.#ended('stream-cut', 'the peer ended without a close frame', null)));
    socket.once('close', () => this.#fail(this.#ended('stream-cut', 'the peer is gone', null)));
    if (head.length > 0) this.#read(head);
    if (this.#queue.length === 0) socket.resume();
  }

  #read(chunk: Buffer): void {
    if (this.#end !== null) return;
    this.#partial += chunk.length;
    if (!this.#settleHeld()) {
      this.#fail(this.#ended('memory-full', 'too much is held for this session', 1013));
      return;
    }
    this.#receiver.write(chunk);
    this.#settleHeld();
    if (this.#queue.length > 0) this.#socket.pause();
  }

  /** What is in memory of this side counts as the session's, like bodies. */
  #settleHeld(): boolean {
    const target =
      this.#end === null ? this.#partial + this.#queue.reduce((sum, each) => sum + each.data.length, 0) : 0;
    const more = target - this.#heldBytes;
    if (more > 0 && !this.#held.take(more)) return false;
    if (more < 0) this.#held.give(-more);
    this.#heldBytes = target;
    return true;
  }

  #arrived(message: Message): void {
    if (this.#end !== null || !this.#admit()) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#queue.push(message);
    else waiting.resolve(message);
  }

  /** Every message and every control frame costs one; a flood ends at once, whatever was already queued. */
  #admit(): boolean {
    if (this.#end !== null) return false;
    const rate = { count: this.#limits.websocketMessagesPerSecondMax, windowMs: 1_000 };
    const taken = takeRate(this.#rate, rate, this.#now());
    if (taken.ok) {
      this.#rate = taken.state;
      return true;
    }
    this.#queue.length = 0;
    this.#fail(this.#ended('websocket-flood', 'too many messages a second', 1008));
    return false;
  }

  #fail(end: PeerEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#partial = 0;
    this.#settleHeld();
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(end);
  }

  #drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        socket.off('drain', drained);
        socket.off('close', closed);
        end();
      };
      const drained = (): void => settle(resolve);
      const closed = (): void => settle(() => reject(this.#end ?? this.#ended('stream-cut', 'the peer is gone', null)));
      const timer = setTimeout(
        () => settle(() => reject(this.#ended('slow-reader', 'the peer read nothing for too long', 1008))),
        this.#limits.slowReaderMs,
      );
      socket.once('drain', drained);
      socket.once('close', closed);
    });
  }
}
