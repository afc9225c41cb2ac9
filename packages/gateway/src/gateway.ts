import { type Destinations, Interception, type Upstreams } from '@cordon/egress';
import type { Journal, SessionKeyring } from '@cordon/ledger';
import { createPermitMinter, type Engine } from '@cordon/policy';
import {
  assertNever,
  type ChannelStream,
  type Clock,
  type GatewayMethods,
  type GatewayUplink,
  type Handlers,
  type Random,
  type ServeMessage,
} from '@cordon/protocol';
import type { PinnedKey } from '@cordon/protocol/dsse';
import { Leases } from '@cordon/secrets';
import type { Report, Road } from './ask.ts';
import { openBreakers, resetBreakers } from './breaker/breaker.ts';
import { Sinks } from './breaker/sinks.ts';
import { sessionPurse } from './budget/session-purse.ts';
import { Arrivals } from './control/arrivals.ts';
import { ControlAsks } from './control/asks.ts';
import { PermitDesk } from './control/permit-desk.ts';
import { Policies } from './control/policies.ts';
import { RightToDecide } from './control/right.ts';
import { parseSupervisorMessage, type SupervisorPort } from './control/supervisor.ts';
import { Uplink } from './control/uplink.ts';
import { Doors } from './door.ts';
import { GatewayError } from './error.ts';
import { codeOf } from './failure.ts';
import { HoldDesk } from './hold/desk.ts';
import { Contexts } from './label/contexts.ts';
import { limits as defaults, type GatewayLimits } from './limits.ts';
import { limitReports } from './report-limit.ts';
import { Service } from './service.ts';
import { HeldBytes } from './session/held.ts';
import { Session } from './session/session.ts';
import { type Load, Shedding } from './shed.ts';
import { type GatewayStats, statsOf, trafficOf } from './stats.ts';
import { warmUp } from './warm-up.ts';

export interface GatewayOptions {
  readonly tenant: string;
  /** Tells this process from the one before it. */
  readonly boot: string;
  readonly pid: number;
  /** Opened for this tenant and writer; the gateway appends, the composition root closes. */
  readonly journal: Journal;
  /** What the journal seals bodies with; filled as the control plane says. */
  readonly bodyKeys: SessionKeyring;
  readonly engine: Engine;
  readonly egress: { readonly destinations: Destinations; readonly upstreams: Upstreams };
  /** Opens the private channel to the control plane; called again whenever it is lost. */
  readonly connectControl: (signal: AbortSignal) => Promise<ChannelStream>;
  readonly supervisor: SupervisorPort;
  readonly clock: Clock;
  /** Milliseconds of a processor that this thread has had. */
  readonly computed: () => number;
  readonly random: Random;
  /** By which the control plane's receipts for approvals are known; null where there is none yet. */
  readonly approvalKey: PinnedKey | null;
  /** Diagnostics for whoever runs the host; never a record, never a byte of the agent. */
  readonly report: Report;
  /** How much the process bears at this moment. */
  readonly load: () => Load;
  readonly limits?: Partial<GatewayLimits>;
}

interface Served {
  readonly session: Session;
  readonly doors: Doors;
}

/** One tenant's data plane. It reads no environment, starts nothing and writes no file: all of that is handed in. */
export class Gateway implements AsyncDisposable {
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #policies: Policies;
  readonly #right: RightToDecide;
  readonly #credentials: Leases;
  readonly #service: Service;
  readonly #held: HeldBytes;
  readonly #road: Road;
  readonly #uplink: Uplink;
  readonly #served = new Map<string, Served>();
  /** Also of sessions whose sockets have not come yet. */
  readonly #stopped = new Set<string>();
  readonly #arrivals: Arrivals;
  readonly #shedding: Shedding;
  readonly #labels: Contexts;
  readonly #ticks: ReadonlyArray<ReturnType<typeof setInterval>>;
  #interception: Interception | null = null;
  #reportedWseq = 0;
  #closing: Promise<void> | null = null;

