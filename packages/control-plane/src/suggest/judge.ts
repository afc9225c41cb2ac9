import {
  authorize,
  createSnapshot,
  type Decision,
  type Engine,
  flowAgain,
  mergeLayer,
  noApproval,
  type PolicySnapshot,
} from '@cordon/policy';
import type { OriginRule, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import { bindingAllowsOrigin } from '@cordon/secrets';
import { fault } from '../error.ts';
import type { Tried } from './tried.ts';

/** Grants that a session does not have, as they compile. */
export interface Extra {
  readonly policies: Readonly<Record<string, string>>;
  readonly origins: readonly OriginRule[];
}

/** Evaluations between two pauses, so that stops and other requests are answered meanwhile. */
const turnEvaluations = 8;

/**
 * Decides recorded requests again, by the real engine: the session's own policy and the tenant's of now, with or
 * without further grants. A session that has ended since is judged as if it ran.
 */
export class Judge {
  readonly #engine: Engine;
  readonly #tenant: TenantPolicy;
  readonly #sessions: ReadonlyMap<string, SessionPolicy>;
  readonly #extra: Extra | null;
  readonly #snapshots = new Map<string, PolicySnapshot>();
  #evaluated = 0;

  constructor(
    engine: Engine,
    tenant: TenantPolicy,
    sessions: ReadonlyMap<string, SessionPolicy>,
    extra: Extra | null = null,
  ) {
    this.#engine = engine;
    this.#tenant = tenant;
    this.#sessions = sessions;
    this.#extra = extra;
  }

  /** null where the record or the session's policy is no longer there. */
  async decide({ session, intent, facts }: Tried): Promise<Decision | null> {
    if (intent === null || facts === null) return null;
    const snapshot = this.#snapshotOf(session);
    if (snapshot === null) return null;
    this.#evaluated += 1;
    if (this.#evaluated % turnEvaluations === 0) await new Promise((resolve) => setImmediate(resolve));
    const flow = flowAgain(snapshot, intent, facts.flow, this.#namedBy(session, intent.resource));
    return authorize(snapshot, snapshot.principal, intent, { ...facts, flow }, noApproval);
  }

  /** What the person's order named, and whether a credential of theirs went along whatever the agent did. */
  #namedBy(session: string, origin: string): { readonly order: readonly string[]; readonly ownCredential: boolean } {
    const policy = this.#sessions.get(session);
    const ownCredential = policy?.secrets.some((each) => each.require && bindingAllowsOrigin(each, origin)) ?? false;
    return { order: policy?.labels?.order ?? [], ownCredential };
  }

  #snapshotOf(session: string): PolicySnapshot | null {
    const known = this.#snapshots.get(session);
    if (known !== undefined) return known;
    const policy = this.#sessions.get(session);
    if (policy === undefined) return null;
    const merged = mergeLayer('session', [policy.layer.policies, this.#extra?.policies ?? {}]);
    if (!merged.ok) throw fault('internal', `suggested grants collide: ${merged.problems[0]?.message ?? ''}`);
    const origins = [...policy.origins, ...(this.#extra?.origins ?? [])];
    const made = createSnapshot(this.#engine, this.#tenant, {
      ...policy,
      layer: merged.layer,
      origins,
      stopped: false,
    });
    if (!made.ok) throw fault('internal', `suggested grants do not load: ${made.problems[0]?.message ?? ''}`);
    this.#snapshots.set(session, made.snapshot);
    return made.snapshot;
  }
}
