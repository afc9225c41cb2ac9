import { createSnapshot, type Engine, type KnownNames, knownNames, type PolicySnapshot } from '@cordon/policy';
import type { SessionPolicy, TenantPolicy } from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import { GatewayError } from '../error.ts';

/** One immutable pair: what is judged by, and the session's own words that it was made of. */
export interface InForce {
  readonly snapshot: PolicySnapshot;
  readonly session: SessionPolicy;
  readonly tenant: TenantPolicy;
  /** What its grants speak of, for the session's name server. */
  readonly names: KnownNames;
}

/**
 * The policy in force: the tenant's generation, and per session a snapshot made of both. A decision takes the snapshot
 * once and keeps it (I4); a push swaps one reference.
 */
export class Policies {
  readonly #engine: Engine;
  readonly #tenantName: string;
  readonly #sessions = new Map<string, SessionPolicy>();
  readonly #inForce = new Map<string, InForce>();
  #tenant: TenantPolicy | null = null;

  constructor(engine: Engine, tenant: string) {
    this.#engine = engine;
    this.#tenantName = tenant;
  }

  of(session: string): InForce | null {
    return this.#inForce.get(session) ?? null;
  }

  /**
   * Returns the sessions that now have no policy in force: one broken session layer must not keep the tenant's other
   * sessions on an older generation. @throws GatewayError `tenant-mismatch`, `policy-rollback`
   */
  setTenant(policy: TenantPolicy): { readonly digest: string; readonly failed: readonly string[] } {
    this.#checkTenant(policy.tenant);
    if (this.#tenant !== null && policy.generation < this.#tenant.generation) {
      throw new GatewayError('policy-rollback', `generation ${policy.generation} is older than the one in force`);
    }
    const digest = digestBytes(JSON.stringify(policy));
    if (policy.generation === this.#tenant?.generation && digest !== digestBytes(JSON.stringify(this.#tenant))) {
      throw new GatewayError('policy-rollback', `generation ${policy.generation} is in force with another content`);
    }
    this.#tenant = policy;
    const failed = [...this.#sessions.values()].filter((session) => !this.#rebuild(session));
    return { digest, failed: failed.map(({ session }) => session) };
  }

  /** @throws GatewayError `tenant-mismatch`, `policy-rollback`, `policy-invalid` */
  setSession(policy: SessionPolicy): string {
    this.#checkTenant(policy.tenant);
    const before = this.#sessions.get(policy.session);
    if (before !== undefined && policy.revision < before.revision) {
      throw new GatewayError('policy-rollback', `revision ${policy.revision} is older than the one in force`);
    }
    this.#sessions.set(policy.session, policy);
    // The tenant's generation may come second after a reconnect; until then the session is denied everything.
    if (this.#tenant === null) return digestBytes(JSON.stringify(policy));
    if (!this.#rebuild(policy)) throw new GatewayError('policy-invalid', 'this session has no policy in force');
    return this.#inForce.get(policy.session)?.snapshot.digest ?? '';
  }

  /** A stop is part of the snapshot too, so that a recorded decision replays to the same answer. */
  setStopped(session: string, stopped: boolean): void {
    const policy = this.#sessions.get(session);
    if (policy === undefined || policy.stopped === stopped) return;
    const changed = { ...policy, stopped };
    this.#sessions.set(session, changed);
    this.#rebuild(changed);
  }

  remove(session: string): void {
    this.#sessions.delete(session);
    this.#inForce.delete(session);
  }

  /** INVARIANT: what cannot be built is not replaced by what was before; the older policy may allow more. */
  #rebuild(session: SessionPolicy): boolean {
    this.#inForce.delete(session.session);
    if (this.#tenant === null) return false;
    const made = createSnapshot(this.#engine, this.#tenant, session);
    if (!made.ok) return false;
    const { snapshot } = made;
    this.#inForce.set(session.session, { snapshot, session, tenant: this.#tenant, names: knownNames(snapshot) });
    return true;
  }

  #checkTenant(tenant: string): void {
    if (tenant !== this.#tenantName) {
      throw new GatewayError('tenant-mismatch', `this gateway serves ${this.#tenantName}, not ${tenant}`);
    }
  }
}
