import type { Permit } from '@cordon/policy';
import type { Clock } from '@cordon/protocol';
import { secretError } from './error.ts';
import { limits } from './limits.ts';
import type { SecretRefusal, SecretUse } from './plan.ts';
import type { Secret } from './secret.ts';

/** Where values come from: in a gateway the control plane, over the private channel. The result is ours to dispose. */
export interface LeaseSource {
  lease(
    request: {
      readonly session: string;
      readonly secret: string;
      readonly destination: string;
      readonly attempt: string;
    },
    signal: AbortSignal,
  ): Promise<{ readonly value: Secret /** RFC 3339. */; readonly expiresAt: string }>;
}

interface Cached {
  readonly value: Secret;
  readonly renewAtMs: number;
}

interface SessionLeases {
  readonly cached: Map<string, Cached>;
  readonly flights: Map<string, Promise<Cached>>;
  readonly given: Set<LeaseSet>;
  readonly end: AbortController;
}

/** Values on loan, per (session, secret, destination); a stop wipes all of a session at once. */
export class Leases implements Disposable {
  readonly #source: LeaseSource;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, SessionLeases>();

  constructor(options: { readonly source: LeaseSource; readonly clock: Clock }) {
    this.#source = options.source;
    this.#clock = options.clock;
  }

  /**
   * The values for one permitted request. The caller disposes the set when the answer has been relayed.
   * A source that fails is a refusal, never a request without its credential.
   */
  async lease(permit: Permit, uses: readonly SecretUse[], signal: AbortSignal): Promise<LeaseSet | SecretRefusal> {
    const names = [...new Set(uses.map((use) => use.name))].sort();
    const allowed = permit.obligations.leases;
    const denied = names.find((name) => allowed !== null && !allowed.includes(name));
    if (denied !== undefined) return notGranted(denied, permit.destination);
    if (names.length > 0 && !permit.destination.startsWith('https://')) return overPlainHttp(names[0] ?? '');
    const session = this.#session(permit.session);
    const values = new Map<string, Secret>();
    try {
      for (const name of names) {
        const cached = await this.#value(session, permit, name, signal);
        // A stop while we waited has wiped the value; `copy` then throws, and nothing is sent.
        values.set(name, cached.value.copy());
      }
    } catch (error: unknown) {
      for (const value of values.values()) value[Symbol.dispose]();
      signal.throwIfAborted();
      return unavailable(names, error);
    }
    const set = new LeaseSet(values, () => session.given.delete(set));
    session.given.add(set);
    return set;
  }

  /** Stop: every value of the session is wiped before this returns, those in use too. */
  dropSession(name: string): void {
    const session = this.#sessions.get(name);
    if (session === undefined) return;
    this.#sessions.delete(name);
    session.end.abort(secretError('secret-disposed', 'the session has ended'));
    for (const { value } of session.cached.values()) value[Symbol.dispose]();
    for (const set of [...session.given]) set[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const name of [...this.#sessions.keys()]) this.dropSession(name);
  }

  #session(name: string): SessionLeases {
    let session = this.#sessions.get(name);
    if (session === undefined) {
      session = { cached: new Map(), flights: new Map(), given: new Set(), end: new AbortController() };
      this.#sessions.set(name, session);
    }
    return session;
  }

  async #value(session: SessionLeases, permit: Permit, name: string, signal: AbortSignal): Promise<Cached> {
    const key = `${name} ${permit.destination}`;
    const cached = session.cached.get(key);
    if (cached !== undefined && cached.renewAtMs > this.#clock.monotonic()) return cached;
    let flight = session.flights.get(key);
    if (flight === undefined) {
      flight = this.#fetch(session, permit, name, key).finally(() => session.flights.delete(key));
      session.flights.set(key, flight);
      // Whoever waits may give up before it fails; that must not end the process.
      flight.catch(() => undefined);
    }
    return await untilAborted(flight, signal);
  }

  async #fetch(session: SessionLeases, permit: Permit, name: string, key: string): Promise<Cached> {
    const signal = AbortSignal.any([session.end.signal, AbortSignal.timeout(limits.leaseTimeoutMs)]);
    const request = {
      session: permit.session,
      secret: name,
      destination: permit.destination,
      attempt: permit.attempt,
    };
    const asked = this.#source.lease(request, signal);
    const issued = await untilAborted(asked, signal).catch((error: unknown) => {
      // A value that comes after we stopped waiting has no other owner.
      asked.then(
        ({ value }) => value[Symbol.dispose](),
        () => undefined,
      );
      throw error;
    });
    if (session.end.signal.aborted) {
      issued.value[Symbol.dispose]();
      throw secretError('secret-disposed', 'the session has ended');
    }
    const lifeMs = Math.min(Date.parse(issued.expiresAt) - this.#clock.now(), limits.leaseLifeMsMax);
    if (!(lifeMs > 0)) {
      issued.value[Symbol.dispose]();
      throw secretError('lease-mismatch', 'the lease had ended when it came');
    }
    const renewAtMs = this.#clock.monotonic() + (lifeMs * limits.leaseRenewPercent) / 100;
    const cached: Cached = { value: issued.value, renewAtMs };
    session.cached.get(key)?.value[Symbol.dispose]();
    session.cached.delete(key);
    if (session.cached.size >= limits.leasesPerSessionMax) dropOldest(session.cached);
    session.cached.set(key, cached);
    return cached;
  }
}

/** The values of one request, each with a buffer of its own, wiped when the request is over. */
export class LeaseSet implements Disposable {
  readonly names: readonly string[];
  /** Part of the key of the sockets that may carry these values; null: none are carried. */
  readonly identity: string | null;
  readonly #values: ReadonlyMap<string, Secret>;
  readonly #onDispose: () => void;

  constructor(values: ReadonlyMap<string, Secret>, onDispose: () => void = () => undefined) {
    this.#values = values;
    this.names = [...values.keys()];
    this.identity = values.size === 0 ? null : this.names.join(' ');
    this.#onDispose = onDispose;
  }

  /** @throws CordonError `lease-mismatch` when the set was not leased for this secret */
  value(name: string): Secret {
    const value = this.#values.get(name);
    if (value === undefined) throw secretError('lease-mismatch', `the lease does not hold ${name}`);
    return value;
  }

  [Symbol.dispose](): void {
    for (const value of this.#values.values()) value[Symbol.dispose]();
    this.#onDispose();
  }
}

function dropOldest(cached: Map<string, Cached>): void {
  const oldest = cached.entries().next();
  if (oldest.done === true) return;
  oldest.value[1].value[Symbol.dispose]();
  cached.delete(oldest.value[0]);
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function notGranted(name: string, destination: string): SecretRefusal {
  return {
    refused: true,
    code: 'secret-misplaced',
    secret: name,
    detail: `the policy that allowed this request does not lease ${name}`,
    nextSteps: [`name ${name} in the @lease of the grant for ${destination}`],
  };
}

function overPlainHttp(name: string): SecretRefusal {
  return {
    refused: true,
    code: 'secret-misplaced',
    secret: name,
    detail: `the secret ${name} is never sent over plain http`,
    nextSteps: ['use https'],
  };
}

function unavailable(names: readonly string[], error: unknown): SecretRefusal {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return {
    refused: true,
    code: 'credential-unavailable',
    secret: names[0] ?? null,
    detail: `no value could be had for ${names.join(', ')}${code}`,
    nextSteps: names.map((name) => `an operator can set it with: cordon secrets set ${name}`),
  };
}