  constructor(options: GatewayOptions) {
    this.#limits = { ...defaults, ...options.limits };
    const { clock, random, journal, egress, boot } = options;
    const report = limitReports(options.report, clock, this.#limits.reportsPerMinuteMax);
    this.#options = { ...options, report };
    this.#right = new RightToDecide(clock);
    this.#held = new HeldBytes(this.#limits.bodyBytesHeldMax);
    this.#policies = new Policies(options.engine, options.tenant);
    this.#arrivals = new Arrivals(this.#limits.policyWaitMs);
    const asks = new ControlAsks(() => this.#uplink, this.#limits);
    this.#credentials = new Leases({ source: asks, clock });
    this.#labels = new Contexts({
      journal,
      store: (session, label) => asks.storeLabel(session, label),
      fallen: (session) => this.#reauthorize(0, session),
    });
    const road: Road = {
      labels: this.#labels,
      ...{ journal, clock, computed: options.computed, random, report, ...egress },
      credentials: this.#credentials,
      minter: createPermitMinter(clock, { boot }),
      sinks: new Sinks(this.#limits.sinksMax),
      permits: new PermitDesk((message) => options.supervisor.send(message), this.#limits),
      right: this.#right,
      holds: new HoldDesk({ port: asks, boot, clock, key: options.approvalKey, limits: this.#limits }),
      limits: this.#limits,
      diskFull: () => this.#shedding.diskFull,
      policyOf: (session) => this.#policies.of(session),
    };
    this.#road = road;
    this.#shedding = new Shedding(options.load, clock, this.#limits, report);
    this.#service = new Service({
      shed: () => this.#shedding.shed,
      road,
      policyArrived: (session) => this.#arrivals.wait(() => this.#canDecide(session)),
      interception: () => this.#authority(),
    });
    this.#uplink = new Uplink({
      connect: options.connectControl,
      handlers: this.#handlers(),
      hello: () => this.#hello(),
      welcome: (answer) => this.#welcome(answer),
      retryMs: this.#limits.connectRetryMs,
      report: (code, message) => report('warn', code, message),
    });
    this.#ticks = [
      setInterval(() => this.#reauthorize(this.#limits.reauthorizeMs), this.#limits.sweepMs),
      setInterval(() => this.#shedding.look(), this.#limits.sweepMs),
      setInterval(() => this.#sweepPurses(), this.#limits.sweepMs),
      setInterval(() => this.#reportHead(), this.#limits.headReportMs),
    ];
    options.supervisor.onMessage((message, handle) => this.#fromSupervisor(message, handle));
    options.supervisor.send({ type: 'ready', boot });
    setImmediate(() => {
      if (!warmUp(options.engine, clock, random)) report('warn', 'warm-up', 'the policy engine was not warmed up');
    });
  }

  stats(): GatewayStats {
    return statsOf(this.#sessions(), this.#right.alive);
  }

  /** Ends every session's sockets; what was recorded is on disk when this resolves. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    for (const tick of this.#ticks) clearInterval(tick);
    await Promise.all([...this.#served.keys()].map((session) => this.#closeSession(session)));
    this.#service[Symbol.dispose]();
    await this.#uplink[Symbol.asyncDispose]();
    this.#arrivals.end();
    if (this.#options.journal.failure === null) await this.#options.journal.sync();
  }

  // ---- what the supervisor says -------------------------------------------------------------------------------

  #fromSupervisor(message: unknown, handle: unknown): void {
    const { supervisor, report } = this.#options;
    let parsed: ReturnType<typeof parseSupervisorMessage>;
    try {
      parsed = parseSupervisorMessage(message);
    } catch (error: unknown) {
      report('error', codeOf(error), 'a message of the supervisor was not understood');
      return;
    }
    switch (parsed.type) {
      case 'ping':
        supervisor.send({ type: 'pong', n: parsed.n });
        return;
      case 'signed':
      case 'unsigned':
        this.#road.permits.take(parsed);
        return;
      case 'close': {
        const { session } = parsed;
        this.#closeSession(session).then(
          () => supervisor.send({ type: 'closed', session }),
          (error: unknown) => report('error', codeOf(error), 'a session could not be closed'),
        );
        return;
      }
      case 'serve':
        this.#listen(parsed, handle).catch((error: unknown) => {
          report('error', codeOf(error), 'a handed-over socket cannot be served');
        });
        return;
      default:
        assertNever(parsed, 'supervisor message');
    }
  }

  async #listen(message: ServeMessage, handle: unknown): Promise<void> {
    const { tenant, supervisor } = this.#options;
    if (message.tenant !== tenant) {
      throw new GatewayError('tenant-mismatch', `this gateway serves ${tenant}, not ${message.tenant}`);
    }
    const { session, doors } = this.#sessionOf(message.session);
    await doors.serve(message, handle);
    if (!session.closed && doors.count === message.of) {
      supervisor.send({ type: 'serving', session: session.id, sockets: doors.count });
    }
  }

  #sessionOf(id: string): Served {
    const known = this.#served.get(id);
    if (known !== undefined) return known;
    this.#shedding.admitSession();
    if (this.#served.size >= this.#limits.sessionsMax) {
      throw new GatewayError('session-limit', `a gateway serves ${this.#limits.sessionsMax} sessions`);
    }
    const session: Session = new Session(
      id,
      this.#options.journal.past(id),
      this.#limits,
      this.#held,
      sessionPurse(id, {
        policy: () => this.#policies.of(id),
        channel: () => this.#uplink.channel,
        empty: () => session.cutStreams('budget-used-up'),
        clock: this.#options.clock,
        limits: this.#limits,
      }),
    );
    if (this.#stopped.has(id)) session.setStopped(true);
    const doors = new Doors({
      session,
      names: this.#service.createNames(session),
      service: this.#service,
      limits: this.#limits,
      policyArrived: () => this.#arrivals.wait(() => this.#canDecide(id)),
    });
    const served = { session, doors };
    this.#served.set(id, served);
    return served;
  }

  /** The order of stop.md: our listening sockets, the agent's connections, the upstream ones, the leases. */
  async #closeSession(id: string): Promise<void> {
    const served = this.#served.get(id);
    if (served === undefined) return;
    const closing = served.doors.close();
    served.session.close();
    this.#dropEffects(id);
    this.#interception?.forgetSession(id);
    await closing;
    // Every effect that was under way still writes its outcome.
    await served.session.idle();
    this.#served.delete(id);
    this.#labels.close(id);
    this.#options.journal.closeSession(id);
  }

  #dropEffects(session: string): void {
    this.#options.egress.upstreams.closeSession(session);
    this.#credentials.dropSession(session);
  }

  // ---- what the control plane says ----------------------------------------------------------------------------

  #handlers(): Handlers<GatewayMethods> {
    return {
      tenant: (policy) => {
        const { digest, failed } = this.#policies.setTenant(policy);
        this.#policyChanged();
        for (const session of failed) {
          this.#options.report('error', 'policy-invalid', `${session} has no policy in force under this generation`);
        }
        return { digest };
      },
      session: (policy) => {
        try {
          // A stop holds whatever becomes of the policy; a lift only with one that is taken.
          if (policy.stopped) this.#setStopped(policy.session, true);
          const digest = this.#policies.setSession(policy);
          this.#setStopped(policy.session, policy.stopped);
          return { digest };
        } finally {
          this.#policyChanged();
        }
      },
      'session.key': ({ session, id, key }) => {
        this.#options.bodyKeys.hold(session, id, Buffer.from(key, 'base64'));
        return null;
      },
      'session.stop': ({ session, stopped }) => {
        this.#setStopped(session, stopped);
        this.#policies.setStopped(session, stopped);
        return null;
      },
      'session.close': async ({ session }) => {
        await this.#closeSession(session);
        this.#policies.remove(session);
        this.#stopped.delete(session);
        this.#options.bodyKeys.drop(session);
        return null;
      },
      beat: ({ sequence, leaseMs }) => {
        this.#right.renew(leaseMs);
        this.#arrivals.check();
        return { sequence, diskFull: this.#shedding.diskFull };
      },
      breakers: () => openBreakers(this.#road, this.#sessions()),
      'breaker.reset': ({ session }) => ({ reset: resetBreakers(this.#road, this.#sessions(), session) }),
      'hold.changed': (news) => this.#road.holds.news(news),
      stats: () => trafficOf(this.#sessions(), this.#right.alive),
    };
  }

  #setStopped(id: string, stopped: boolean): void {
    if (stopped) this.#stopped.add(id);
    else this.#stopped.delete(id);
    const session = this.#served.get(id)?.session;
    if (session === undefined || session.stopped === stopped) return;
    session.setStopped(stopped);
    if (stopped) this.#dropEffects(id);
  }

  #policyChanged(): void {
    this.#reauthorize(0);
    this.#arrivals.check();
  }

  #sessions(): Session[] {
    return [...this.#served.values()].map(({ session }) => session);
  }

  #sweepPurses(): void {
    for (const { purse } of this.#sessions()) purse.sweep();
  }

  #reauthorize(olderThanMs: number, only?: string): void {
    const now = this.#options.clock.monotonic();
    for (const [id, { session }] of this.#served) {
      if (only === undefined || only === id) session.reauthorize(now, olderThanMs);
    }
  }

  /** A right that ran out is not waited for: until it is back the answer is no. */
  #canDecide(session: string): boolean {
    return this.#right.wasLent && this.#policies.of(session) !== null;
  }

  // ---- what we say to the control plane -----------------------------------------------------------------------

  #hello(): GatewayUplink['hello']['params'] {
    const { boot, pid, tenant, journal } = this.#options;
    return { boot, pid, tenant, writer: journal.writer, sessions: [...this.#served.keys()] };
  }

  #welcome(answer: GatewayUplink['hello']['result']): void {
    if (this.#interception?.certificate !== answer.caCertificate) {
      const { clock, random } = this.#options;
      this.#interception = new Interception({ certificate: answer.caCertificate, key: answer.caKey, clock, random });
    }
    // After an outage the policies are as old as the outage; the first beat comes behind the new ones.
    if (!this.#right.wasLent) this.#right.renew(answer.leaseMs);
    this.#arrivals.check();
    // The channel is ours to call on only after this answer was worked through.
    setImmediate(() => this.#labels.resend());
  }

  async #authority(): Promise<Interception | null> {
    await this.#arrivals.wait(() => this.#interception !== null);
    return this.#interception;
  }

  #reportHead(): void {
    const { journal } = this.#options;
    const { wseq, leaf } = journal.head;
    const { channel } = this.#uplink;
    if (channel === null || wseq === this.#reportedWseq) return;
    this.#reportedWseq = wseq;
    channel.send('head', { writer: journal.writer, wseq, leaf });
  }
}
