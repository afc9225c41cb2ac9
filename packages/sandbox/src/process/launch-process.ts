import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { isIP, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { CordonError } from '@cordon/protocol';
import type { HandedSocket, NativeHandle } from '../driver.ts';
import type { SandboxErrorCode } from '../error.ts';
import { driverLimits as limits } from '../limits.ts';
import { encodeFrame, type Frame, FrameDecoder, frameTypes } from './frame.ts';
import type { Relay } from './relay.ts';

export type StreamName = 'stdin' | 'stdout' | 'stderr' | 'terminal';

/**
 * What the launcher says with a descriptor, over Node's IPC channel, or over the same pipe by a relay that has kept the
 * descriptor: one JSON line of known shape, never the agent's.
 */
type HandOff =
  | { readonly socket: HandedSocket['kind']; readonly address: string; readonly port: number; readonly of: number }
  | { readonly stream: StreamName; readonly command: number };

const socketKinds: ReadonlySet<unknown> = new Set(['proxy', 'http', 'tls', 'tcp', 'capture', 'names']);
/** Of every sandbox without raw TCP grants: three or five kinds, each in one family or two. */
const socketsMax = 10 + limits.tcpSocketsMax;
const streamNames: ReadonlySet<StreamName> = new Set<StreamName>(['stdin', 'stdout', 'stderr', 'terminal']);

/**
 * The guard and, behind it, the launcher: one child process with Node's IPC channel (with a relay: a pipe) and two control
 * sockets. Owns every descriptor that comes in until somebody takes it.
 */
export class LaunchProcess {
  readonly sockets: HandedSocket[] = [];
  /** How many sockets there will be; 0 until the first has come. */
  socketsExpected = 0;
  /** Settles when the guard is gone; with it nothing of the sandbox's own keeps it alive. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #guard: Socket;
  readonly #control: Socket;
  readonly #relay: Relay | null;
  readonly #decoder = new FrameDecoder();
  readonly #streams = new Map<string, Socket>();
  /** Serial numbers of commands whose streams may still come; 0 is the agent's own. */
  readonly #expected = new Set([0]);
  #fault = '';
  #listener: (frame: Frame) => void = () => undefined;

  /** Must be called on Node's main thread: the guard ends with the thread that made it (PDEATHSIG). */
  constructor(launchBinary: string, relay: Relay | null) {
    this.#relay = relay;
    this.#child = spawn(launchBinary, ['guard'], {
      stdio: ['ignore', 'ignore', 'pipe', relay === null ? 'ipc' : 'pipe', 'pipe', 'pipe'],
      env: {},
      cwd: '/',
    });
    const stdio = this.#child.stdio as readonly unknown[] | undefined;
    if (stdio === undefined) {
      // No descriptor is left: Node has made no streams, and says why in an event that must have a listener.
      this.#child.once('error', () => undefined);
      throw new CordonError<SandboxErrorCode>('start-failed', 'the supervisor has no descriptor left', {
        expose: true,
      });
    }
    this.#guard = stdio[4] as Socket;
    this.#control = stdio[5] as Socket;
    if (relay !== null) this.#hearRelay(stdio[3] as Socket, relay);
    this.gone = this.#watch();
  }

  /** What to make; until then the guard waits. */
  describe(description: Uint8Array): void {
    this.#guard.write(description);
  }

  /** Every frame of the launcher, from now on. A malformed one ends the sandbox. */
  onFrame(listener: (frame: Frame) => void): void {
    this.#listener = listener;
  }

  /** What the native program or bubblewrap said before it ended. */
  get fault(): string {
    return this.#fault.trim();
  }

  send(type: number, a = 0, b = 0, c = 0, payload: Uint8Array | null = null): void {
    if (this.#control.destroyed) return;
    this.#control.write(encodeFrame(type, a, b, c));
    if (payload !== null) this.#control.write(payload);
  }

  /** Asks the guard to end everything; its socket's end says the same, so this cannot fail. */
  kill(): void {
    if (!this.#guard.destroyed) this.#guard.end(encodeFrame(frameTypes.guardKill));
  }

  expect(serial: number): void {
    this.#expected.add(serial);
  }

  /** Its command never ran, or has its streams: whatever else comes for it is closed at once. */
  forget(serial: number): void {
    this.#expected.delete(serial);
    for (const name of streamNames) this.take(serial, name)?.destroy();
  }

  /** A stream of a command, once; null when it has not come. */
  take(serial: number, name: StreamName): Socket | null {
    const key = `${serial}/${name}`;
    const stream = this.#streams.get(key) ?? null;
    this.#streams.delete(key);
    return stream;
  }

  has(serial: number, name: StreamName): boolean {
    return this.#streams.has(`${serial}/${name}`);
  }

  /** Closes what nobody took. */
  close(): void {
    for (const { handle } of this.sockets.splice(0)) handle?.close();
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
    this.#relay?.close();
  }

  #watch(): Promise<void> {
    const child = this.#child;
    child.on('message', (message, handle) => this.#receive(message, handle as unknown));
    for (const socket of [this.#guard, this.#control]) socket.on('error', () => socket.destroy());
    this.#control.on('data', (chunk) => this.#read(chunk));
    child.stderr?.on('data', (chunk: Buffer) => {
      if (this.#fault.length < limits.faultTextBytesMax) this.#fault += chunk.toString('utf8');
    });
    // `close` comes after `exit` and the end of stderr, so that the fault is whole; `error` when nothing was started.
    const closed = once(child, 'close').then(
      () => undefined,
      (error: unknown) => {
        this.#fault += `cordon-launch: namespaces: ${String((error as Error).message)}`;
      },
    );
    return closed;
  }

  #read(chunk: Uint8Array): void {
    try {
      for (const frame of this.#decoder.push(chunk)) this.#listener(frame);
    } catch {
      this.#fault += 'cordon-launch: description: malformed frame';
      this.kill();
    }
  }

  #receive(message: unknown, handle: unknown): void {
    const handOff = parseHandOff(message);
    if (handOff === null || !isHandle(handle)) {
      this.#fault += 'cordon-launch: description: malformed hand-off';
      this.kill();
    } else if ('socket' in handOff) {
      this.#addSocket(handOff, { handle });
    } else if (this.#expected.has(handOff.command)) {
      this.#addStream(handOff, openStream(handOff.stream, handle));
    } else {
      handle.close();
    }
  }

  /** The same lines, each counted: its number is the ticket of what the relay connects for it. */
  #hearRelay(pipe: Socket, relay: Relay): void {
    let ticket = 0;
    const lines = createInterface({ input: pipe.on('error', () => pipe.destroy()) });
    lines.on('line', (line) => {
      const number = ticket++;
      const handOff = parseHandOff(parseLine(line));
      if (handOff === null || line.length > limits.handOffCharsMax) {
        this.#fault += 'cordon-launch: description: malformed hand-off';
        this.kill();
      } else if ('socket' in handOff) {
        this.#addSocket(handOff, { handle: null, relay: relay.socketOf(number) });
      } else {
        relay.take(number, (socket) => {
          // What comes back on it is nothing; its end must be seen.
          if (handOff.stream === 'stdin') socket.resume();
          if (this.#expected.has(handOff.command)) this.#addStream(handOff, socket);
          else socket.destroy();
        });
      }
    });
  }

  #addSocket(
    { socket: kind, address, port, of }: Extract<HandOff, { of: number }>,
    by: Pick<HandedSocket, 'handle' | 'relay'>,
  ): void {
    this.socketsExpected = of;
    this.sockets.push({ kind, address, port, ...by });
    this.#listener({ type: 0, a: 0, b: 0, c: 0 });
  }

  #addStream({ command, stream }: Extract<HandOff, { command: number }>, socket: Socket): void {
    this.#streams.set(`${command}/${stream}`, socket);
    this.#listener({ type: 0, a: 0, b: 0, c: 0 });
  }
}

function parseLine(line: string): unknown {
  try {
    return (JSON.parse(line) as { msg?: unknown } | null)?.msg;
  } catch {
    return null;
  }
}

function parseHandOff(message: unknown): HandOff | null {
  if (typeof message !== 'object' || message === null) return null;
  const { socket, address, port, of, stream, command } = message as Record<string, unknown>;
  if (socketKinds.has(socket)) {
    const placed = typeof address === 'string' && isIP(address) !== 0 && isWithin(port, 1, 0xffff);
    return placed && isWithin(of, 3, socketsMax) ? (message as HandOff) : null;
  }
  const known = streamNames.has(stream as StreamName) && Number.isInteger(command);
  return known && (command as number) >= 0 ? (message as HandOff) : null;
}

function isWithin(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

export function isHandle(handle: unknown): handle is NativeHandle {
  return typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function';
}

function openStream(name: StreamName, handle: NativeHandle): Socket {
  // `handle` is Node's own option for a descriptor that came over IPC; its types leave it out.
  const options = { handle, readable: name !== 'stdin', writable: name === 'stdin' || name === 'terminal' };
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  // A reader that went away inside ends its own stream and nothing else.
  socket.on('error', () => socket.destroy());
  return socket;
}

/** @throws CordonError `layer-missing` or `start-failed`, with the native program's own words */
export function startFault(text: string): CordonError {
  const [, layer, detail] = /cordon-launch: (\w+): (.*)/.exec(text) ?? [];
  const missing = new Set(['namespaces', 'landlock', 'seccomp', 'cgroups', 'uid']);
  if (layer !== undefined && detail !== undefined) {
    const code: SandboxErrorCode = missing.has(layer) ? 'layer-missing' : 'start-failed';
    return new CordonError<SandboxErrorCode>(code, `${layer}: ${detail}`, {
      expose: true,
      nextSteps: ['cordon doctor'],
    });
  }
  const namespaces = /^bwrap: (.*)/m.exec(text)?.[1];
  if (namespaces !== undefined) {
    return new CordonError<SandboxErrorCode>('layer-missing', `namespaces: ${namespaces}`, {
      expose: true,
      nextSteps: ['cordon doctor'],
    });
  }
  return new CordonError<SandboxErrorCode>(
    'start-failed',
    `the sandbox ended before it was ready: ${text.slice(0, 500)}`,
  );
}
