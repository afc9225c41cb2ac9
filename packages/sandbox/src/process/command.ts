import { constants } from 'node:os';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { CordonError, type ExitReport, type TerminalSize } from '@cordon/protocol';
import type { SandboxCommand } from '../driver.ts';
import type { SandboxErrorCode } from '../error.ts';
import { type Frame, frameTypes } from './frame.ts';
import type { LaunchProcess } from './launch-process.ts';

/** A command of one sandbox: frames name it by its number, which is used again, streams by its serial, which is not. */
export class ProcessCommand implements SandboxCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<ExitReport>;
  readonly #launch: LaunchProcess;
  readonly #number: number;
  readonly #terminal: boolean;
  #settle: (report: ExitReport) => void = () => undefined;

  /** @throws CordonError `launch-protocol` when its streams have not come */
  constructor(launch: LaunchProcess, number: number, serial: number, terminal: boolean) {
    this.#launch = launch;
    this.#number = number;
    this.#terminal = terminal;
    this.exit = new Promise((resolve) => {
      this.#settle = resolve;
    });
    if (terminal) {
      const both = launch.take(serial, 'terminal');
      if (both === null) throw missingStreams();
      this.stdin = both;
      this.stdout = both;
      // One stream carries everything; the other is there and ends at once.
      this.stderr = new PassThrough().end();
    } else {
      const [stdin, stdout, stderr] = [
        launch.take(serial, 'stdin'),
        launch.take(serial, 'stdout'),
        launch.take(serial, 'stderr'),
      ];
      if (stdin === null || stdout === null || stderr === null) throw missingStreams();
      this.stdin = stdin;
      this.stdout = stdout;
      this.stderr = stderr;
    }
  }

  signal(name: NodeJS.Signals): void {
    const number = constants.signals[name];
    if (number !== undefined) this.#launch.send(frameTypes.signal, this.#number, number);
  }

  resize(size: TerminalSize): void {
    const cells = [size.cols, size.rows].map((value) => Math.min(0xffff, Math.max(1, Math.trunc(value) || 1)));
    if (this.#terminal) this.#launch.send(frameTypes.resize, this.#number, cells[0], cells[1]);
  }

  /** Calls back when nothing of this command holds a descriptor any more: then its number may be used again. */
  whenClosed(listener: () => void): void {
    const streams = this.#terminal ? [this.stdout] : [this.stdin, this.stdout, this.stderr];
    const closed = streams.map((stream) =>
      stream.closed ? Promise.resolve() : new Promise((done) => stream.once('close', done)),
    );
    void Promise.all([...closed, this.exit]).then(listener);
  }

  finish(report: ExitReport): void {
    this.#settle(report);
    if (!this.#terminal) this.stdin.destroy();
  }
}

export function exitReport(frame: Pick<Frame, 'b' | 'c'>, killed: boolean): ExitReport {
  const signal = frame.c === 0 ? null : signalName(frame.c);
  if (signal === null) return { status: frame.b, reason: 'exited', signal: null, detail: null };
  return { status: frame.b, reason: killed ? 'killed' : 'signaled', signal, detail: null };
}

/** The sandbox is gone without a word about this command. */
export function lostReport(killed: boolean, detail: string | null): ExitReport {
  return { status: 137, reason: killed ? 'killed' : 'lost', signal: 'SIGKILL', detail };
}

/** As a shell would say it: 127 not found, 126 found and not executable. */
export function failureText(frame: Pick<Frame, 'b' | 'c'>, command: readonly string[]): string {
  const error = Object.entries(constants.errno).find(([, number]) => number === frame.b)?.[0] ?? `errno ${frame.b}`;
  const step = {
    1: 'cannot start a process',
    2: 'cannot open a terminal',
    3: 'cannot enter the working folder',
    4: 'cannot execute',
  }[frame.c];
  return `${step ?? 'cannot start'} ${JSON.stringify(command[0])}: ${error}`;
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `SIG${number}`;
}

function missingStreams(): CordonError {
  return new CordonError<SandboxErrorCode>('launch-protocol', 'the launcher sent no streams');
}
