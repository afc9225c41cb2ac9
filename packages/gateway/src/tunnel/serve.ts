import { hash } from 'node:crypto';
import { consumePermit, discardPermit, type Permit, rulesFor } from '@cordon/policy';
import { type Intent, type SessionPolicy, sealRecord } from '@cordon/protocol';
import type { Road } from '../ask.ts';
import type { InForce } from '../control/policies.ts';
import { checkPolicy, isPermitted, seen } from '../effect.ts';
import { GatewayError } from '../error.ts';
import { codeOf, isUnsent } from '../failure.ts';
import { deniedTooOften, judge, noSecrets, refusalOfFault } from '../judge.ts';
import { type Labelled, labelIntent } from '../label/intent.ts';
import { reset } from '../listen/listener.ts';
import type { Socket } from '../listen/wire.ts';
import { outcomeEntry } from '../record.ts';
import { type Refusal, refuse } from '../refuse/refusal.ts';
import { withoutPolicy } from '../road.ts';
import type { Session } from '../session/session.ts';
import { checkStop } from '../stop-gate.ts';
import { type Piped, pipe } from './pipe.ts';

export interface TunnelServing {
  readonly road: Road;
  readonly policyArrived: (session: string) => Promise<void>;
  /** For the record: what ended before there was anything to decide. */
  readonly refused: (session: Session, channel: string, refusal: Refusal) => void;
}

/** A connection whose bytes nobody here will read. */
export interface Tunnel {
  readonly session: Session;
  readonly channel: string;
  /** `tcp://host:port` or `tls://host:port`. */
  readonly resource: string;
  /** How it was asked for; hashed with the intent. */
  readonly via: 'socket' | 'connect' | 'capture' | 'tls';
  /** Paused; nothing of it has been read. */
  readonly socket: Socket;
}

/**
 * `http.tunnel`: decided and recorded before anything is dialled, dialled at a pinned address, then only counted.
 * No credential ever goes into one. Never rejects; resolves when the tunnel has ended. A refused one is reset, because
 * nothing that we could say would be read as ours.
 */
export async function serveTunnel(serving: TunnelServing, tunnel: Tunnel): Promise<void> {
  const { road, refused } = serving;
  const { session, channel, socket } = tunnel;
  if (!session.enter()) {
    const detail = `A session may have ${road.limits.requestsInFlightMax} requests in flight.`;
    refused(session, channel, refuse('too-many-requests', detail, { retryAfterSeconds: 1 }));
    reset(socket);
    return;
  }
  try {
    await serving.policyArrived(session.id);
    const refusal = await open(road, tunnel);
    if (refusal !== null) refused(session, channel, refusal);
  } catch (error: unknown) {
    refused(session, channel, refusalOfFault(road, error, 'Nothing was opened.'));
  } finally {
    if (!socket.destroyed && !socket.writableEnded) reset(socket);
    session.leave();
  }
}

async function open(road: Road, tunnel: Tunnel): Promise<Refusal | null> {
  const policy = road.policyOf(tunnel.session.id);
  if (policy === null) return withoutPolicy();
  const tooOften = deniedTooOften(road, tunnel.session);
  if (tooOften !== null) return tooOften;
  const intent = toIntent(policy.session, tunnel);
  const asked = { policy, intent, plan: noSecrets, readable: nothing, ownCredential: false, payload: null };
  const judged = await judge(road, tunnel, asked);
  if (judged.outcome === 'allow') await effect(road, tunnel, judged.permit, { policy, labelled: judged.labelled });
  return null;
}

const nothing = Buffer.alloc(0);
const digestOfNothing = hash('sha256', nothing);

function toIntent(session: SessionPolicy, { resource, via }: Tunnel): Intent {
  return sealRecord({
    v: 'intent/1',
    tenant: session.tenant,
    session: session.session,
    agent: session.agent,
    chain: session.chain,
    salt: session.salt,
    action: 'http.tunnel',
    resource,
    args: { via },
    payload: { sha256: digestOfNothing, bytes: 0, kind: 'none' },
  });
}

interface Made {
  readonly policy: InForce;
  readonly labelled: Labelled;
}

