import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EntryDraft, type JournalOptions, openJournal } from '@cordon/ledger';
import {
  authorize,
  type CounterFacts,
  compileEngine,
  compileGrants,
  coreCeiling,
  countsAsDenial,
  createEngine,
  createFacts,
  createLabel,
  createSnapshot,
  type Decision,
  digestLabel,
  type Engine,
  joinLabels,
  noApproval,
  openTenant,
  type PolicySnapshot,
  usualFlow,
} from '@cordon/policy';
import { type Intent, type RecordValue, type SessionPolicy, sealRecord, type TenantPolicy } from '@cordon/protocol';
import { startLevels } from '../../packages/control-plane/src/labels/start.ts';
import { decisionEntry, labelEntry, outcomeEntry, startEntry } from '../../packages/gateway/src/record.ts';
import { Attempts } from '../../packages/gateway/src/session/attempts.ts';
import { deniedByGateway, deniedByPolicy, type Settled } from '../../packages/gateway/src/verdict.ts';

export const engineFile = new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web')).pathname;

const loaded = new Map<string, Engine>();
/** One for all: making it takes longer than what is asked of it. */
export function loadEngine(file: string = engineFile): Engine {
  const known = loaded.get(file);
  if (known !== undefined) return known;
  const { module, digest } = compileEngine(readFileSync(file));
  const engine = createEngine(module, digest);
  loaded.set(file, engine);
  return engine;
}

export const tenantPolicy: TenantPolicy = {
  tenant: 'local',
  generation: 1,
  layers: [coreCeiling, openTenant],
  origins: [],
  expires: null,
};

/** What the flow facts below are of. */
const calm = createLabel({ integrity: 2, confidentiality: 1, readers: ['me'], sources: ['order'] });

export function sessionPolicy(session: string, grants: number): SessionPolicy {
  const compiled = compileGrants(
    Array.from({ length: grants }, (_, i) => ({
      allow: `api${i}.example.com/repos/acme/**`,
      methods: ['POST', 'GET'],
      yields: 'vouched' as const,
    })),
    { layer: 'session', source: 'recorded' },
  );
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  return {
    ...{ tenant: 'local', session, agent: 'fixer', person: 'me', chain: `sha256:${'0'.repeat(64)}` },
    salt: '0'.repeat(32),
    revision: 1,
    layer: { name: 'session', policies: compiled.policies },
    origins: compiled.origins,
    secrets: [],
    stopped: false,
    startedAt: '2026-01-01T00:00:00.000Z',
    profile: 'generic',
    labels: {
      start: calm as unknown as RecordValue,
      order: [],
      workspace: { path: '/work/app', mode: 'proposal' },
    },
  };
}

export interface RecordOptions {
  readonly home: string;
  readonly decisions: number;
  readonly sessions?: number;
  /** Grants per session; the policies that Cedar looks at. */
  readonly grants?: number;
  /** Paths that differ; requests repeat them. */
  readonly paths?: number;
  readonly journal?: Partial<JournalOptions>;
  /** File of the engine that decided; default: the installed one. */
  readonly engine?: string;
  /** What a forger who holds every key writes in place of an entry. */
  readonly forge?: (draft: EntryDraft) => EntryDraft | null;
}

/**
 * A ledger as a deployment writes it: the control plane's journal with the policies, a gateway's with decisions that the
 * real engine made, and what came of them. Every fifth decision is a deny, every tenth of those the gateway's own.
 */
export async function recordLedger(options: RecordOptions): Promise<void> {
  const { home, decisions, forge = (draft) => draft, sessions = 1, grants = 20, paths = decisions } = options;
  const directory = join(home, 'ledger', 'journal', 'local');
  const clock = { now: () => Date.UTC(2026, 0, 1, 12) };
  const common = { directory, tenant: 'local', clock, ...options.journal };
  const policies = Array.from({ length: sessions }, (_, i) =>
    sessionPolicy(`ses_${String(i).padStart(26, '0')}`, grants),
  );
  {
    await using control = await openJournal({ ...common, writer: 'cp' });
    const data = { act: 'activate', tenant: 'local', generation: 1, digest: 'sha256:0', cause: 'start', files: [] };
    const orders = policies.map(
      (policy): EntryDraft => ({
        session: policy.session,
        seq: null,
        type: 'session.start',
        data: {
          ...{ phase: 'order', agent: policy.agent, revision: policy.revision, person: policy.person },
          ...{ workspace: '/work/app', mode: 'proposal', readOnly: [], start: startLevels(policy.labels) },
        },
        body: JSON.stringify({ order: {}, policy }),
      }),
    );
    const drafts: EntryDraft[] = [
      { session: null, type: 'policy', data, body: JSON.stringify(tenantPolicy) },
      ...orders,
    ];
    for (const draft of drafts.map(forge)) if (draft !== null) await control.append(draft, 'os');
  }
  await using gateway = await openJournal({ ...common, writer: 'gw' });
  const engine = loadEngine(options.engine);
  const recorders = policies.map((policy) => new SessionRecorder(engine, policy, sessions));
  for (let i = 0; i < decisions; i++) {
    const recorder = recorders[i % sessions] as SessionRecorder;
    const drafts = recorder.decide(i, grants, paths);
    await gateway.appendTogether(
      drafts.map(forge).filter((draft) => draft !== null),
      'os',
    );
  }
}

