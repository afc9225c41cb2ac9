import { type Status, timestamp } from '@cordon/protocol';
import { Idempotency } from './api/idempotency.ts';
import type { Route } from './api/route.ts';
import { approvalRoutes } from './api/routes/approvals.ts';
import { breakerRoutes } from './api/routes/breakers.ts';
import { budgetRoutes } from './api/routes/budgets.ts';
import { daemonRoutes, openApiRoute } from './api/routes/daemon.ts';
import { decisionRoutes } from './api/routes/decisions.ts';
import { endorsementRoutes } from './api/routes/endorsements.ts';
import { keyRoutes } from './api/routes/keys.ts';
import { ledgerRoutes } from './api/routes/ledger.ts';
import { lifecycleRoutes } from './api/routes/lifecycle.ts';
import { peopleRoutes } from './api/routes/people.ts';
import { policyRoutes } from './api/routes/policy.ts';
import { secretRoutes } from './api/routes/secrets.ts';
import { sessionRoutes } from './api/routes/sessions.ts';
import { stopRoutes } from './api/routes/stops.ts';
import { ApiServer } from './api/server.ts';
import { alarmWords } from './fleet/fleet.ts';
import { Explainer } from './ledger/explain.ts';
import { limits } from './limits.ts';
import type { ControlPlaneOptions } from './options.ts';
import { createParts, type Parts } from './parts.ts';
import { PolicyLifecycle } from './policy/lifecycle.ts';
import { StatsReader } from './sessions/stats.ts';
import { Suggester } from './suggest/suggest.ts';
import { UplinkServer } from './uplink/server.ts';

