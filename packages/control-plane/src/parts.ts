import { JournalArchive } from '@cordon/ledger';
import { Approvals } from './approvals/approvals.ts';
import { Earlier } from './approvals/earlier.ts';
import { newsOf } from './approvals/live-holds.ts';
import { Webhook } from './approvals/webhook.ts';
import { Budgets } from './budgets/budgets.ts';
import { GatewayStates } from './daemon.ts';
import { Endorsements } from './endorsements/endorsements.ts';
import { Fleet } from './fleet/fleet.ts';
import { Labels } from './labels/labels.ts';
import { Decisions } from './ledger/decisions.ts';
import { Infrastructure } from './ledger/infrastructure.ts';
import { Integrator } from './ledger/integrator.ts';
import { Recorder } from './ledger/recorder.ts';
import { Refusals } from './ledger/refusals.ts';
import { Shredder } from './ledger/shredder.ts';
import { Witnessing } from './ledger/witnessing.ts';
import { limits } from './limits.ts';
import type { ControlPlaneOptions } from './options.ts';
import { People } from './people/people.ts';
import { Shadow } from './policy/shadow.ts';
import { TenantPolicies } from './policy/tenant.ts';
import { Trust } from './policy/trust.ts';
import { SessionFeed } from './sessions/feed.ts';
import { Proposals } from './sessions/proposals.ts';
import { SessionRegistry } from './sessions/registry.ts';
import { type SessionBackends, Sessions } from './sessions/sessions.ts';
import { Stops } from './stops/stops.ts';
import { StopTable } from './stops/table.ts';
import { supervisorEvents } from './supervisor/events.ts';
import { SupervisorLink, type SupervisorState } from './supervisor/link.ts';
import { Gateways } from './uplink/gateways.ts';
import { leaseSecret } from './uplink/leases.ts';

/** What is known and recorded: files, database and ledger, opened; nothing acts yet. */
interface Records {
  readonly recorder: Recorder;
  readonly labels: Labels;
  readonly witnessing: Witnessing;
  readonly infrastructure: Infrastructure;
  readonly people: People;
  readonly budgets: Budgets;
  readonly integrator: Integrator;
  readonly decisions: Decisions;
  readonly refusals: Refusals;
  readonly tenant: TenantPolicies;
  readonly trust: Trust;
  readonly shadow: Shadow;
  readonly registry: SessionRegistry;
  readonly table: StopTable;
  readonly states: GatewayStates;
  readonly feed: SessionFeed;
  /** Of holds. */
  readonly holdFeed: SessionFeed;
  readonly fleet: Fleet;
  /** Of its alarms. */
  readonly fleetFeed: SessionFeed;
  readonly endorsementFeed: SessionFeed;
  readonly webhook: Webhook;
  readonly recovered: string[];
}

/** The parts of a control plane, each made from those before it. */
export interface Parts extends Records {
  readonly gateways: Gateways;
  readonly link: SupervisorLink;
  readonly sessions: Sessions;
  readonly proposals: Proposals;
  readonly stops: Stops;
  readonly shredder: Shredder;
  readonly approvals: Approvals;
  readonly endorsements: Endorsements;
  readonly earlier: Earlier;
}

export async function createParts(options: ControlPlaneOptions): Promise<Parts> {
  const records = await openRecords(options);
  // Each names the other: gateways ask for approvals, and hear what becomes of them.
  const gateways: Gateways = createGateways(options, records, () => ({ approvals, endorsements }));
  const earlier = new Earlier({
    tenant: options.tenant,
    store: options.store.holds,
    keys: options.bodyKeys,
    random: options.random,
  });
  const approvals: Approvals = await openApprovals(options, records, earlier, () => gateways);
  const endorsements: Endorsements = await openEndorsements(options, records, approvals);
  records.people.follow(() => {
    approvals.voidUncounted();
    endorsements.voidUncounted();
  });
  // Each names the other: a session's start calls the supervisor, and the supervisor's events end sessions.
  const link: SupervisorLink = createLink(options, records, () => ({ sessions, stops }));
  const supervisor: SessionBackends['supervisor'] = (method, params, timeoutMs) => link.call(method, params, timeoutMs);
  const sessions = createSessions(options, records, {
    supervisor,
    pushSession: (id) => gateways.pushSession(id),
    closeSession: async (id) => {
      approvals.voidSessions([id], 'session-ended');
      endorsements.voidSessions([id], 'session-ended');
      await gateways.closeSession(id);
      await records.budgets.close(id);
    },
  });
  const { clock, random, log, store } = options;
  const { table, registry, recorder } = records;
  const stops = new Stops({
    ...{ table, registry, recorder, clock, random, log, supervisor },
    endSilentSupervisor: () => link.endIfSilent(),
    store: store.stops,
    settings: store.settings,
    touched: (scope) => endorsements.voidWithin(scope, 'session-stopped'),
    stopAtGateway: (session, stopped) => {
      // Before or after a stop is another question: nothing that was answered before it counts behind it.
      approvals.voidSessions([session], stopped ? 'session-stopped' : 'session-lifted');
      return gateways.stopSession(session, stopped);
    },
    setState: (session, state) => sessions.setState(session, state),
  });
  beginFleet(options, records, stops);
  const shredder = new Shredder({ keys: options.bodyKeys, recorder, store, clock, log });
  return {
    ...records,
    shredder,
    gateways,
    approvals,
    endorsements,
    earlier,
    link,
    sessions,
    stops,
    proposals: new Proposals(sessions, recorder, records.labels, supervisor),
  };
}

