import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import {
  type Clock,
  CordonError,
  type ExitReport,
  type SandboxReport,
  type SessionStats,
  type StopReport,
  type TeardownItem,
} from '@cordon/protocol';
import type { SessionCgroup } from '../cgroup/session-cgroup.ts';
import type { ExecRequest, HandedSocket, Sandbox, SandboxSpec } from '../driver.ts';
import type { SandboxErrorCode } from '../error.ts';
import { driverLimits as limits } from '../limits.ts';
import { exitReport, failureText, lostReport, ProcessCommand } from './command.ts';
import { encodeCommand } from './description.ts';
import { environmentOf } from './environment.ts';
import { type Frame, frameTypes } from './frame.ts';
import type { LaunchProcess, StreamName } from './launch-process.ts';
import { sessionFolders } from './session-files.ts';
import { checkCommand } from './spec.ts';

const execute = promisify(execFile);

interface Starting {
  readonly serial: number;
  readonly terminal: boolean;
  readonly command: readonly string[];
  started(command: ProcessCommand): void;
  failed(error: CordonError): void;
  /** STARTED has come; its streams may still be on their way over the other channel. */
  confirmed: boolean;
}

/** A sandbox that waits at its barrier or runs. Owns the guard, the cgroup and the folders of its session. */
export class ProcessSandbox implements Sandbox {
  readonly report: SandboxReport;
  readonly main: ProcessCommand;
  readonly ended: Promise<void>;
  readonly #spec: SandboxSpec;
  readonly #launch: LaunchProcess;
  readonly #cgroup: SessionCgroup | null;
  readonly #clock: Clock;
  readonly #commands = new Map<number, ProcessCommand>();
  readonly #starting = new Map<number, Starting>();
  /** Numbers whose streams are not all closed yet. */
  readonly #used = new Set<number>([0]);
  #nextSerial = 1;
  #killed = false;
  #over = false;
  #opened: ((error: CordonError | null) => void) | null = null;
  #teardown: Promise<TeardownItem[]> | null = null;