/** Zone 3 of one machine: API, sessions, policy lifecycle, stops, leases, the ledger's tree. */
export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #parts: Parts;
  readonly #startedAt: string;
  readonly #uplink: UplinkServer;
  readonly #api: ApiServer;
  readonly #heartbeat: ReturnType<typeof setInterval>;

  private constructor(options: ControlPlaneOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.#startedAt = timestamp(options.clock);
    this.#uplink = new UplinkServer((stream) => parts.gateways.accept(stream));
    this.#api = new ApiServer({
      routes: this.#routes(),
      caller: options.person,
      idempotency: new Idempotency(options.store.idempotency, options.clock),
      log: options.log,
    });
    this.#heartbeat = setInterval(() => this.#beat(), limits.heartbeatIntervalMs);
  }

  /** Resolves when the API answers. A supervisor that cannot be had is a warning then, not the end: `doctor` must run. */
  static async open(options: ControlPlaneOptions): Promise<ControlPlane> {
    const plane = new ControlPlane(options, await createParts(options));
    await plane.#listen();
    return plane;
  }

  /** Ends everything: sandboxes, gateways, supervisor, and the records of it. Stores and ledger are the caller's. */
  async close(): Promise<void> {
    const { sessions, link, registry, recorder, gateways, integrator, witnessing, tenant } = this.#parts;
    const { infrastructure, approvals, endorsements, webhook, shadow } = this.#parts;
    const { log, person } = this.#options;
    const quietly = (what: string) => (error: unknown) => log.fault(what, error);
    sessions.close();
    witnessing[Symbol.dispose]();
    clearInterval(this.#heartbeat);
    await shadow[Symbol.asyncDispose]();
    await link.shutdown().catch(quietly('supervisor shutdown'));
    link[Symbol.dispose]();
    await sessions.endAll('cordond was shut down').catch(quietly('sessions at shutdown'));
    await sessions.settle();
    await recorder.admin(person, 'shutdown', { sessions: registry.size }).catch(quietly('shutdown record'));
    gateways[Symbol.dispose]();
    approvals[Symbol.dispose]();
    endorsements[Symbol.dispose]();
    webhook[Symbol.dispose]();
    tenant[Symbol.dispose]();
    await this.#uplink[Symbol.asyncDispose]();
    await this.#api[Symbol.asyncDispose]();
    await integrator[Symbol.asyncDispose]().catch(quietly('ledger at shutdown'));
    await recorder[Symbol.asyncDispose]().catch(quietly('journal at shutdown'));
    await infrastructure[Symbol.asyncDispose]().catch(quietly('ledger of the infrastructure at shutdown'));
  }

  async #listen(): Promise<void> {
    const { sockets, log } = this.#options;
    const { link, tenant, gateways, approvals, endorsements, recovered, recorder, shredder } = this.#parts;
    await this.#uplink.listen(sockets.control);
    tenant.follow(() => {
      approvals.voidStale();
      endorsements.voidStale();
      return gateways.pushTenant();
    });
    await shredder.resume();
    await link.ensure().catch((error: unknown) => log.fault('supervisor', error));
    const data = {
      role: 'control',
      pid: this.#options.pid,
      recovered: recovered.slice(0, 32),
      overrides: this.#options.overrides(),
    };
    await recorder.record({ type: 'recovery', session: null, data }, 'os');
    await this.#api.listen(sockets.api);
    log.info(`ready: ${sockets.api}`);
  }

  #routes(): Route[] {
    const { store, engine, tree, publicKey, secrets, sockets, version } = this.#options;
    const {
      sessions,
      proposals,
      registry,
      feed,
      stops,
      decisions,
      refusals,
      tenant,
      integrator,
      recorder,
      link,
      gateways,
      shredder,
      witnessing,
      infrastructure,
      trust,
      shadow,
    } = this.#parts;
    const explainer = new Explainer({
      engine,
      decisions,
      sessions: store.sessions,
      holds: store.holds,
      generation: (number) => tenant.generation(number),
    });
    const stats = this.#statsReader();
    const suggester = new Suggester({
      ...{ engine, decisions },
      refusals: store.refusals,
      sessions: store.sessions,
      tenant: () => tenant.current,
    });
    const routes = [
      ...daemonRoutes({
        version,
        status: () => this.#status(),
        stats: () => stats.read(),
        probe: () => link.call('probe', null, limits.apiHandlerTimeoutMs),
        shutdown: (by) => {
          this.#options.log.info(`shutdown asked for by ${by}`);
          this.#options.shutdownRequested();
        },
      }),
      ...sessionRoutes({ sessions, proposals, store: store.sessions, registry, feed, streamSocket: sockets.stream }),
      ...stopRoutes(stops, store.stops),
      ...decisionRoutes(decisions, refusals, explainer),
      ...policyRoutes({ engine, tenant, sessions, suggester }),
      ...lifecycleRoutes({ lifecycle: this.#lifecycle(), shadow, trust }),
      ...secretRoutes(secrets, recorder),
      ...breakerRoutes({ gateways, recorder, fleet: this.#parts.fleet, feed: this.#parts.fleetFeed }),
      ...approvalRoutes({
        approvals: this.#parts.approvals,
        earlier: this.#parts.earlier,
        store: store.holds,
        feed: this.#parts.holdFeed,
      }),
      ...endorsementRoutes({
        endorsements: this.#parts.endorsements,
        store: store.endorsements,
        feed: this.#parts.endorsementFeed,
      }),
      ...keyRoutes(this.#options.permitKey),
      ...budgetRoutes(this.#parts.budgets),
      ...peopleRoutes(this.#parts.people, this.#options.tenant),
      ...ledgerRoutes({ tree, integrator, decisions, publicKey, shredder, witnessing, infrastructure }),
    ];
    return [...routes, openApiRoute(routes, version)];
  }

  #lifecycle(): PolicyLifecycle {
    const { decisions, tenant, trust, shadow } = this.#parts;
    const { engine, store, clock } = this.#options;
    return new PolicyLifecycle({
      ...{ engine, store, tenant, trust, shadow, clock, decisions },
      sessions: store.sessions,
    });
  }

  #statsReader(): StatsReader {
    const { registry, decisions, link, gateways, recorder, integrator, fleet } = this.#parts;
    const { store, clock, tree } = this.#options;
    return new StatsReader({
      ...{ registry, decisions, clock },
      store: store.sessions,
      sandbox: (session) => link.call('stats', { session }, limits.gatewayStatsTimeoutMs),
      gateways: () => gateways.watch(),
      ledger: () => ({
        size: tree.head.size,
        lag: 0,
        problems: [...(recorder.failure === null ? [] : [recorder.failure.message]), ...integrator.problems],
        integrated: (writer) => tree.integratedWseq(writer),
      }),
      alarms: () => fleet.alarms().map(alarmWords),
    });
  }

  async #status(): Promise<Status> {
    const { link, registry, gateways, states, recovered } = this.#parts;
    const { tree, version, pid, home } = this.#options;
    const alive = registry.all();
    return {
      version,
      pid,
      startedAt: this.#startedAt,
      home,
      roles: [
        { role: 'control', pid, state: 'running', restarts: 0 },
        { role: 'supervisor', pid: link.state?.pid ?? 0, state: link.state === null ? 'down' : 'running', restarts: 0 },
        ...states.roles(gateways),
      ],
      sessions: {
        running: alive.filter((session) => session.state !== 'frozen').length,
        frozen: alive.filter((session) => session.state === 'frozen').length,
      },
      ledger: { size: tree.head.size, root: tree.head.root, at: tree.head.at },
      recovered: recovered.slice(-limits.recoveredWordsMax),
      warnings: this.#warnings(),
    };
  }

  #warnings(): string[] {
    const { overrides } = this.#options;
    const { link, tenant, integrator, witnessing, infrastructure, table, recorder, gateways, fleet } = this.#parts;
    return [
      ...overrides(),
      ...(link.state === null ? ['no supervisor: nothing can start'] : []),
      ...(gateways.diskFull
        ? ['the disk of the ledger has reached its reserve: everything is denied until there is room']
        : []),
      ...(recorder.failure === null ? [] : [`the ledger cannot be written: ${recorder.failure.message}`]),
      ...witnessing.warnings,
      ...(infrastructure.problem === null ? [] : [`the ledger of the infrastructure: ${infrastructure.problem}`]),
      ...fleet.alarms().map(alarmWords),
      ...integrator.problems.map((problem) => `a journal cannot be read: ${problem}`),
      ...tenant.problems.map(
        (problem) =>
          `policy ${problem.file}:${problem.line ?? '?'}: ${problem.message}; generation ${tenant.current.generation} stays in force`,
      ),
      ...table.active
        .filter((stop) => !('session' in stop.scope))
        .map(
          (stop) => `${'agent' in stop.scope ? `agent ${stop.scope.agent}` : 'everything'} is stopped since ${stop.at}`,
        ),
    ];
  }

  /** That we live and what we see; a silent minute in the ledger is a finding of the verifier. */
  #beat(): void {
    const { recorder, registry, gateways, sessions } = this.#parts;
    void sessions.settle();
    const data = { sessions: registry.size, gateways: gateways.connected.length };
    this.#renewAuthority().catch((error: unknown) => this.#options.log.fault('interception CA', error));
    recorder
      .record({ type: 'heartbeat', session: null, data }, 'os')
      .catch((error: unknown) => this.#options.log.fault('heartbeat', error));
  }

  async #renewAuthority(): Promise<void> {
    const { authority, log } = this.#options;
    const { sessions, gateways } = this.#parts;
    if (!authority.due || !sessions.idle) return;
    await sessions.quiesce(() => authority.renew());
    gateways.reset();
    log.info('the interception CA was renewed');
  }
}
