import type { ExitReport } from './attach.ts';
import type { FleetBreaker, OpenBreakers } from './breaker.ts';
import type { Amounts, Budget, Budgets, Given } from './budget.ts';
import type { RecordValue } from './canonical.ts';
import type { EndorsementTaken, EndorsementUse } from './endorsement.ts';
import type { SessionLabels, SinkRule } from './flow.ts';
import type { ApprovalSettings, HoldNews, HoldOrder, HoldTaken, HoldUse, Rung } from './hold.ts';
import type { PermitOrder } from './permit/claims.ts';
import type { PermitRefusal } from './permit/refusal.ts';
import type { GatewayTraffic } from './traffic.ts';

/**
 * What the control plane, the supervisor and the gateway say to each other on one host.
 *
 *   control plane ──supervisor.sock──► supervisor      {@link SupervisorMethods}; it calls back {@link SupervisorEvents}
 *   gateway ──control.sock──► control plane            {@link GatewayUplink}; it is called with {@link GatewayMethods}
 *   supervisor ──Node IPC──► gateway (its child)       {@link ServeMessage}, with a listening socket attached
 *
 * Each side reconnects by itself; after a reconnect the control plane sends everything anew, so no message is a diff
 * to something the other side may have forgotten.
 */

/** Layers that a driver promises; `--allow-weaker` names one of them. */
export type LayerName = 'namespaces' | 'landlock' | 'seccomp' | 'cgroups' | 'uid';
export const layerNames: readonly LayerName[] = ['namespaces', 'landlock', 'seccomp', 'cgroups', 'uid'];

export type WorkspaceMode = 'direct' | 'proposal';
export type DriverName = 'process';

export interface Resources {
  /** Cores, in thousandths. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly pidsMax: number;
  /** What may be written to the session's own disk (upper layer, home and /tmp together). */
  readonly diskBytes: number;
  readonly openFilesMax: number;
}

