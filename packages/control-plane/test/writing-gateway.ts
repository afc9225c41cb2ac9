import path from 'node:path';
import { type Journal, openJournal } from '@cordon/ledger';
import { authorize, createFacts, createSnapshot, noApproval, usualFlow } from '@cordon/policy';
import {
  type ActionName,
  canonicalize,
  createId,
  type Intent,
  type RecordValue,
  systemClock,
  systemRandom,
} from '@cordon/protocol';
import { FakeGateway } from './fake-gateway.ts';
import { type Harness, testEngine, until } from './harness.ts';

export interface Asked {
  readonly resource: string;
  readonly action?: ActionName;
  readonly method?: string;
  readonly path?: string;
  readonly bytes?: number;
}

/** Writes what a gateway writes: a real decision by the policy that it was given, then the outcome. */
export class WritingGateway implements AsyncDisposable {
  readonly #engine = testEngine();
  readonly gateway: FakeGateway;
  readonly journal: Journal;

  private constructor(gateway: FakeGateway, journal: Journal) {
    this.gateway = gateway;
    this.journal = journal;
  }

  static async open(harness: Harness): Promise<WritingGateway> {
    const gateway = await FakeGateway.connect(harness.controlSocket);
    const directory = path.join(harness.home, 'journal/local');
    const journal = await openJournal({ directory, tenant: 'local', writer: 'gw', clock: systemClock });
    return new WritingGateway(gateway, journal);
  }

  /** A GET of this host and path. */
  decide(session: string, host: string, requestPath: string): Promise<string> {
    return this.request(session, { resource: `https://${host}:443`, path: requestPath });
  }

  async request(session: string, asked: Asked): Promise<string> {
    const policy = await until(() => this.gateway.sessions.get(session));
    const tenant = await until(() => this.gateway.tenants.at(-1));
    const made = createSnapshot(this.#engine, tenant, policy);
    if (!made.ok) throw new TypeError(JSON.stringify(made.problems));
    const attempt = createId('attempt', systemClock, systemRandom);
    const intent: Intent = {
      v: 'intent/1',
      tenant: 'local',
      session,
      agent: policy.agent,
      chain: policy.chain,
      salt: policy.salt,
      action: asked.action ?? 'http.request',
      resource: asked.resource,
      args:
        asked.action === 'http.tunnel'
          ? {}
          : { method: asked.method ?? 'GET', path: asked.path ?? '/', query: [], headers: [] },
      payload: { sha256: `sha256:${'0'.repeat(64)}`, bytes: asked.bytes ?? 0, kind: asked.bytes ? 'opaque' : 'none' },
    };
    const now = systemClock.now();
    const facts = createFacts(intent, {
      attempt,
      at: new Date(now).toISOString(),
      freshUntil: new Date(now + 15_000).toISOString(),
      live: true,
      flow: usualFlow,
    });
    const decision = authorize(made.snapshot, made.snapshot.principal, intent, facts, noApproval);
    const { record } = decision;
    const body = {
      intent: intent as unknown as RecordValue,
      facts: facts as unknown as RecordValue,
      decision: { ...record } as unknown as RecordValue,
      next: decision.nextSteps,
    };
    const data = {
      attempt,
      decision: decision.digest,
      outcome: record.outcome,
      code: record.code,
      agent: policy.agent,
      action: intent.action,
      resource: intent.resource,
      intent: record.intent,
      generation: record.policy.generation,
      revision: record.policy.revision,
    };
    await this.journal.append({ session, type: 'decision', data, body: canonicalize(body) }, 'os');
    this.gateway.channel.send('head', { writer: 'gw', wseq: this.journal.head.wseq, leaf: this.journal.head.leaf });
    return attempt;
  }

  /** Refused before there was an intent. */
  async refuse(session: string, code: string, more: Record<string, RecordValue> = {}): Promise<void> {
    const data = { code, detail: `because of ${code}`, channel: 'c1', attempt: null, suppressed: 0, ...more };
    await this.journal.append({ session, type: 'fault', data }, 'os');
    this.gateway.channel.send('head', { writer: 'gw', wseq: this.journal.head.wseq, leaf: this.journal.head.leaf });
  }

  async finish(session: string, attempt: string, code = 'relayed'): Promise<void> {
    await this.journal.appendTogether([{ session, type: 'start', data: { attempt } }], 'os');
    await this.journal.append(
      { session, type: 'outcome', data: { attempt, code, status: 204, bytesIn: 5, bytesOut: 7 } },
      'os',
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.journal.close();
  }
}
