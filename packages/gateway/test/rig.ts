import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import {
  createAuthority,
  createResolver,
  Destinations,
  type HostView,
  localHostView,
  parseOverrides,
  Upstreams,
} from '@cordon/egress';
import { type Journal, openJournal, readJournal, SessionKeyring, verifyLedger } from '@cordon/ledger';
import {
  compileEngine,
  compileGrants,
  coreCeiling,
  createEngine,
  createLabel,
  type Engine,
  type Grant,
  type LabelParts,
  openTenant,
} from '@cordon/policy';
import {
  type Amounts,
  type Budget,
  Channel,
  type Clock,
  type Entry,
  type GatewayMethods,
  type GatewayUplink,
  type Given,
  type Handlers,
  type OriginRule,
  type PermitOrder,
  type RecordValue,
  type SecretBinding,
  type SessionLabels,
  type SessionPolicy,
  systemClock,
  systemRandom,
  type TenantPolicy,
} from '@cordon/protocol';
import { TestCa } from '@cordon/testkit';
import { verifyCounters } from '../../../apps/verify/src/counters/counters.ts';
import type { SigningAnswer } from '../src/control/permit-desk.ts';
import { Gateway, type GatewayLimits, type Load } from '../src/index.ts';
import { PlayedPeople } from './people.ts';

const wasmUrl = new URL('../../../node_modules/@cedar-policy/cedar-wasm/web/cedar_wasm_bg.wasm', import.meta.url);
const { module, digest } = compileEngine(readFileSync(wasmUrl));

export function makeEngine(memoEntries?: number): Engine {
  return createEngine(module, digest, memoEntries === undefined ? {} : { memoEntries });
}

export const upstreamCa = new TestCa('Upstream of the tests');
export const session = 'ses_01arz3ndektsv4rrffq69g5fav';

export interface RigOptions {
  readonly grants?: readonly Grant[];
  readonly secrets?: readonly SecretBinding[];
  /** `host:port` → loopback port of a test server. */
  readonly hosts?: Readonly<Record<string, number>>;
  readonly limits?: Partial<GatewayLimits>;
  readonly leaseMs?: number;
  readonly beats?: boolean;
  readonly lease?: (request: GatewayUplink['lease']['params']) => { value: string; expiresAt: string };
  /** What the control plane does with a label; default: it takes it. */
  readonly label?: (params: GatewayUplink['label']['params']) => Promise<void> | void;
  /** What sessions start with; default: a vouched context that holds nothing private. */
  readonly start?: SessionLabels;
  /** What comes of asking for a slice of a budget; default: there is no limit. */
  readonly budget?: (request: GatewayUplink['budget.take']['params']) => Given;
  /** What the session's own policy says of it. */
  readonly limited?: Budget;
  /** Of one of {@link sessions}, where it starts with something else. */
  readonly startOf?: (session: string) => SessionLabels;
  readonly journal?: (journal: Journal) => Journal;
  readonly home?: string;
  readonly clock?: Clock;
  /** Processor time; default: this thread's. */
  readonly computed?: () => number;
  /** 0: every decision is evaluated. */
  readonly memoEntries?: number;
  /** Name servers, `127.0.0.1:port`; default: none answers. */
  readonly dns?: readonly string[];
  /** PEM certificates that upstream servers may stand under, beside the rig's own. */
  readonly trust?: readonly string[];
  readonly hostView?: HostView;
  /** What the tenant's own layer says of origins: ranges of loopback among them. */
  readonly tenantOrigins?: readonly OriginRule[];
  /** What the process bears; default: nothing. */
  readonly load?: () => Load;
  /** Sessions beside {@link session}, under the same grants; their ports: `rig.portsOf(id)`. */
  readonly sessions?: readonly string[];
  /** The supervisor's answer to an order for a signed permit; default: none comes. */
  readonly sign?: (order: PermitOrder, rig: Rig) => Omit<SigningAnswer, 'n'> | null;
}

export interface Ports {
  readonly proxy: number;
  readonly http: number;
  readonly tls: number;
}

export interface Reported {
  readonly level: string;
  readonly code: string;
  readonly message: string;
}

/** A whole gateway on real sockets, with a real engine and journal; control plane and supervisor are played here. */
export class Rig implements AsyncDisposable {
  readonly options: RigOptions;
  readonly home: string;
  readonly reports: Reported[] = [];
  readonly sent: unknown[] = [];
  readonly leases: Array<GatewayUplink['lease']['params']> = [];
  readonly labels: Array<GatewayUplink['label']['params']> = [];
  readonly people = new PlayedPeople();
  readonly givenBack: Amounts[] = [];
  readonly ports = { proxy: 0, http: 0, tls: 0 };
  journal!: Journal;
  readonly bodyKeys = new SessionKeyring();
  gateway!: Gateway;
  control: Channel<GatewayMethods, GatewayUplink> | null = null;
  ca!: { certificate: string; key: string };
  revision = 1;
  generation = 1;
  #toGateway: (message: unknown, handle: unknown) => void = () => undefined;
  #upstreams!: Upstreams;
  #beat: ReturnType<typeof setInterval> | null = null;
  #grants: readonly Grant[];
  readonly #portsOf = new Map<string, Ports>();
  stopped = false;
  /** While true the control plane cannot be reached. */
  cut = false;