function beginFleet({ clock, log }: ControlPlaneOptions, records: Records, stops: Stops): void {
  const { recorder, registry, tenant, webhook, fleet, fleetFeed } = records;
  fleet.begin({
    ...{ recorder, clock, log, feed: fleetFeed },
    says: () => tenant.current.breakers?.fleet ?? 'page',
    tell: (alarm) => {
      const url = tenant.current.approvals?.webhook ?? null;
      if (url !== null) webhook.tell(url, { v: 'fleet-event/1', ...alarm });
    },
    isAlive: (session) => registry.find(session) !== null,
    freeze: async (session, reason) => {
      await stops.stop({ session }, 'freeze', reason, 'fleet breaker');
    },
  });
}

async function openRecords(options: ControlPlaneOptions): Promise<Records> {
  const { store, tree, journals, bodyKeys, engine, files, clock, log } = options;
  const decisions = new Decisions(store.decisions, new JournalArchive(journals, bodyKeys), () => integrator.run());
  const fleet = new Fleet();
  const refusals = new Refusals(store.refusals, () => integrator.run());
  const integrator: Integrator = await Integrator.open({
    ...{ tree, journals, store, log },
    indexed: (attempts) => decisions.announce(attempts),
    refused: () => refusals.announce(),
    decided: (decided) => fleet.denied(decided),
  });
  const infrastructure = await Infrastructure.open(options.infrastructure, [tree], log);
  const witnessing = new Witnessing({
    logs: [
      { tree, recorder: () => recorder, integrate: () => integrator.run() },
      {
        tree: infrastructure.tree,
        recorder: () => infrastructure.recorder,
        // What is wrong with it is a warning of its own, and keeps no tenant's head from its witnesses.
        integrate: () => infrastructure.run().catch(() => undefined),
      },
    ],
    ...{ ask: options.askWitness, log },
    policyText: () => files.readText(options.witnessFile, limits.configFileBytesMax),
  });
  const recorder: Recorder = await Recorder.open({
    ...{ open: options.openJournal, log },
    kick: () => integrator.kick(),
    urgent: () => witnessing.kick(),
  });
  const tenant = await TenantPolicies.open({
    ...{ engine, store, files, recorder, clock, log },
    tenant: options.tenant,
    directory: options.policyDirectory,
  });
  const people = await People.open({
    ...options.people,
    issuer: () => `local:${Buffer.from(options.random.bytes(8)).toString('hex')}`,
    ...{ recorder, clock },
  });
  const registry = await SessionRegistry.open(store.sessions);
  const budgets = new Budgets({
    store: store.budgets,
    ...{ recorder, clock },
    said: () => tenant.current.budgets ?? {},
    sessions: () => registry.all().map(({ policy }) => policy),
  });
  return {
    labels: new Labels({ store: store.labels, recorder, clock }),
    trust: await Trust.open({ tenant: options.tenant, store, people, recorder }),
    shadow: new Shadow({ engine, decisions, sessions: store.sessions }, clock, log),
    ...{ recorder, fleet, infrastructure, witnessing, people },
    ...{ integrator, decisions, refusals, tenant, registry, budgets },
    table: new StopTable(await store.stops.active()),
    states: new GatewayStates(),
    feed: new SessionFeed(),
    holdFeed: new SessionFeed(),
    fleetFeed: new SessionFeed(),
    endorsementFeed: new SessionFeed(),
    webhook: new Webhook(options.postWebhook, log),
    recovered: recoveredWords(recorder),
  };
}

