import {
  type Clock,
  type PermitClaims,
  type PermitOrder,
  type PermitRefusal,
  permitSigningInput,
  permitToken,
  protocolLimits,
  type SessionReport,
  type StartOrder,
} from '@cordon/protocol';
import { supervisorLimits } from '../limits.ts';

/** Whoever holds the private half: a file's key here, a process of its own or a TPM elsewhere. */
export interface PermitKey {
  /** RFC 7638 thumbprint of the public half. */
  readonly kid: string;
  /** ES256 over these bytes: r and s, 64 bytes. Synchronous and short, so that it holds nobody up. */
  sign(bytes: Uint8Array): Uint8Array;
}

export type Signing =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly code: PermitRefusal };

/** What is asked about a session. */
interface SignedFor {
  readonly order: Pick<StartOrder, 'tenant'>;
  readonly report: Pick<SessionReport, 'state'>;
}

export interface PermitSignerOptions {
  readonly key: PermitKey | null;
  readonly boot: string;
  readonly clock: Clock;
  /** Undefined once nothing of it is left. */
  readonly sessionOf: (id: string) => SignedFor | undefined;
}

interface Standing {
  epoch: number;
  stopped: boolean;
  /** No lift brings it back. */
  killed: boolean;
  /** When its budget of signatures is whole again, monotonic. */
  paidMs: number;
}

/**
 * Signs permits for the gateways of this host. It signs no bytes that it is given: it writes the permit itself, from
 * the order of a gateway and from what the supervisor knows of the session. A stop is known here before it is carried
 * out. INVARIANT (I8): it keeps no queue and waits for nothing. An order is answered at once, or refused, and the rate
 * bounds how much of the supervisor's time signatures can take from a kill.
 */
export class PermitSigner {
  readonly #options: PermitSignerOptions;
  readonly #standing = new Map<string, Standing>();
  #paidMs = 0;

  constructor(options: PermitSignerOptions) {
    this.#options = options;
  }

  /** Before the stop is carried out. What was signed until now is of an older epoch from here on. */
  stop(session: string): void {
    this.#turn(session, { stopped: true });
  }

  kill(session: string): void {
    this.#turn(session, { stopped: true, killed: true });
  }

  lift(session: string): void {
    this.#turn(session, { stopped: false });
  }

  forget(session: string): void {
    this.#standing.delete(session);
  }

  /** `tenant` is the gateway's own, by the channel that the order came on (I7). */
  sign(tenant: string, order: PermitOrder): Signing {
    const { key, boot, clock, sessionOf } = this.#options;
    if (key === null) return refused('signer-unavailable');
    const session = sessionOf(order.session);
    if (session?.order.tenant !== tenant) return refused('session-unknown');
    const standing = this.#of(order.session);
    // Its first request may come before the supervisor has noted that it runs.
    const { state } = session.report;
    if (standing.killed || standing.stopped || (state !== 'running' && state !== 'starting'))
      return refused('session-stopped');
    if (!this.#pay(standing)) return refused('permit-rate');
    const now = clock.now();
    const claims: PermitClaims = {
      ...order,
      v: 'permit/1',
      id: `prm_${order.attempt.slice(4)}`,
      boot,
      tenant,
      epoch: standing.epoch,
      issued: new Date(now).toISOString(),
      until: new Date(now + supervisorLimits.permitLifeMs).toISOString(),
    };
    const input = permitSigningInput(key.kid, claims);
    const token = permitToken(input, key.sign(new TextEncoder().encode(input)));
    return token.length > protocolLimits.permitCharsMax ? refused('permit-too-large') : { ok: true, token };
  }

  /** Of a session that is not there nothing is kept: it gets no permit either. */
  #turn(session: string, change: Partial<Standing>): void {
    if (this.#options.sessionOf(session) === undefined) return;
    const standing = this.#of(session);
    Object.assign(standing, change);
    standing.epoch += 1;
  }

  #of(session: string): Standing {
    const known = this.#standing.get(session);
    if (known !== undefined) return known;
    const fresh = { epoch: 0, stopped: false, killed: false, paidMs: 0 };
    this.#standing.set(session, fresh);
    return fresh;
  }

  /** Generic cell rate (ITU-T I.371): a second's worth at once, then one per step; of the session and of all together. */
  #pay(standing: Standing): boolean {
    const now = this.#options.clock.monotonic();
    const own = nextPaid(standing.paidMs, now, supervisorLimits.permitsPerSecondMax);
    const all = nextPaid(this.#paidMs, now, supervisorLimits.permitsPerSecondTotalMax);
    if (own === null || all === null) return false;
    standing.paidMs = own;
    this.#paidMs = all;
    return true;
  }
}

function nextPaid(paidMs: number, now: number, perSecond: number): number | null {
  const next = Math.max(paidMs, now) + 1000 / perSecond;
  return next - now > 1000 ? null : next;
}

function refused(code: PermitRefusal): Signing {
  return { ok: false, code };
}