  constructor(
    spec: SandboxSpec,
    launch: LaunchProcess,
    cgroup: SessionCgroup | null,
    clock: Clock,
    report: SandboxReport,
  ) {
    this.report = report;
    this.#spec = spec;
    this.#launch = launch;
    this.#cgroup = cgroup;
    this.#clock = clock;
    this.main = new ProcessCommand(launch, 0, 0, spec.order.terminal !== null);
    this.#commands.set(0, this.main);
    this.ended = this.#end();
    launch.onFrame((frame) => this.#hear(frame));
  }

  get sockets(): readonly HandedSocket[] {
    const tcp = this.#spec.order.tcp ?? [];
    return this.#launch.sockets.map((socket) => {
      const stands = tcp.find(({ address, port }) => address === socket.address && port === socket.port);
      return stands === undefined ? socket : { ...socket, grant: stands.grant };
    });
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(endedError());
      this.#opened = (error) => (error === null ? resolve() : reject(error));
      this.#launch.send(frameTypes.open);
    });
  }

  async exec(request: ExecRequest): Promise<ProcessCommand> {
    checkCommand(request, this.#spec.order.workspace.path);
    if (this.#over) throw endedError();
    const env = environmentOf(request.env, request.terminal !== null);
    const description = encodeCommand({ ...request, env });
    const number = this.#freeNumber();
    const serial = this.#nextSerial++;
    this.#used.add(number);
    this.#launch.expect(serial);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<ProcessCommand>((started, failed) => {
        const { command, terminal } = request;
        timer = setTimeout(() => {
          this.#abandon(number);
          failed(execError('no answer in time; is the session frozen?'));
        }, limits.execTimeoutMs);
        this.#starting.set(number, { serial, terminal: terminal !== null, command, started, failed, confirmed: false });
        this.#launch.send(frameTypes.exec, number, serial, description.length, description);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  stats(): Promise<SessionStats> {
    return Promise.resolve(this.#cgroup?.stats() ?? { processes: this.#over ? 0 : 1, memoryBytes: 0, cpuMs: 0 });
  }

  freeze(): Promise<StopReport> {
    return this.#stop(async () => {
      this.#cgroup?.freeze(true);
      return (await this.#cgroup?.settled('frozen', '1', this.#clock)) ?? this.#over;
    });
  }

  thaw(): Promise<StopReport> {
    return this.#stop(async () => {
      this.#cgroup?.freeze(false);
      return (await this.#cgroup?.settled('frozen', '0', this.#clock)) ?? true;
    });
  }

  kill(): Promise<StopReport> {
    this.#killed = true;
    return this.#stop(async () => {
      // The guard holds the same switch: one that fails must not keep the other from being thrown.
      try {
        this.#cgroup?.kill();
      } finally {
        this.#launch.kill();
      }
      return this.#cgroup === null ? this.#guardGone() : this.#cgroup.settled('populated', '0', this.#clock);
    });
  }

  teardown(): Promise<TeardownItem[]> {
    this.#teardown ??= this.#destroy();
    return this.#teardown;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.teardown();
  }

  async #stop(act: () => Promise<boolean>): Promise<StopReport> {
    const begun = this.#clock.monotonic();
    const confirmed = await act();
    const ms = Math.round((this.#clock.monotonic() - begun) * 10) / 10;
    const processesLeft = this.#cgroup?.processes() ?? (this.#over ? 0 : 1);
    return { session: this.#spec.order.session, confirmed, ms, processesLeft };
  }

  async #guardGone(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, limits.stopTimeoutMs, false);
    });
    const gone = await Promise.race([this.#launch.gone.then(() => true), late]);
    clearTimeout(timer);
    return gone;
  }

  async #destroy(): Promise<TeardownItem[]> {
    const stop = await this.kill();
    await this.#guardGone();
    this.#launch.close();
    const items: TeardownItem[] = [
      { item: 'processes', how: `killed, ${stop.processesLeft} left`, ok: stop.confirmed && stop.processesLeft === 0 },
    ];
    if (this.#cgroup !== null) items.push(...(await this.#cgroup.remove()));
    const folders = sessionFolders(this.#spec.sessionDir);
    items.push(await this.#removeHome(folders.home));
    for (const folder of [folders.etc, folders.files]) items.push(removeFolder(folder));
    return items;
  }

  /** By the native program: an agent can make paths that are too long for `rm`, and folders that deny themselves. */
  async #removeHome(home: string): Promise<TeardownItem> {
    const { launchBinary } = this.#spec;
    try {
      if (existsSync(home))
        await execute(launchBinary, ['tree', 'remove', home], { env: {}, timeout: limits.removeTimeoutMs });
      return { item: home, how: 'removed', ok: !existsSync(home) };
    } catch (error) {
      return { item: home, how: (error as Error).message, ok: false };
    }
  }

  /** Everything is over when the guard is gone and, where there is a cgroup to tell, nobody is left in it. */
  async #end(): Promise<void> {
    await this.#launch.gone;
    await this.#cgroup?.settled('populated', '0', this.#clock);
    this.#over = true;
    const detail = this.#launch.fault === '' ? null : this.#launch.fault;
    this.#opened?.(endedError());
    for (const { failed } of this.#starting.values()) failed(endedError());
    this.#starting.clear();
    for (const [, command] of this.#commands) command.finish(lostReport(this.#killed, detail));
    this.#commands.clear();
  }

  #hear(frame: Frame): void {
    switch (frame.type) {
      case frameTypes.started:
        this.#started(frame.a);
        break;
      case frameTypes.failed:
        this.#failed(frame);
        break;
      case frameTypes.exit:
        this.#exited(frame);
        break;
      default:
        // A descriptor has come.
        for (const number of this.#starting.keys()) this.#begin(number);
    }
  }

  #started(number: number): void {
    if (number === 0) {
      this.#opened?.(null);
      this.#opened = null;
      return;
    }
    const starting = this.#starting.get(number);
    if (starting !== undefined) starting.confirmed = true;
    this.#begin(number);
  }

  /** STARTED comes over the control socket and the streams over the IPC channel: whichever is last begins it. */
  #begin(number: number): void {
    const starting = this.#starting.get(number);
    if (starting === undefined || !starting.confirmed) return;
    const names: readonly StreamName[] = starting.terminal ? ['terminal'] : ['stdin', 'stdout', 'stderr'];
    if (!names.every((name) => this.#launch.has(starting.serial, name))) return;
    this.#starting.delete(number);
    const command = new ProcessCommand(this.#launch, number, starting.serial, starting.terminal);
    this.#launch.forget(starting.serial);
    this.#commands.set(number, command);
    command.whenClosed(() => this.#used.delete(number));
    starting.started(command);
  }

  #failed(frame: Frame): void {
    if (frame.a === 0) {
      const text = failureText(frame, this.#spec.order.command);
      this.#opened?.(execError(text));
      this.#opened = null;
      this.#finish(0, {
        status: frame.c === 4 && frame.b === 2 ? 127 : 126,
        reason: 'exited',
        signal: null,
        detail: text,
      });
      void this.kill();
      return;
    }
    const starting = this.#starting.get(frame.a);
    if (starting === undefined) return;
    this.#starting.delete(frame.a);
    this.#launch.forget(starting.serial);
    this.#used.delete(frame.a);
    starting.failed(execError(failureText(frame, starting.command)));
  }

  #exited(frame: Frame): void {
    // So short a command that its end overtook its streams: it has begun all the same.
    const report = exitReport(frame, this.#killed);
    if (this.#commands.has(frame.a)) this.#finish(frame.a, report);
    else this.#awaitStreams(frame.a, report);
  }

  #awaitStreams(number: number, report: ExitReport): void {
    const starting = this.#starting.get(number);
    if (starting === undefined) return;
    const { started } = starting;
    this.#starting.set(number, {
      ...starting,
      started: (command) => {
        started(command);
        this.#finish(number, report);
      },
    });
  }

  #finish(number: number, report: ExitReport): void {
    this.#commands.get(number)?.finish(report);
    this.#commands.delete(number);
  }

  /** Nobody waits for it any more: should it start after all (a thaw), it ends at once. */
  #abandon(number: number): void {
    const starting = this.#starting.get(number);
    if (starting === undefined) return;
    const started = (command: ProcessCommand): void => {
      command.signal('SIGKILL');
      for (const stream of [command.stdin, command.stdout, command.stderr]) stream.destroy();
    };
    this.#starting.set(number, { ...starting, started, failed: () => undefined });
  }

  #freeNumber(): number {
    for (let number = 1; number < limits.commandsMax; number++) if (!this.#used.has(number)) return number;
    throw execError(`${limits.commandsMax - 1} commands are running or not fully read`);
  }
}

function removeFolder(folder: string): TeardownItem {
  try {
    rmSync(folder, { recursive: true, force: true });
    return { item: folder, how: 'removed', ok: !existsSync(folder) };
  } catch (error) {
    return { item: folder, how: (error as Error).message, ok: false };
  }
}

function execError(message: string): CordonError {
  return new CordonError<SandboxErrorCode>('exec-failed', message, { expose: true });
}

function endedError(): CordonError {
  return new CordonError<SandboxErrorCode>('sandbox-ended', 'the sandbox has ended', { expose: true });
}
