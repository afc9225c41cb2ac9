import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Clock,
  CordonError,
  type GatewayReport,
  type PermitOrder,
  type SupervisorToGateway,
} from '@cordon/protocol';
import { type HandedSocket, sendHandle } from '../driver.ts';
import { supervisorLimits } from '../limits.ts';
import type { SupervisorErrorCode } from './error.ts';
import { parseGatewayMessage } from './gateway-message.ts';
import type { Program, SupervisorLogEvent } from './options.ts';
import type { Signing } from './permit-signer.ts';
import { startTimeOf } from './process-table.ts';

export interface GatewayKeeperOptions {
  readonly tenant: string;
  readonly program: Program;
  readonly runtime: string;
  readonly clock: Clock;
  readonly log: (event: SupervisorLogEvent) => void;
  readonly sign: (order: PermitOrder) => Signing;
  readonly onUp: (report: GatewayReport) => void;
  readonly onDown: (down: { tenant: string; pid: number; status: number | null; signal: string | null }) => void;
}

interface Served {
  readonly sockets: readonly HandedSocket[];
  serving: boolean;
  settle: ((error: CordonError | null) => void) | null;
}

interface Running {
  readonly child: ChildProcess;
  readonly since: number;
  ready: boolean;
  boot: string;
  lastHeard: number;
  readonly timer: ReturnType<typeof setInterval>;
}

/**
 * Keeps one gateway of a tenant alive. It holds a copy of every listening socket, so while a gateway is dead
 * connections wait in the kernel's backlog, and the next one is handed all of them again (gateway.md §1.1).
 */
export class GatewayKeeper {
  readonly #options: GatewayKeeperOptions;
  readonly #sessions = new Map<string, Served>();
  #running: Running | null = null;
  #restarts = -1;
  #failures = 0;
  #stopping = false;
  #respawn: ReturnType<typeof setTimeout> | null = null;

  constructor(options: GatewayKeeperOptions) {
    this.#options = options;
    this.#spawn();
  }

  get report(): GatewayReport | null {
    const running = this.#running;
    if (running === null || !running.ready) return null;
    return { tenant: this.#options.tenant, boot: running.boot, pid: running.child.pid ?? 0, restarts: this.#restarts };
  }

  /** Settles when the gateway listens on all of them. @throws CordonError `gateway-unavailable` */
  serve(session: string, sockets: readonly HandedSocket[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const served: Served = { sockets, serving: false, settle: null };
      const timer = setTimeout(
        () => served.settle?.(unavailable('it does not answer')),
        supervisorLimits.gatewayServeTimeoutMs,
      );
      served.settle = (error) => {
        clearTimeout(timer);
        served.settle = null;
        if (error === null) resolve();
        else reject(error);
      };
      this.#sessions.set(session, served);
      if (this.#running?.ready === true) void this.#hand(this.#running.child, session, served);
    });
  }

  /** The kept copies are closed by the sandbox's teardown; here the gateway is told to close its own. */
  close(session: string): void {
    const served = this.#sessions.get(session);
    this.#sessions.delete(session);
    served?.settle?.(unavailable('the session ended'));
    if (served !== undefined) this.#send({ type: 'close', session });
  }

  /** Ends the gateway: asked by the end of its channel first, so that it can flush its journal; then killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#respawn !== null) clearTimeout(this.#respawn);
    const running = this.#running;
    if (running === null) return;
    const gone = new Promise<void>((resolve) => running.child.once('exit', () => resolve()));
    const timer = setTimeout(() => running.child.kill('SIGKILL'), supervisorLimits.gatewayStopMs);
    if (running.child.connected) running.child.disconnect();
    await gone;
    clearTimeout(timer);
  }

  #spawn(): void {
    const { program, clock, log, tenant } = this.#options;
    const child = spawn(program.file, program.args, {
      env: program.env,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'json',
    });
    const now = clock.monotonic();
    const timer = setInterval(() => this.#watch(running), supervisorLimits.gatewayPingMs);
    const running: Running = { child, since: now, ready: false, boot: '', lastHeard: now, timer };
    this.#running = running;
    this.#restarts += 1;
    child.on('error', (error) => {
      log({ event: 'gateway-failed', tenant, error: error.message });
      if (child.pid === undefined) this.#ended(running, null, null);
    });
    child.on('message', (message, handle) => this.#receive(running, message, handle));
    child.on('exit', (status, signal) => this.#ended(running, status, signal));
    try {
      if (child.pid !== undefined) recordGateway(this.#options.runtime, tenant, child.pid);
    } catch (error: unknown) {
      log({ event: 'gateway-not-recorded', tenant, error: String(error) });
    }
  }

  #receive(running: Running, words: unknown, handle: unknown): void {
    const message = parseGatewayMessage(words);
    // Descriptors go to a gateway and never come from one.
    if (message === null || handle !== undefined) {
      this.#options.log({ event: 'gateway-malformed', tenant: this.#options.tenant });
      running.child.kill('SIGKILL');
      return;
    }
    running.lastHeard = this.#options.clock.monotonic();
    if (message.type === 'ready' && !running.ready) {
      running.ready = true;
      running.boot = message.boot;
      const report = this.report;
      if (report !== null) this.#options.onUp(report);
      for (const [session, served] of this.#sessions) void this.#hand(running.child, session, served);
    } else if (message.type === 'serving') {
      const served = this.#sessions.get(message.session);
      if (served === undefined || message.sockets !== served.sockets.length) return;
      served.serving = true;
      served.settle?.(null);
    } else if (message.type === 'sign') {
      const { n, order } = message;
      const signing = this.#options.sign(order);
      this.#send(
        signing.ok ? { type: 'signed', n, token: signing.token } : { type: 'unsigned', n, code: signing.code },
      );
    }
  }

  async #hand(child: ChildProcess, session: string, served: Served): Promise<void> {
    served.serving = false;
    const { tenant } = this.#options;
    // The gateway before left it, and nothing can be bound in its place.
    const relay = served.sockets[0]?.relay;
    if (relay !== undefined) rmSync(relay.path, { force: true });
    try {
      for (const { handle, ...socket } of served.sockets) {
        if (this.#sessions.get(session) !== served) return;
        await sendHandle(child, { type: 'serve', v: 1, tenant, session, ...socket, of: served.sockets.length }, handle);
      }
    } catch {
      // The gateway died in between: the next one is handed everything again.
    }
  }

  /** A gateway that answers nothing is hung: its sessions are worth more than its open calls. */
  #watch(running: Running): void {
    const silent = this.#options.clock.monotonic() - running.lastHeard;
    const limit = running.ready ? supervisorLimits.gatewaySilentMs : supervisorLimits.gatewayReadyTimeoutMs;
    if (silent > limit) {
      this.#options.log({ event: 'gateway-hung', tenant: this.#options.tenant, silentMs: Math.round(silent) });
      running.child.kill('SIGKILL');
    } else if (running.ready) {
      this.#send({ type: 'ping', n: Math.round(running.lastHeard) });
    }
  }