  private constructor(options: RigOptions) {
    this.options = options;
    this.home = options.home ?? mkdtempSync(join(tmpdir(), 'gateway-'));
    this.#grants = options.grants ?? [];
  }

  static async start(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    const clock = options.clock ?? systemClock;
    const directory = join(rig.home, 'journal');
    const opened = await openJournal({ directory, tenant: 'local', writer: 'gw', clock });
    rig.journal = options.journal?.(opened) ?? opened;
    rig.ca = await createAuthority({ clock, random: systemRandom, tenant: 'local' });
    const hosts = Object.entries(options.hosts ?? {}).map(([name, port]) => [name, `127.0.0.1:${port}`]);
    const overrides = parseOverrides(Object.fromEntries(hosts) as Record<string, string>);
    const destinations = new Destinations({
      resolver: createResolver({ clock, servers: options.dns ?? ['127.0.0.1:9'] }),
      clock,
      hostView: () => options.hostView ?? localHostView([]),
      overrides,
    });
    rig.#upstreams = new Upstreams({ clock, extraCa: [upstreamCa.certificate, ...(options.trust ?? [])] });
    rig.gateway = new Gateway({
      tenant: 'local',
      boot: 'bot_test',
      pid: process.pid,
      journal: rig.journal,
      bodyKeys: rig.bodyKeys,
      engine: makeEngine(options.memoEntries),
      egress: { destinations, upstreams: rig.#upstreams },
      connectControl: () => rig.#connect(),
      supervisor: {
        send: (message) => {
          rig.sent.push(message);
          const answer = message.type === 'sign' ? options.sign?.(message.order, rig) : null;
          if (message.type === 'sign' && answer != null) setImmediate(() => rig.tell({ ...answer, n: message.n }));
        },
        onMessage: (listener) => {
          rig.#toGateway = listener;
        },
      },
      clock,
      computed: options.computed ?? threadComputed,
      random: systemRandom,
      approvalKey: rig.people.pinned,
      report: (level, code, message) => rig.reports.push({ level, code, message }),
      load: options.load ?? (() => ({ memoryBytes: 0, memoryBytesMax: 1, delayMs: 0, diskFreeBytes: 1, diskBytes: 1 })),
      // A decision on a busy test machine may be descheduled for longer than the limit of production.
      limits: { decisionMs: 5_000, ...options.limits },
    });
    for (const id of options.sessions ?? []) await rig.serve(id);
    await rig.serve();
    const served = 1 + (options.sessions?.length ?? 0);
    await rig.until(() => rig.control !== null && rig.sent.filter((message) => isServing(message)).length >= served);
    return rig;
  }

  /** Hands three listening sockets over, as the supervisor does. */
  async serve(id = session): Promise<void> {
    for (const kind of ['proxy', 'http', 'tls'] as const) {
      const holder = await listening();
      const address = holder.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      this.ports[kind] = address.port;
      this.#portsOf.set(id, { ...(this.#portsOf.get(id) ?? this.ports), [kind]: address.port });
      this.tell(
        { type: 'serve', v: 1, tenant: 'local', session: id, kind, address: '127.0.0.1', port: address.port, of: 3 },
        holder,
      );
    }
  }

  portsOf(id: string): Ports {
    return this.#portsOf.get(id) ?? this.ports;
  }

  tell(message: unknown, handle?: unknown): void {
    this.#toGateway(message, handle);
  }

  #connect(): Promise<import('@cordon/protocol').ChannelStream> {
    if (this.cut) return Promise.reject(new Error('no control plane'));
    const [ours, theirs] = duplexPair();
    ours.on('close', () => theirs.destroy());
    this.control = null;
    const handlers: Handlers<GatewayUplink> = {
      hello: () => {
        setImmediate(() => void this.push(control));
        const { certificate, key } = this.ca;
        return { caCertificate: certificate, caKey: key, leaseMs: this.options.leaseMs ?? 15_000 };
      },
      lease: (request) => {
        this.leases.push(request);
        return (
          this.options.lease?.(request) ?? { value: 'sk-real-value-0123456789', expiresAt: '2100-01-01T00:00:00.000Z' }
        );
      },
      label: async (params) => {
        await this.options.label?.(params);
        this.labels.push(params);
        return null;
      },
      'hold.open': (order) => this.people.open(order),
      'hold.use': (use) => this.people.use(use),
      'endorsement.use': (use) => this.people.endorse(use),
      'budget.take': (request) => this.options.budget?.(request) ?? { requests: null, bytes: null },
      'budget.back': ({ amounts }) => {
        this.givenBack.push(amounts);
        return null;
      },
      head: () => null,
    };
    const control: Channel<GatewayMethods, GatewayUplink> = new Channel(ours, handlers);
    return Promise.resolve(theirs);
  }