function createGateways(
  options: ControlPlaneOptions,
  records: Records,
  asked: () => Pick<Parts, 'approvals' | 'endorsements'>,
): Gateways {
  const { tenant, registry, table, recorder, labels, integrator, budgets } = records;
  const { secrets, clock } = options;
  return new Gateways(
    {
      tenant: options.tenant,
      tenantPolicy: () => tenant.current,
      sessions: () => registry.ids(),
      sessionPolicy: (session) => registry.policyOf(session),
      bodyKey: (session) => options.bodyKeys.of(session),
      authority: () => options.authority.current(),
      lease: (params) => leaseSecret(params, { secrets, registry, stops: table, recorder, clock }),
      label: ({ session, label }) => labels.reported(registry.policyOf(session), label),
      openHold: (order) => asked().approvals.open(order),
      useHold: (use, gateway) => asked().approvals.use(use, gateway),
      useEndorsement: (use, gateway) => asked().endorsements.take(use, gateway),
      takeBudget: async (session, needed, wanted) => {
        const policy = registry.policyOf(session);
        if (policy === null) return { requests: 0, bytes: 0, leak: 0, seconds: 0 };
        return await budgets.take(policy, needed, wanted, (asking, raise) => {
          asked()
            .approvals.askRaise(asking, raise)
            .catch((error: unknown) => options.log.fault('a budget is not asked about', error));
        });
      },
      giveBudgetBack: (session, amounts) => budgets.giveBack(session, amounts),
      kick: () => integrator.kick(),
    },
    options.log,
  );
}

function openApprovals(
  { store, approvalSigner: signer, clock, random, log }: ControlPlaneOptions,
  { registry, table, recorder, people, tenant, holdFeed, webhook, budgets }: Records,
  earlier: Earlier,
  gateways: () => Gateways,
): Promise<Approvals> {
  return Approvals.open({
    ...{ registry, recorder, people, earlier, signer, clock, random, log },
    store: store.holds,
    payQuestion: (session) => budgets.spend(session, 'holds', 1),
    raise: (session, raise, by) => budgets.raise(session, raise, by),
    stops: table,
    tenant: () => tenant.current,
    authors: () => tenant.bundle?.signedBy ?? [],
    changed: (hold) => {
      gateways().tellHold(newsOf(hold));
      holdFeed.changed(hold.record.id);
      const url = tenant.current.approvals?.webhook ?? null;
      if (url === null) return;
      const { record, state, session, agent, summary } = hold;
      const { id, expires } = record;
      webhook.tell(url, { v: 'hold-event/1', hold: id, state, session, agent, summary, expires });
    },
  });
}

function openEndorsements(
  { store, approvalSigner: signer, clock, log }: ControlPlaneOptions,
  { registry, table, recorder, people, tenant, endorsementFeed }: Records,
  approvals: Approvals,
): Promise<Endorsements> {
  return Endorsements.open({
    ...{ registry, recorder, people, signer, clock, log },
    store: store.endorsements,
    stops: table,
    tenant: () => tenant.current,
    held: (hold) => approvals.live(hold),
    excluded: (session) => approvals.excluded(session),
    isAnswered: (session, intent) => approvals.isAnswered(session, intent),
    changed: ({ terms }) => endorsementFeed.changed(terms.id),
  });
}

function createLink(
  options: ControlPlaneOptions,
  records: Records,
  actors: () => { readonly sessions: Sessions; readonly stops: Stops },
): SupervisorLink {
  const { recorder, states, recovered } = records;
  const { boot, clock, log, supervisor } = options;
  return new SupervisorLink({
    ...{ boot, clock, log },
    connect: () => supervisor.connect(),
    spawn: () => supervisor.spawn(),
    end: (pid) => supervisor.end(pid),
    events: supervisorEvents({ recorder, states, recovered, exited: (params) => actors().sessions.exited(params) }),
    // Takes over what a supervisor runs: first the truth about sessions, then every stop that should hold.
    connected: async (state: SupervisorState) => {
      states.replace(state.gateways);
      recovered.push(...(await actors().sessions.reconcile(state.sessions)));
      await actors().stops.enforce();
    },
  });
}

function createSessions(options: ControlPlaneOptions, records: Records, backends: SessionBackends): Sessions {
  const { engine, profiles, files, clock, random, person, nodeProgram, ownFolders, log } = options;
  const { registry, table, recorder, labels, feed, tenant } = records;
  return new Sessions({
    plan: {
      ...{ engine, profiles, files, clock, random, person, nodeProgram, ownFolders },
      labels: { around: (folders) => labels.around(folders) },
      caCertificate: () => options.authority.current().certificate,
    },
    ...{ registry, recorder, labels, feed, backends, clock, random, log },
    store: options.store.sessions,
    stops: table,
    overrides: options.overrides,
    tenantPolicy: () => ({ generation: tenant.current.generation, digest: tenant.digest }),
  });
}

function recoveredWords({ recovery }: Recorder): string[] {
  if (recovery === null) return [];
  const words = [`ledger: reopened after entry ${recovery.wseq}`];
  if (recovery.inDoubt.length > 0) words.push(`ledger: ${recovery.inDoubt.length} effects in doubt`);
  for (const cut of recovery.cuts) words.push(`ledger: ${cut.bytes} torn bytes of ${cut.file} set aside (${cut.why})`);
  return words;
}
