import type {
  Decision,
  Explanation,
  LedgerProof,
  PermitPublicKey,
  RefusedRequest,
  Stats,
  Status,
  Suggestion,
} from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import type { z } from 'zod';
import { Approvals } from './approvals.ts';
import { Breakers } from './breakers.ts';
import { ApiClient, type CallOptions } from './client.ts';
import { Endorsements } from './endorsements.ts';
import { People } from './people.ts';
import { Policies } from './policies.ts';
import { type PolicyView, Sessions, type StopAnswer } from './session.ts';
import type { Transport } from './transport.ts';
import { unixTransport } from './unix.ts';

export type StopScope = z.infer<typeof api.stopScope>;
export type BudgetLine = z.infer<typeof api.budgetLine>;
export type Stop = z.infer<typeof api.stop>;
export type LiftAnswer = z.infer<typeof api.liftAnswer>;
export type SecretInfo = z.infer<typeof api.secretInfo>;
export type Capability = z.infer<typeof api.capability>;
export type PolicyCheck = z.infer<typeof api.policyCheckAnswer>;
export type PolicyTest = z.infer<typeof api.policyTestAnswer>;
export interface PolicyFile {
  readonly name: string;
  readonly text: string;
}

export interface DecisionFilter {
  readonly session?: string;
  readonly agent?: string;
  readonly outcome?: ReadonlyArray<Decision['outcome']>;
  /** Everything that did not happen: denied, held, or allowed and then not dialled. Takes the place of `outcome`. */
  readonly denied?: boolean;
  /** What is there, oldest first, and then what happens, until the signal aborts. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

export type RefusalFilter = Pick<DecisionFilter, 'session' | 'agent' | 'follow' | 'signal'>;
export type SuggestRequest = z.input<typeof api.suggestRequest>;

const nothing = { parse: (): null => null };

/** The typed client of the API. Nothing is read from the environment, and nothing is cached. */
export class Cordon {
  readonly #client: ApiClient;
  readonly sessions: Sessions;
  readonly people: People;
  readonly breakers: Breakers;
  readonly approvals: Approvals;
  readonly endorsements: Endorsements;
  readonly policies: Policies;