export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** A file that is made in the sandbox: at an absolute path, or below HOME (`~/…`). */
export interface PlacedFile {
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

/** Everything the supervisor needs to start a session; checked by the control plane, nothing in it is the agent's word. */
export interface StartOrder {
  readonly tenant: string;
  readonly session: string;
  readonly agent: string;
  readonly driver: DriverName;
  readonly allowWeaker: readonly LayerName[];
  readonly command: readonly string[];
  /** Working folder inside: the workspace or below it. */
  readonly cwd: string;
  /** The whole environment of the agent; nothing of the host's is added. */
  readonly env: Readonly<Record<string, string>>;
  readonly terminal: TerminalSize | null;
  readonly workspace: { readonly path: string; readonly mode: WorkspaceMode };
  /** Host paths visible read-only beside the base allow-list (the agent's own program, say). */
  readonly readOnly: readonly string[];
  /** Paths below the workspace that only ever arrive as a named proposal (sandbox.md: what makes the host run code later). */
  readonly protectedPaths: readonly string[];
  readonly files: readonly PlacedFile[];
  /** Lines of the sandbox's hosts file beside localhost, `cordon.internal` and the gateway's names: names → 127.0.0.1. */
  readonly hostNames: readonly string[];
  /** Raw TCP grants that are known at the start; none when left out. */
  readonly tcp?: readonly TcpSocket[];
  /** `auto`, also when left out: handed over where that works, else relayed. */
  readonly sockets?: SocketsChoice;
  readonly resources: Resources;
  readonly seccomp: 'strict' | 'compat';
  /** PEM of the tenant's interception CA, placed as /etc/cordon/ca.pem and appended to the system's roots. */
  readonly caCertificate: string;
  /** Milliseconds; at the end the session is frozen, then killed. */
  readonly ttlMs: number;
}

/** One raw TCP grant: a listening socket in the sandbox that stands for one destination outside. */
export interface TcpSocket {
  /** `tcp://db.example.com:5432`: the destination, as the decision names it. */
  readonly grant: string;
  /** 127.64.0.N; all ports of one host have one address. */
  readonly address: string;
  readonly port: number;
  /** What the hosts file calls the address; null for an IP literal. */
  readonly name: string | null;
}

export type SessionState = 'starting' | 'running' | 'frozen' | 'ended';

/**
 * What becomes of connections that do not use the proxy variables. `redirect`: caught inside the sandbox's network
 * namespace, whatever their address. `none`: no route, so they fail. Convenience, not a layer: neither reaches the network.
 */
export type CaptureMode = 'redirect' | 'none';

/** How the sockets of a sandbox reach its gateway: as descriptors, or copied by a process of ours (decision 0048). */
export type SocketsMode = 'hand-off' | 'relay';
export type SocketsChoice = 'auto' | 'relay';

/** What the sandbox really is, tried and not assumed; recorded in `session.start`. */
export interface SandboxReport {
  readonly driver: DriverName;
  readonly grade: 'process';
  readonly layers: Readonly<Record<LayerName, string>>;
  readonly weaker: readonly LayerName[];
  readonly capture: CaptureMode;
  readonly sockets: SocketsMode;
  readonly uid: number;
  readonly startMs: number;
}

export interface SessionReport {
  readonly session: string;
  readonly state: SessionState;
  readonly sandbox: SandboxReport | null;
  readonly exit: ExitReport | null;
}

export interface SessionStats {
  readonly processes: number;
  readonly memoryBytes: number;
  readonly cpuMs: number;
}

export type ChangeKind = 'create' | 'modify' | 'delete' | 'mode' | 'symlink' | 'directory';
/** One changed path of a proposal. `refused` says why it will never be applied (special file, link out of the tree, …). */
export interface Change {
  /** Below the workspace, `/`-separated; bytes that are no UTF-8 as `\xNN`. */
  readonly path: string;
  readonly kind: ChangeKind;
  readonly before: string | null;
  readonly after: string | null;
  readonly bytes: number;
  readonly mode: number | null;
  /** The host would run this later (hooks, rc files, editor tasks, agent settings): apply needs its name. */
  readonly protected: boolean;
  readonly refused: string | null;
  /** Unified diff of small text files; null for others. */
  readonly diff: string | null;
}

export interface StopReport {
  readonly session: string;
  readonly confirmed: boolean;
  readonly ms: number;
  readonly processesLeft: number;
}

/** One promised layer on this host, tried. */
export interface Capability {
  readonly name: string;
  readonly works: boolean;
  readonly detail: string;
  /** What is lost without it. */
  readonly cost: string;
  /** The command that mends it, if there is one. */
  readonly mend: string | null;
}

export type SupervisorMethods = {
  hello: {
    params: { boot: string };
    result: { boot: string; pid: number; sessions: SessionReport[]; gateways: GatewayReport[] };
  };
  start: { params: StartOrder; result: SessionReport };
  exec: {
    params: {
      session: string;
      exec: string;
      command: readonly string[];
      env: Readonly<Record<string, string>>;
      cwd: string;
      terminal: TerminalSize | null;
    };
    result: { exec: string };
  };
  freeze: { params: { sessions: readonly string[] }; result: StopReport[] };
  thaw: { params: { sessions: readonly string[] }; result: StopReport[] };
  kill: { params: { sessions: readonly string[]; reason: string }; result: StopReport[] };
  stats: { params: { session: string }; result: SessionStats };
  changes: { params: { session: string }; result: Change[] };
  apply: {
    params: { session: string; paths: readonly string[] | null; protectedPaths: readonly string[] };
    result: { applied: string[]; refused: { path: string; why: string }[] };
  };
  discard: { params: { session: string }; result: null };
  probe: { params: null; result: Capability[] };
  shutdown: { params: null; result: null };
};

export interface GatewayReport {
  readonly tenant: string;
  readonly boot: string;
  readonly pid: number;
  readonly restarts: number;
}

/** What the supervisor tells; every one of them becomes a ledger entry of the control plane. */
export type SupervisorEvents = {
  'session.exited': { params: { session: string; exit: ExitReport; teardown: TeardownItem[] }; result: null };
  'gateway.down': {
    params: { tenant: string; pid: number; status: number | null; signal: string | null };
    result: null;
  };
  'gateway.up': { params: GatewayReport; result: null };
  /** `direct` mode: a protected path that was not there before appeared and was moved out of the workspace. */
  'workspace.quarantined': {
    params: { session: string; path: string; moved: boolean; to: string | null };
    result: null;
  };
  recovered: { params: { sessions: { session: string; swept: TeardownItem[] }[] }; result: null };
};

export interface TeardownItem {
  readonly [key: string]: RecordValue;
  readonly item: string;
  readonly how: string;
  readonly ok: boolean;
}

/**
 * The sockets of a sandbox (gateway.md §1.2), one per address family: `proxy` :3128 · `http` :80 · `tls` :443 · `tcp` one
 * per raw TCP grant · `capture` every other TCP connection, whose local address is the one that the program meant ·
 * `names` UDP 53.
 */
export type SocketKind = 'proxy' | 'http' | 'tls' | 'tcp' | 'capture' | 'names';

/**
 * Supervisor → gateway, over Node's IPC channel, the socket attached (`net.Native`; `names`: `dgram.Native`), or with
 * `relay` in its place.
 */
export interface ServeMessage {
  readonly type: 'serve';
  readonly v: 1;
  readonly tenant: string;
  readonly session: string;
  readonly kind: SocketKind;
  /** What the socket is bound to inside: `127.0.0.1` or `::1`; of `tcp` 127.64.0.N. With the port it tells a session's sockets apart. */
  readonly address: string;
  readonly port: number;
  /** `tcp` only: the destination that the socket stands for ({@link TcpSocket.grant}). */
  readonly grant?: string;
  readonly relay?: RelayedSocket;
  /** How many sockets this session has in all; `serving` is answered once that many are there. */
  readonly of: number;
}

/** The gateway listens at `path`, one for all sockets of a session; a connection's header says which it belongs to. */
export interface RelayedSocket {
  readonly path: string;
  /** By which the session's own relay is known: 32 bytes in hexadecimal digits. */
  readonly token: string;
  readonly ticket: number;
}

/** `ping` is answered with `pong` of the same number at once: a gateway that does not is hung and is replaced. */
export type SupervisorToGateway =
  | ServeMessage
  | { readonly type: 'close'; readonly session: string }
  | { readonly type: 'ping'; readonly n: number }
  | { readonly type: 'signed'; readonly n: number; readonly token: string }
  | { readonly type: 'unsigned'; readonly n: number; readonly code: PermitRefusal };
export type GatewayToSupervisor =
  | { readonly type: 'ready'; readonly boot: string }
  | { readonly type: 'serving'; readonly session: string; readonly sockets: number }
  | { readonly type: 'closed'; readonly session: string }
  | { readonly type: 'pong'; readonly n: number }
  /** For a permit in the form that leaves the host; answered with `signed` or `unsigned` of the same number. */
  | { readonly type: 'sign'; readonly n: number; readonly order: PermitOrder };

/** Policies of one layer: Cedar text per id (`layer/name`). */
export interface LayerSource {
  readonly name: 'ceiling' | 'tenant' | 'person' | 'session';
  readonly policies: Readonly<Record<string, string>>;
}

/** A secret's name and where it may be used; the value is leased when it is needed. */
export interface SecretBinding {
  readonly name: string;
  readonly to: readonly string[];
  readonly at: { readonly header: string; readonly form: string } | { readonly basic: 'password' };
  readonly methods: readonly string[] | null;
  readonly paths: readonly string[] | null;
  readonly require: boolean;
}

/** What a grant says beside its Cedar text; looked up by origin, only narrows or enables transport features. */
export interface OriginRule {
  readonly origin: string;
  /** Private ranges that this name may resolve to (CIDR). */
  readonly addresses: readonly string[];
  /** From the tenant's or a higher layer: loopback, link-local and own addresses may be allowed. */
  readonly trusted: boolean;
  /** GET, HEAD, DELETE or OPTIONS may carry a body. */
  readonly bodyOnRead: boolean;
  readonly encodedSlash: boolean;
  /** What may flow there and back; left out: the grant vouches for nobody, and only what is public goes there. */
  readonly sink?: SinkRule;
}

export interface SessionPolicy {
  readonly tenant: string;
  readonly session: string;
  readonly agent: string;
  readonly person: string;
  readonly chain: string;
  readonly salt: string;
  readonly revision: number;
  readonly layer: LayerSource;
  readonly origins: readonly OriginRule[];
  readonly secrets: readonly SecretBinding[];
  readonly stopped: boolean;
  readonly startedAt: string;
  readonly profile: string;
  /** Left out: nothing is known of what the session has seen, and nobody has named anything. */
  readonly labels?: SessionLabels;
  /** Of this session, beside what the tenant says of sessions. */
  readonly budget?: Budget;
}

export interface TenantPolicy {
  readonly tenant: string;
  readonly generation: number;
  readonly layers: readonly LayerSource[];
  readonly origins: readonly OriginRule[];
  /** RFC 3339; after it every decision is a deny. */
  readonly expires: string | null;
  /** Rising strengths of approval that can be asked for; left out: one person. */
  readonly rungs?: readonly Rung[];
  readonly approvals?: ApprovalSettings;
  readonly budgets?: Budgets;
  /** Left out: people are told, nobody is frozen. */
  readonly breakers?: { readonly fleet: FleetBreaker };
}

/** Control plane → gateway. */
export type GatewayMethods = {
  tenant: { params: TenantPolicy; result: { digest: string } };
  session: { params: SessionPolicy; result: { digest: string } };
  /** What seals a session's bodies in the journal, base64; sent before its policy, held in memory only. */
  'session.key': { params: { session: string; id: string; key: string }; result: null };
  'session.stop': { params: { session: string; stopped: boolean }; result: null };
  'session.close': { params: { session: string }; result: null };
  /** Renews the right to decide, which silence beyond the lease ends. `diskFull`: the ledger's reserve is reached. */
  beat: { params: { sequence: number; leaseMs: number }; result: { sequence: number; diskFull: boolean } };
  breakers: { params: null; result: OpenBreakers };
  /** Of one session, or with null the destinations; says how many were open. */
  'breaker.reset': { params: { session: string | null }; result: { reset: number } };
  /** Something that was held was answered, or will not be. */
  'hold.changed': { params: HoldNews; result: null };
  /** Asked while somebody watches. */
  stats: { params: null; result: GatewayTraffic };
};

/** Gateway → control plane. */
export type GatewayUplink = {
  hello: {
    params: { boot: string; pid: number; tenant: string; writer: string; sessions: readonly string[] };
    /** The interception CA of this tenant: certificate and private key, PEM, held in memory only. */
    result: { caCertificate: string; caKey: string; leaseMs: number };
  };
  /** A secret's value for one destination; the control plane checks the binding again and records the lease. */
  lease: {
    params: { session: string; secret: string; destination: string; attempt: string };
    result: { value: string; expiresAt: string };
  };
  /** The session has seen something: what it writes from now on is labelled so. Answered once that is stored. */
  label: { params: { session: string; label: RecordValue }; result: null };
  /** Asks people about an intent, or finds the hold in which they are asked already. */
  'hold.open': { params: HoldOrder; result: HoldNews };
  /** Takes one use of an approved hold for one attempt; of several that ask at once, one gets it. */
  'hold.use': { params: HoldUse; result: HoldTaken };
  /** One use of an endorsement that names all of this; null: there is none. */
  'endorsement.use': { params: EndorsementUse; result: EndorsementTaken | null };
  /** A slice of every purse that the session spends from. */
  'budget.take': { params: { session: string; needed: Amounts; wanted: Amounts }; result: Given };
  /** What was taken and not spent. */
  'budget.back': { params: { session: string; amounts: Amounts }; result: null };
  /** The journal has grown; the control plane reads the files itself. */
  head: { params: { writer: string; wseq: number; leaf: string }; result: null };
};
