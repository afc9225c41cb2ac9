import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import {
  CordonError,
  type Random,
  type RelayedSocket,
  readRelayHeader,
  relayAccepted,
  relayTokenBytes,
} from '@cordon/protocol';
import type { SandboxErrorCode } from '../error.ts';
import { driverLimits as limits } from '../limits.ts';

/**
 * The supervisor's side of a session's relay (native/launch/bridge.c): a folder of the session's own with two Unix
 * sockets. This one takes the streams of commands; the other is the gateway's, which may come and go.
 */
export class Relay {
  readonly folder: string;
  readonly token: Uint8Array;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** Connected, and not yet asked for. */
  readonly #arrived = new Map<number, Socket>();
  readonly #awaited = new Map<number, (socket: Socket) => void>();

  private constructor(folder: string, token: Uint8Array) {
    this.folder = folder;
    this.token = token;
    this.#server = createServer((socket) => void this.#receive(socket));
  }

  /** @throws CordonError `start-failed` */
  static async open(folder: string, random: Random): Promise<Relay> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const relay = new Relay(folder, random.bytes(relayTokenBytes));
    try {
      await new Promise<void>((resolve, reject) => {
        relay.#server.once('error', reject);
        relay.#server.listen({ path: path.join(folder, 'supervisor') }, resolve);
      });
    } catch (cause) {
      rmSync(folder, { recursive: true, force: true });
      throw new CordonError<SandboxErrorCode>('start-failed', `the relay has no socket: ${String(cause)}`, { cause });
    }
    // Later errors (no descriptors left) cost that one connection, which the relay makes again.
    relay.#server.on('error', () => undefined);
    return relay;
  }

  /** What a gateway needs to serve the socket that was handed over as the line of this number. */
  socketOf(ticket: number): RelayedSocket {
    return { path: path.join(this.folder, 'gateway'), token: Buffer.from(this.token).toString('hex'), ticket };
  }

  /** The stream that was handed over as the line of this number, when it comes. */
  take(ticket: number, taken: (socket: Socket) => void): void {
    const socket = this.#arrived.get(ticket);
    this.#arrived.delete(ticket);
    if (socket === undefined) this.#awaited.set(ticket, taken);
    else accept(socket, taken);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #receive(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    this.#open.add(socket);
    const header = await readRelayHeader(socket, this.token, limits.relayHeaderTimeoutMs);
    this.#open.delete(socket);
    if (header === null || header.local !== null || socket.destroyed || !this.#server.listening) {
      socket.destroy();
      return;
    }
    const taken = this.#awaited.get(header.ticket);
    this.#awaited.delete(header.ticket);
    if (taken !== undefined) return accept(socket, taken);
    // Its line comes over another channel and is still on its way.
    if (this.#arrived.size >= limits.relayStreamsWaitingMax || this.#arrived.has(header.ticket)) {
      socket.destroy();
      return;
    }
    this.#arrived.set(header.ticket, socket);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }
}

function accept(socket: Socket, taken: (socket: Socket) => void): void {
  socket.write(relayAccepted);
  taken(socket);
}