  async push(control = this.control): Promise<void> {
    if (control === null || control.closed) return;
    await control.call('tenant', this.tenantPolicy());
    for (const id of this.options.sessions ?? []) {
      const labels = this.options.startOf?.(id) ?? this.sessionPolicy().labels;
      await control.call('session', {
        ...this.sessionPolicy(),
        session: id,
        stopped: false,
        ...(labels && { labels }),
      });
    }
    await control.call('session', this.sessionPolicy());
    this.control = control;
    if (this.options.beats === false) return;
    this.#beat ??= setInterval(() => {
      if (this.cut) return;
      this.control?.send('beat', { sequence: 1, leaseMs: this.options.leaseMs ?? 15_000 });
    }, 500);
  }

  /** The control plane dies: its channel closes and cannot be opened again until {@link cut} is false. */
  loseControl(): void {
    this.cut = true;
    this.control?.close();
    this.control = null;
  }

  /** A person has answered what waits: the control plane tells it. */
  async answer(state: 'approved' | 'denied' | 'void', reason = ''): Promise<void> {
    for (const [id, hold] of this.people.holds) {
      if (hold.state !== 'open') continue;
      Object.assign(hold, { state, reason });
      await this.control?.call('hold.changed', this.people.newsOf(id));
    }
  }

  tenantPolicy(): TenantPolicy {
    const layers = [coreCeiling, openTenant];
    const origins = this.options.tenantOrigins ?? [];
    return { tenant: 'local', generation: this.generation, layers, origins, expires: null };
  }

  sessionPolicy(): SessionPolicy {
    const compiled = compileGrants(this.#grants, { layer: 'session', source: 'test' });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    return {
      tenant: 'local',
      session,
      agent: 'tester',
      person: 'root',
      chain: `sha256:${'c'.repeat(64)}`,
      salt: '0'.repeat(32),
      revision: this.revision,
      layer: { name: 'session', policies: compiled.policies },
      origins: compiled.origins,
      secrets: this.options.secrets ?? [],
      stopped: this.stopped,
      startedAt: '2026-11-21T00:00:00.000Z',
      profile: 'generic',
      ...(this.options.limited === undefined ? {} : { budget: this.options.limited }),
      labels: this.options.start ?? startOf({ integrity: 2, confidentiality: 0, readers: 'all', sources: ['test'] }),
    };
  }

  async setGrants(grants: readonly Grant[]): Promise<void> {
    this.#grants = grants;
    this.revision += 1;
    await this.push();
  }

  async entries(): Promise<Entry[]> {
    const found: Entry[] = [];
    for await (const { entry } of readJournal(join(this.home, 'journal'), 'gw')) found.push(entry);
    return found;
  }

  async entriesOf(type: Entry['type']): Promise<Entry[]> {
    return (await this.entries()).filter((entry) => entry.type === type);
  }

  async until(condition: () => boolean | Promise<boolean>, ms = 8_000): Promise<void> {
    const end = performance.now() + ms;
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`waited ${ms} ms: ${JSON.stringify(this.reports)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Ends the gateway and closes its journal; the home stays for the next one. */
  async stop(): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat);
    this.control?.close();
    await this.gateway.close();
    this.#upstreams[Symbol.dispose]();
    await this.journal.close();
    checkCounted(join(this.home, 'journal'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (this.options.home === undefined) rmSync(this.home, { recursive: true, force: true });
  }
}

function threadComputed(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

export function startOf(label: LabelParts, more: Partial<SessionLabels> = {}): SessionLabels {
  const start = createLabel(label) as unknown as RecordValue;
  return { start, order: [], workspace: { path: '/work', mode: 'proposal' }, ...more };
}

/** Whatever a test did to a gateway, the verifier finds nothing wrong with what that gateway recorded of itself. */
function checkCounted(journals: string): void {
  const common = { journals, tree: null, verifierKey: null };
  const { parts } = verifyLedger({
    ...common,
    parts: ['labels', 'counters'],
    counters: (folder) => verifyCounters(folder),
  });
  const failures = parts.flatMap((part) => part.failures);
  if (failures.length > 0) throw new Error(`the verifier names ${JSON.stringify(failures)}`);
}

function isServing(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'serving';
}

function listening(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