/** From the permit to the end of the tunnel. Ends in exactly one `outcome`. */
async function effect(road: Road, tunnel: Tunnel, permit: Permit, made: Made): Promise<void> {
  const { session } = tunnel;
  const startedMs = road.clock.monotonic();
  let code = 'relayed';
  let address: string | null = null;
  let piped: Piped | null = null;
  try {
    const gone = whenGone(tunnel.socket);
    const pin = await road.destinations.pinTunnel(permit, rulesFor(made.policy.snapshot, permit.destination), gone);
    if ('refused' in pin) {
      code = pin.code;
      session.denials.add({
        at: new Date(road.clock.now()).toISOString(),
        code,
        attempt: permit.attempt,
        intent: permit.intentDigest,
        request: permit.destination,
        detail: pin.detail,
        next_steps: pin.nextSteps,
      });
      return;
    }
    gone.throwIfAborted();
    // Whatever comes in is anybody's, from its first byte on; so the session has seen it before there is a way for it.
    await seen(road, session, permit, made, { pin, lease: null });
    // Nobody reads what goes out, so it may hold whatever the session has seen by now.
    const permitted = (): boolean => isPermittedNow(road, session, permit, made);
    if (!permitted()) throw new GatewayError('no-longer-permitted', 'the session has seen what may not go there');
    checkPolicy(road, session, permit, made);
    // From here to the dial nothing is awaited: `checkStop` is the last synchronous step.
    checkStop(permit, session, road.right);
    consumePermit(permit, road.minter, { intentDigest: permit.intentDigest, payload: permit.payload });
    const far = await road.upstreams.tunnel(session.id, pin, gone);
    address = far.remoteAddress ?? null;
    using stream = session.openStream(permitted, road.clock.monotonic(), gone);
    checkPolicy(road, session, permit, made);
    const passed = (way: 'out' | 'in', bytes: number): void => {
      session.passed(way, bytes);
    };
    piped = await pipe({ near: tunnel.socket, far, signal: stream.signal, passed, ...limitsOf(road, permit) });
    if (piped.error !== null) code = codeOf(piped.error);
  } catch (error: unknown) {
    code = codeOf(error);
    if (code === 'fault')
      road.report('error', 'tunnel-failed', error instanceof Error ? error.message : 'not an error');
  } finally {
    discardPermit(permit, road.minter);
    await road.journal.append(
      outcomeEntry(session.id, permit.attempt, {
        code,
        status: null,
        bytesIn: piped?.bytesIn ?? 0,
        bytesOut: piped?.bytesOut ?? 0,
        digest: null,
        // What went out was not read, so whether it had its effect cannot be told where the end was not a plain one.
        doubt: piped !== null && piped.error !== null && !isUnsent(code),
        address,
        credentials: [],
        scrubbed: [],
        totalMs: Math.max(0, Math.round(road.clock.monotonic() - startedMs)),
        firstByteMs: null,
      }),
      'os',
    );
  }
}

/** With the labels of this moment, where others are asked about with those of their decision. */
function isPermittedNow(road: Road, session: Session, permit: Permit, { labelled }: Made): boolean {
  const policy = road.policyOf(session.id);
  if (policy === null) return false;
  const asked = { body: nothing, ownCredential: false, mayLeak: false };
  const now = labelIntent(labelled.context, policy.snapshot, permit.intent, asked);
  return isPermitted(road, session, permit, now);
}

/** The grant's own limits, where it has them: policy has folded them over all layers. */
function limitsOf({ limits }: Road, { obligations }: Permit) {
  return {
    bytesMax: obligations.bytes ?? limits.tunnelBytesMax,
    lifeMs: obligations.lifeMs ?? limits.tunnelLifeMs,
    idleMs: limits.tunnelIdleMs,
    slowReaderMs: limits.slowReaderMs,
  };
}

/** Aborts when the agent's side is gone, so that nothing is dialled for nobody. */
function whenGone(socket: Socket): AbortSignal {
  const controller = new AbortController();
  const gone = (): void => controller.abort(new GatewayError('client-gone', 'the agent closed the connection'));
  if (socket.destroyed) gone();
  else socket.once('close', gone);
  return controller.signal;
}
