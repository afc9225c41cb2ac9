import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type {
  Capability,
  DriverName,
  ExitReport,
  RelayedSocket,
  SandboxReport,
  ServeMessage,
  SessionStats,
  StartOrder,
  StopReport,
  TeardownItem,
  TerminalSize,
} from '@cordon/protocol';

/** A way to build a sandbox. Its state is on the host (cgroups, folders of a session), never in this object. */
export interface SandboxDriver {
  readonly name: DriverName;
  /** One line per promised layer, each tried. Slow (tens of milliseconds); never on the way of a start. */
  probe(): Promise<Capability[]>;
  /**
   * Builds the whole boundary and stops at the barrier: the sockets listen, every layer is in force, nothing of the
   * agent runs yet. Whatever fails, or an abort, leaves nothing behind.
   * @throws CordonError `layer-missing`, `spec-invalid`, `start-failed`, `start-aborted`
   */
  start(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /**
   * Ends and removes what an earlier supervisor may have left of this session: processes, then cgroups. Needs only
   * the names, so it works from a manifest. (Mounts live in mount namespaces and end with the processes.)
   */
  sweep(names: SessionNames): Promise<TeardownItem[]>;
}

/** The names by which a session is found again after a crash; also the path of its cgroup. */
export interface SessionNames {
  readonly tenant: string;
  readonly agent: string;
  readonly session: string;
}

/** Everything a driver needs; nothing in it comes from an environment variable or from the agent. */
export interface SandboxSpec {
  readonly order: StartOrder;
  /** Exists, 0700, ours. The driver makes `upper/ work/ home/ etc/ files/` below it. */
  readonly sessionDir: string;
  /** Root supervisor: the session's own uid and gid from {@link sessionUids}. Rootless: null, the user's own id is mapped. */
  readonly uid: number | null;
  /**
   * Direct mode: sockets, pipes and set-user-ID files of the host, relative to the workspace. The first two are hidden,
   * the last are read-only.
   */
  readonly covered?: readonly string[];
  /** The built native program (`native/launch/build/launch`). */
  readonly launchBinary: string;
}

/** A socket of a sandbox that its gateway serves. Nothing accepts in this process. */
export interface HandedSocket {
  readonly kind: ServeMessage['kind'];
  readonly address: string;
  readonly port: number;
  readonly grant?: string;
  /** A plain descriptor; null: the session's relay holds it. */
  readonly handle: NativeHandle | null;
  readonly relay?: RelayedSocket;
}

/** A descriptor held by Node without reading from it (`net.Native`). Pass it on with {@link sendHandle}. */
export interface NativeHandle {
  close(callback?: () => void): void;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly terminal: TerminalSize | null;
}

/**
 * A command inside. Somebody must read `stdout` and `stderr` (a full pipe stops the command, by design), and end `stdin`
 * when there is no more. With a terminal `stdout` carries everything and `stderr` ends at once.
 */
export interface SandboxCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when the command is gone; what it wrote may still be on its way: wait for the streams' ends too. Never rejects. */
  readonly exit: Promise<ExitReport>;
  /** To the command's process group. A command that has ended is no error. */
  signal(name: NodeJS.Signals): void;
  /** Ignored without a terminal. */
  resize(size: TerminalSize): void;
}

/** A built boundary with its agent. Whoever holds it owns the processes inside; disposing ends them. */
export interface Sandbox extends AsyncDisposable {
  readonly report: SandboxReport;
  /** Held until {@link teardown}; the gateway gets copies. */
  readonly sockets: readonly HandedSocket[];
  /** The agent's own command. Its streams are there at once; it runs after {@link open}. */
  readonly main: SandboxCommand;
  /** Settles when nothing runs in the sandbox any more, whatever the cause. Never rejects. */
  readonly ended: Promise<void>;
  /** Opens the launch barrier: the agent's first instruction. @throws CordonError `sandbox-ended`, `exec-failed` */
  open(): Promise<void>;
  /** A further command under exactly the same restrictions. @throws CordonError `exec-failed`, `spec-invalid`, `sandbox-ended` */
  exec(request: ExecRequest): Promise<SandboxCommand>;
  stats(): Promise<SessionStats>;
  freeze(): Promise<StopReport>;
  thaw(): Promise<StopReport>;
  /** Asks nobody inside. `confirmed` when nothing is left. May be called again. */
  kill(): Promise<StopReport>;
  /** Kills, closes the sockets, removes cgroups, HOME and generated files; the proposal (`upper/`, `work/`) stays. Idempotent. */
  teardown(): Promise<TeardownItem[]>;
}

/** HOME of every agent, its user name, and its uid and gid as it sees them. */
export const sandboxHome = '/home/agent';
export const sandboxUser = 'agent';
export const sandboxUid = 1000;

/** Host uids from which a root supervisor takes one per session: a range that distributions leave unused. */
export const sessionUids = { min: 1_900_000_000, count: 65_536 } as const;

/** Tells a child of a socket, with its descriptor if there is one; this process keeps its copy (`net.Native`, gateway.md §1.1). */
export function sendHandle(child: ChildProcess, message: ServeMessage, handle: NativeHandle | null): Promise<void> {
  return new Promise((resolve, reject) => {
    // Node sends its own TCP wrap as `net.Native`, which its types do not say.
    child.send(message, (handle ?? undefined) as never, (error) => (error === null ? resolve() : reject(error)));
  });
}