class SessionRecorder {
  readonly #snapshot: PolicySnapshot;
  readonly #policy: SessionPolicy;
  /** Sessions that take turns. */
  readonly #of: number;
  readonly #attempts = new Attempts({ decisions: 0, attempt: null });
  #label = calm;
  #noted = 0;

  constructor(engine: Engine, policy: SessionPolicy, of: number) {
    const made = createSnapshot(engine, tenantPolicy, policy);
    if (!made.ok) throw new TypeError(JSON.stringify(made.problems));
    this.#snapshot = made.snapshot;
    this.#policy = policy;
    this.#of = of;
  }

  decide(index: number, grants: number, paths: number) {
    const { tenant, session, agent, chain, salt } = this.#policy;
    const denied = index % 5 === 4;
    const intent: Intent = sealRecord({
      action: 'http.request' as const,
      agent,
      args: {
        headers: [['accept', 'application/json']] as [string, string][],
        method: index % 2 === 0 ? 'GET' : 'POST',
        path: `${denied ? '/users' : '/repos/acme'}/app/issues/${index % paths}`,
        query: [],
        search: null,
      },
      chain,
      payload: { bytes: 0, kind: 'none' as const, sha256: `sha256:${'0'.repeat(64)}` },
      resource: `https://api${index % grants}.example.com:443`,
      salt,
      session,
      tenant,
      v: 'intent/1' as const,
    });
    const attempt = `att_${String(index).padStart(26, '0')}`;
    const at = '2026-01-01T12:00:00.000Z';
    const freshUntil = '2026-01-01T12:00:15.000Z';
    // Denials of one way are so far apart that no breaker trips.
    const counters: CounterFacts = { noted: this.#noted, own: 0, sink: 0, tick: index * 20_000 };
    const before = this.#label;
    const labels = { ctx: digestLabel(before), grade: 1 as const, leakBytes: 0, leakUsed: 0 };
    const more = { live: true, flow: usualFlow, labels, counters };
    const facts = sealRecord(createFacts(intent, { attempt, at, freshUntil, ...more }));
    const decision = authorize(this.#snapshot, this.#snapshot.principal, intent, facts, noApproval);
    const verdict = verdictOf(decision, index);
    const numbered = this.#attempts.take(attempt, facts.intent, at, 'c1');
    const entry = decisionEntry(numbered, verdict, 100);
    const begun = index < this.#of ? [labelEntry(session, null, before, 'start')] : [];
    if (verdict.outcome !== 'allow') {
      if (countsAsDenial({ ...verdict.record, by: verdict.by })) this.#noted += 1;
      return [...begun, entry];
    }
    const { resource } = intent;
    const answer = createLabel({ integrity: 2, confidentiality: 0, readers: 'all', sources: [resource] });
    this.#label = joinLabels(before, answer);
    const fell = this.#label === before ? [] : [labelEntry(session, before, this.#label, attempt)];
    const figures = {
      ...{ code: 'relayed', status: 200, bytesIn: 5, bytesOut: 0, digest: null, doubt: false, address: '192.0.2.1' },
      ...{ credentials: [], scrubbed: [], totalMs: 3, firstByteMs: 2, tick: counters.tick },
    };
    const effect = [startEntry(verdict.allow, attempt, null), ...fell, outcomeEntry(session, attempt, figures)];
    return [...begun, entry, ...effect];
  }
}

function verdictOf(decision: Decision, index: number): Settled {
  if (decision.outcome !== 'allow') return deniedByPolicy(decision);
  if (index % 10 === 7) return deniedByGateway(decision, 'rate-limited', 'too fast');
  return { outcome: 'allow', allow: decision, plan: { refused: false, uses: [], headers: [] } };
}
