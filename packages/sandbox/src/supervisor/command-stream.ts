import type { Readable } from 'node:stream';
import {
  AttachDecoder,
  type AttachFrame,
  type AttachFrameType,
  type ExitReport,
  encodeAttachFrames,
} from '@cordon/protocol';
import type { SandboxCommand } from '../driver.ts';
import { supervisorLimits } from '../limits.ts';
import { parseResize, parseSignal } from './attach-input.ts';
import { type OutputKind, OutputRing } from './ring.ts';

/** The client's end of an attach stream; a Unix socket, or anything like it. */
export interface AttachSocket {
  write(bytes: Uint8Array): boolean;
  end(): void;
  destroy(): void;
  pause(): void;
  resume(): void;
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  on(event: 'drain' | 'close', listener: () => void): unknown;
}

interface Client {
  readonly socket: AttachSocket;
  blocked: boolean;
}

/**
 * One command's input and output, for any number of clients that come and go.
 * A client that reads slowly pauses the command; so does the first one while it is still on its way, or the beginning
 * of a fast command's output would be gone before anybody could read it. With no client left the output runs into the
 * ring, where the oldest is dropped. What the command writes is data: it is framed here and never interpreted.
 */
export class CommandStream {
  readonly #command: SandboxCommand;
  readonly #ring = new OutputRing();
  readonly #clients = new Set<Client>();
  readonly #notices: object[] = [];
  #exit: ExitReport | null = null;
  /** Whoever started the command has not attached yet. */
  #awaited = true;
  /** The command has ended: nothing is left to slow down. */
  #draining = false;
  /** Settles after the exit frame was written. */
  readonly finished: Promise<void>;

  /** `explain` turns the driver's report into the one that is told (a kill has a reason). */
  constructor(command: SandboxCommand, explain: (exit: ExitReport) => ExitReport) {
    this.#command = command;
    // A command that does not read its input is no fault of ours.
    command.stdin.on('error', () => undefined);
    const patience = setTimeout(() => this.#stopWaiting(), supervisorLimits.firstClientWaitMs).unref();
    void command.exit.finally(() => clearTimeout(patience));
    const ends = (['stdout', 'stderr'] as const).map((kind) => this.#read(kind, command[kind]));
    this.finished = this.#finish(Promise.all(ends), explain);
  }

  get exit(): ExitReport | null {
    return this.#exit;
  }

  /** Sends what the client has not seen, then everything as it comes. `early` came with the client's first line. */
  attach(socket: AttachSocket, offset: number, early: Uint8Array): void {
    if (this.#clients.size >= supervisorLimits.clientsPerStreamMax) {
      socket.write(noticeFrame({ code: 'too-many-clients' }));
      socket.end();
      return;
    }
    const client: Client = { socket, blocked: false };
    this.#clients.add(client);
    const decoder = new AttachDecoder();
    socket.on('data', (chunk) => this.#receive(client, decoder, chunk));
    socket.on('drain', () => this.#unblock(client));
    socket.on('close', () => {
      this.#clients.delete(client);
      this.#flow();
    });
    for (const notice of this.#notices) this.#send(client, noticeFrame(notice));
    this.#replay(client, offset);
    if (early.length > 0) this.#receive(client, decoder, early);
    if (this.#exit !== null) this.#close(client, this.#exit);
    this.#stopWaiting();
  }

  #stopWaiting(): void {
    this.#awaited = false;
    this.#flow();
  }

  /** Cordon's own words to whoever is attached; `keep` also to whoever attaches later. */
  notice(value: object, keep = false): void {
    if (keep) this.#notices.push(value);
    for (const client of this.#clients) this.#send(client, noticeFrame(value));
  }

  #replay(client: Client, offset: number): void {
    const start = Math.min(offset, this.#ring.end);
    const lost = this.#ring.start - start;
    if (lost > 0 || start !== offset) {
      this.#send(
        client,
        noticeFrame({ code: 'output-lost', bytes: Math.max(0, lost), offset: Math.max(start, this.#ring.start) }),
      );
    }
    for (const chunk of this.#ring.from(start)) this.#sendAll(client, chunk.kind, chunk.bytes);
  }

  #read(kind: OutputKind, stream: Readable): Promise<void> {
    return new Promise((resolve) => {
      stream.on('data', (chunk: Uint8Array) => {
        this.#ring.append(kind, chunk);
        for (const client of this.#clients) this.#sendAll(client, kind, chunk);
        this.#flow();
      });
      // `close` comes last in every case; a broken stream ends the output, not the session.
      stream.on('error', () => resolve());
      stream.on('end', () => resolve());
      stream.on('close', () => resolve());
    });
  }

  async #finish(ends: Promise<unknown>, explain: (exit: ExitReport) => ExitReport): Promise<void> {
    const exit = await this.#command.exit;
    // A paused stream cannot end; the clients' own buffers take the little that is left.
    this.#draining = true;
    this.#flow();
    const grace = new Promise((resolve) => setTimeout(resolve, supervisorLimits.outputGraceMs).unref());
    await Promise.race([ends, grace]);
    this.#exit = explain(exit);
    for (const client of this.#clients) this.#close(client, this.#exit);
  }

  #close(client: Client, exit: ExitReport): void {
    this.#sendAll(client, 'exit', Buffer.from(JSON.stringify(exit)));
    this.#clients.delete(client);
    client.socket.end();
  }

  #sendAll(client: Client, type: AttachFrameType, bytes: Uint8Array): void {
    for (const frame of encodeAttachFrames(type, bytes)) this.#send(client, frame);
  }

  #send(client: Client, frame: Uint8Array): void {
    if (!client.socket.write(frame)) client.blocked = true;
  }

  #unblock(client: Client): void {
    client.blocked = false;
    this.#flow();
  }

  /** The slowest client sets the pace; once the first has gone and nobody is attached, nobody waits. */
  #flow(): void {
    const full = this.#awaited && this.#ring.end - this.#ring.start >= supervisorLimits.ringBytesMax / 2;
    const blocked = !this.#draining && (full || [...this.#clients].some((client) => client.blocked));
    for (const stream of [this.#command.stdout, this.#command.stderr]) {
      if (blocked) stream.pause();
      else if (stream.isPaused()) stream.resume();
    }
  }

  #receive(client: Client, decoder: AttachDecoder, chunk: Uint8Array): void {
    try {
      for (const frame of decoder.push(chunk)) this.#take(client, frame);
    } catch {
      client.socket.destroy();
    }
  }

  #take(client: Client, frame: AttachFrame): void {
    const { stdin } = this.#command;
    if (frame.type === 'signal') {
      this.#command.signal(parseSignal(frame.payload));
    } else if (frame.type === 'resize') {
      this.#command.resize(parseResize(frame.payload));
    } else if (frame.type !== 'stdin') {
      client.socket.destroy();
    } else if (stdin.writableEnded || stdin.destroyed) {
      // The command has closed its input: what is still typed has nowhere to go.
    } else if (frame.payload.length === 0) {
      stdin.end();
    } else if (!stdin.write(frame.payload)) {
      client.socket.pause();
      const go = (): void => {
        stdin.off('drain', go);
        stdin.off('close', go);
        client.socket.resume();
      };
      stdin.on('drain', go);
      stdin.on('close', go);
    }
  }
}

function noticeFrame(value: object): Uint8Array {
  return Buffer.concat(encodeAttachFrames('notice', Buffer.from(JSON.stringify(value))));
}