  #send(message: SupervisorToGateway): void {
    const child = this.#running?.child;
    // An error here is a gateway that is ending; its exit is handled where it is reported.
    if (child?.connected === true) child.send(message, () => undefined);
  }

  #ended(running: Running, status: number | null, signal: string | null): void {
    if (this.#running !== running) return;
    clearInterval(running.timer);
    this.#running = null;
    const { tenant, runtime, clock } = this.#options;
    rmSync(gatewayFile(runtime, tenant), { force: true });
    this.#options.onDown({ tenant, pid: running.child.pid ?? 0, status, signal });
    if (this.#stopping) return;
    const stable = clock.monotonic() - running.since > supervisorLimits.gatewayStableMs;
    this.#failures = stable ? 0 : this.#failures + 1;
    const wait = this.#failures <= 1 ? 0 : Math.min(50 * 2 ** this.#failures, supervisorLimits.gatewayBackoffMaxMs);
    this.#respawn = setTimeout(() => this.#spawn(), wait);
  }
}

function gatewayFile(runtime: string, tenant: string): string {
  return join(runtime, `gateway-${tenant}.pid`);
}

/** So that the next supervisor can end a gateway that outlived a crash (hung, it does not see its channel close). */
function recordGateway(runtime: string, tenant: string, pid: number): void {
  writeFileSync(gatewayFile(runtime, tenant), JSON.stringify({ pid, start: startTimeOf(pid) }), { mode: 0o600 });
}

/** Kills the gateway named in a file of {@link recordGateway}, if it is still that process. */
export function endRecordedGateway(file: string): boolean {
  let ended = false;
  try {
    const { pid, start } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; start: string | null };
    if (start !== null && startTimeOf(pid) === start) {
      process.kill(pid, 'SIGKILL');
      ended = true;
    }
  } catch {
    // Half-written, or gone between the two looks: nothing to end.
  }
  rmSync(file, { force: true });
  return ended;
}

function unavailable(why: string): CordonError {
  return new CordonError<SupervisorErrorCode>('gateway-unavailable', `the gateway did not take the session: ${why}`, {
    expose: true,
  });
}