  constructor(transport: Transport) {
    this.#client = new ApiClient(transport);
    this.sessions = new Sessions(this.#client);
    this.people = new People(this.#client);
    this.breakers = new Breakers(this.#client);
    this.approvals = new Approvals(this.#client);
    this.endorsements = new Endorsements(this.#client);
    this.policies = new Policies(this.#client);
  }

  status(): Promise<Status> {
    return this.#client.call('GET', '/v1/status', api.status);
  }

  async budgets(): Promise<BudgetLine[]> {
    return (await this.#client.call('GET', '/v1/budgets', api.budgetList)).budgets;
  }

  /** One look at everything that is alive; rates come from two of them. */
  stats(): Promise<Stats> {
    return this.#client.call('GET', '/v1/stats', api.stats);
  }

  /** Ends the daemon and every session. */
  async shutdown(): Promise<void> {
    await this.#client.call('POST', '/v1/shutdown', nothing, { body: {} });
  }

  /**
   * Decisions as they were recorded. With `follow` a decision comes when it was made, and once more (same attempt)
   * when its outcome is known.
   */
  async *decisions(filter: DecisionFilter = {}): AsyncGenerator<Decision> {
    const { session, agent, outcome, denied } = filter;
    const query = { session, agent, ...(denied === true ? { denied } : { outcome: outcome?.join(',') }) };
    if (filter.follow === true) {
      const options = followOptions(query, filter.signal);
      for await (const event of this.#client.events('/v1/decisions', options)) {
        if (event.event === 'decision') yield api.decision.parse(JSON.parse(event.data));
      }
      return;
    }
    let cursor: string | undefined;
    do {
      const page = await this.#client.call('GET', '/v1/decisions', api.decisionPage, {
        query: { ...query, order: 'asc', cursor },
      });
      yield* page.decisions;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /** Requests that were refused before there was anything to decide; with `follow` those to come as well. */
  async *refusals(filter: RefusalFilter = {}): AsyncGenerator<RefusedRequest> {
    const { session, agent } = filter;
    if (filter.follow === true) {
      for await (const event of this.#client.events('/v1/refusals', followOptions({ session, agent }, filter.signal))) {
        if (event.event === 'refusal') yield api.refusal.parse(JSON.parse(event.data));
      }
      return;
    }
    let cursor: string | undefined;
    do {
      const query = { session, agent, order: 'asc', cursor };
      const page = await this.#client.call('GET', '/v1/refusals', api.refusalPage, { query });
      yield* page.refusals;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  explain(attempt: string): Promise<Explanation> {
    return this.#client.call('GET', `/v1/decisions/${encodeURIComponent(attempt)}`, api.explanation);
  }

  stop(scope: StopScope, strength: 'freeze' | 'kill', reason: string): Promise<StopAnswer> {
    return this.#client.call('POST', '/v1/stops', api.stopAnswer, { body: { scope, strength, reason } });
  }

  lift(scope: StopScope, reason: string): Promise<LiftAnswer> {
    return this.#client.call('POST', '/v1/lifts', api.liftAnswer, { body: { scope, reason } });
  }

  async stops(): Promise<Stop[]> {
    return (await this.#client.call('GET', '/v1/stops', api.stopList, { query: { active: true } })).stops;
  }

  /** The tenant's layers; a session's own are at `sessions.handle(id).policy()`. */
  policy(): Promise<PolicyView> {
    return this.#client.call('GET', '/v1/policy', api.policyView);
  }

  checkPolicy(files: readonly PolicyFile[]): Promise<PolicyCheck> {
    return this.#client.call('POST', '/v1/policy/check', api.policyCheckAnswer, { body: { files } });
  }

  testPolicy(files: readonly PolicyFile[], tests: readonly PolicyFile[]): Promise<PolicyTest> {
    return this.#client.call('POST', '/v1/policy/test', api.policyTestAnswer, { body: { files, tests } });
  }

  /** The narrowest grants for what sessions (or all of an agent's) were denied. Puts nothing in force. */
  suggest(request: SuggestRequest): Promise<Suggestion> {
    return this.#client.call('POST', '/v1/policy/suggest', api.suggestion, { body: request });
  }

  async secrets(): Promise<SecretInfo[]> {
    return (await this.#client.call('GET', '/v1/secrets', api.secretList)).secrets;
  }

  /** Values go in and never come back out. */
  setSecret(name: string, value: string): Promise<SecretInfo> {
    return this.#client.call('PUT', `/v1/secrets/${encodeURIComponent(name)}`, api.secretInfo, { body: { value } });
  }

  async removeSecret(name: string): Promise<void> {
    await this.#client.call('DELETE', `/v1/secrets/${encodeURIComponent(name)}`, nothing);
  }

  /** By which effectors know this host's permits; a JWK set is `{ keys }` of these. */
  async keys(): Promise<PermitPublicKey[]> {
    return (await this.#client.call('GET', '/v1/keys', api.permitKeys)).keys;
  }

  /**
   * An inclusion proof that anybody can check with the public key alone; `through` the infrastructure's tree for witnesses
   * that follow only that one.
   */
  prove(of: { attempt: string } | { index: number }, through?: 'infrastructure'): Promise<LedgerProof> {
    const query = through === undefined ? of : { ...of, through };
    return this.#client.call('GET', '/v1/ledger/proof', api.ledgerProof, { query });
  }

  /** Destroys the key of an ended session: what was kept of it is unreadable for ever. */
  shred(session: string): Promise<api.ShredAnswer> {
    return this.#client.call('POST', '/v1/ledger/shred', api.shredAnswer, { body: { session } });
  }

  /** `about`: only what names this session, attempt or hold; go on at `next`, a page may hold none. */
  ledger(from: number, limit: number, about?: string): Promise<z.infer<typeof api.ledgerPage>> {
    const query = { from, limit, ...(about === undefined ? {} : { about }) };
    return this.#client.call('GET', '/v1/ledger/entries', api.ledgerPage, { query });
  }

  async doctor(): Promise<Capability[]> {
    return (await this.#client.call('GET', '/v1/doctor', api.doctorAnswer)).capabilities;
  }
}

function followOptions(query: CallOptions['query'], signal: AbortSignal | undefined): CallOptions {
  return { query: { ...query, follow: true, since: 'start' }, ...(signal === undefined ? {} : { signal }) };
}

/** Opens a client of the daemon on this machine. */
export function connect(options: { readonly socket: string }): Cordon {
  return new Cordon(unixTransport(options.socket));
}
