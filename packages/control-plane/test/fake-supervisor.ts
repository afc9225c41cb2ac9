import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import {
  Channel,
  CordonError,
  type ExitReport,
  type SessionReport,
  type StartOrder,
  type StopReport,
  type SupervisorEvents,
  type SupervisorMethods,
} from '@cordon/protocol';

const report = {
  driver: 'process',
  grade: 'process',
  capture: 'redirect',
  sockets: 'hand-off',
  layers: { namespaces: 'ok', landlock: 'ok', seccomp: 'ok', cgroups: 'ok', uid: 'ok' },
  weaker: [],
  uid: 1,
  startMs: 1.5,
} as const;

/** Keeps sessions as the real one does, but runs nothing. */
export class FakeSupervisor {
  readonly orders: StartOrder[] = [];
  readonly calls: Array<{ method: string; params: unknown }> = [];
  readonly sessions = new Map<string, SessionReport>();
  /** Makes the next start fail, or wait. */
  beforeStart: (order: StartOrder) => Promise<void> = async () => undefined;
  /** Answers freeze and kill without confirming. */
  confirms = true;
  /** Before stops are answered; never resolves in one that is stopped or hangs. */
  beforeStop: (method: string) => Promise<void> = async () => undefined;
  readonly #path: string;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();
  #channel: Channel<SupervisorEvents, SupervisorMethods> | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async listen(): Promise<void> {
    rmSync(this.#path, { force: true });
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      this.#channel = new Channel<SupervisorEvents, SupervisorMethods>(socket, this.#handlers());
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.#path, resolve));
  }

  async end(session: string, exit: Partial<ExitReport> = {}): Promise<void> {
    const whole: ExitReport = { status: 0, reason: 'exited', signal: null, detail: null, ...exit };
    this.sessions.set(session, { session, state: 'ended', sandbox: report, exit: whole });
    await this.#channel?.call('session.exited', {
      session,
      exit: whole,
      teardown: [{ item: 'cgroup', how: 'removed', ok: true }],
    });
  }

  async recovered(session: string): Promise<void> {
    await this.#channel?.call('recovered', {
      sessions: [{ session, swept: [{ item: 'processes', how: 'killed', ok: true }] }],
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (this.#server === null ? resolve() : this.#server.close(() => resolve())));
    this.#server = null;
  }

  #handlers(): {
    [K in keyof SupervisorMethods]: (params: SupervisorMethods[K]['params']) => Promise<SupervisorMethods[K]['result']>;
  } {
    const note = (method: string, params: unknown) => this.calls.push({ method, params });
    return {
      hello: async () => ({
        boot: 'bot_fake',
        pid: 4242,
        sessions: [...this.sessions.values()],
        gateways: [{ tenant: 'local', boot: 'bot_gw', pid: 4243, restarts: 0 }],
      }),
      start: async (order) => {
        await this.beforeStart(order);
        this.orders.push(order);
        const started: SessionReport = { session: order.session, state: 'running', sandbox: report, exit: null };
        this.sessions.set(order.session, started);
        return started;
      },
      exec: async (params) => {
        note('exec', params);
        return { exec: params.exec };
      },
      freeze: async (params) => {
        note('freeze', params);
        await this.beforeStop('freeze');
        return this.#set(params.sessions, 'frozen');
      },
      thaw: async (params) => {
        note('thaw', params);
        return this.#set(params.sessions, 'running');
      },
      kill: async (params) => {
        note('kill', params);
        await this.beforeStop('kill');
        const known = params.sessions.filter((id) => this.sessions.get(id)?.state !== 'ended' && this.sessions.has(id));
        const exit = { status: 137, reason: 'killed' as const, signal: 'SIGKILL', detail: params.reason };
        setImmediate(() => {
          for (const id of known) void this.end(id, exit).catch(() => undefined);
        });
        return this.#reports(params.sessions);
      },
      stats: async () => ({ processes: 1, memoryBytes: 1, cpuMs: 1 }),
      changes: async () => [
        {
          path: 'a.txt',
          kind: 'create',
          before: null,
          after: 'sha256:0',
          bytes: 1,
          mode: 420,
          protected: false,
          refused: null,
          diff: '+a',
        },
      ],
      apply: async (params) => {
        note('apply', params);
        return { applied: ['a.txt'], refused: [] };
      },
      discard: async (params) => {
        note('discard', params);
        return null;
      },
      probe: async () => [{ name: 'landlock', works: true, detail: 'ABI 7', cost: '', mend: null }],
      shutdown: async () => {
        note('shutdown', null);
        for (const id of this.sessions.keys())
          if (this.sessions.get(id)?.state !== 'ended') await this.end(id, { status: 137, reason: 'killed' });
        // Its process ends a moment after it answered.
        setImmediate(() => this.#channel?.close());
        return null;
      },
    };
  }

  #set(ids: readonly string[], state: 'running' | 'frozen'): StopReport[] {
    if (!this.confirms) throw new CordonError('not-confirmed', 'the cgroup does not answer');
    for (const id of ids) {
      const known = this.sessions.get(id);
      if (known !== undefined) this.sessions.set(id, { ...known, state });
    }
    return this.#reports(ids);
  }

  #reports(ids: readonly string[]): StopReport[] {
    return ids.map((session) => ({ session, confirmed: this.confirms, ms: 1.25, processesLeft: 0 }));
  }
}
