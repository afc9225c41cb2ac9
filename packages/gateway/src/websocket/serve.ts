import type { NotUpgraded, Upgraded } from '@cordon/egress';
import { consumePermit, discardPermit, type Permit, type PolicySnapshot, rulesFor } from '@cordon/policy';
import { injectSecrets, type LeaseSet, Scrubber, type SecretPlan, type SecretRefusal } from '@cordon/secrets';
import type { Ask, Road } from '../ask.ts';
import { answerFailure, checkPolicy, isPermitted } from '../effect.ts';
import { GatewayError } from '../error.ts';
import { codeOf, failureOf } from '../failure.ts';
import { type HttpRequestArgs, wireTarget } from '../http/adapter.ts';
import { readBody } from '../http/body.ts';
import { judge } from '../judge.ts';
import type { UpgradeSocket } from '../listen/wire.ts';
import { Outcome } from '../outcome.ts';
import { answerProblem } from '../refuse/answer.ts';
import { isRefusal, type Refusal, refuse } from '../refuse/refusal.ts';
import { relay } from '../relay.ts';
import { readIntent, withoutPolicy } from '../road.ts';
import { Holding } from '../session/held.ts';
import { checkStop } from '../stop-gate.ts';
import { bridge } from './bridge.ts';
import { type Handshake, readHandshake, switchingHead } from './handshake.ts';
import { Peer } from './peer.ts';

/** What was decided: where it goes is in the permit, what goes along is here. */
interface Opening {
  readonly snapshot: PolicySnapshot;
  readonly plan: SecretPlan;
  readonly handshake: Handshake;
  readonly upgrade: UpgradeSocket;
}

/**
 * `http.upgrade`: the handshake is decided, recorded and performed like a request; what the server agrees to becomes a
 * bridge, on which each message is an intent of its own. Returns a refusal when the handshake has no single reading.
 */
export async function serveWebSocket(road: Road, ask: Ask, upgrade: UpgradeSocket): Promise<Refusal | null> {
  const handshake = readHandshake(ask.head);
  if (isRefusal(handshake)) return handshake;
  // RFC 6455 §4.1: a client waits for the answer. What comes before it could be a second request.
  if (upgrade.head.length > 0) return refuse('websocket-handshake', 'Bytes came before the handshake was answered.');
  using holding = new Holding(ask.session.held);
  const body = await readBody(ask.request.body, { kind: 'none' }, handshake.headers, road.limits, holding);
  if (isRefusal(body)) return body;
  const policy = road.policyOf(ask.session.id);
  if (policy === null) return withoutPolicy();
  const { snapshot } = policy;
  const read = readIntent(ask, policy, handshake.headers, body, 'http.upgrade');
  if (isRefusal(read)) return read;
  const judged = await judge(road, ask, { snapshot, intent: read.intent, plan: read.plan, payload: null });
  if (judged.outcome === 'deny') {
    const { retryAfterSeconds } = judged.denied;
    answerProblem(ask.response, judged.problem, { close: true, retryAfterSeconds, method: 'GET' });
    return null;
  }
  await open(road, ask, judged.permit, { snapshot, plan: judged.plan, handshake, upgrade });
  return null;
}

/** From the permit to the last message. Ends in exactly one `outcome`. */
async function open(road: Road, ask: Ask, permit: Permit, made: Opening): Promise<void> {
  const { session, signal } = ask;
  const { plan } = made;
  const outcome = new Outcome(road.clock, ask.startedMs);
  let lease: LeaseSet | SecretRefusal | null = null;
  try {
    const pin = await road.destinations.pin(permit, rulesFor(made.snapshot, permit.destination), signal);
    if ('refused' in pin) return answerFailure(ask, permit, outcome, pin);
    if (plan.uses.length > 0) {
      lease = await road.credentials.lease(permit, plan.uses, signal);
      if ('refused' in lease) return answerFailure(ask, permit, outcome, { ...lease, status: 403 });
      outcome.leased(lease.names);
    }
    signal.throwIfAborted();
    checkPolicy(road, session, permit, made);
    // From here to the first byte nothing is awaited: `checkStop` is the last synchronous step.
    const key = Buffer.from(road.random.bytes(16)).toString('base64');
    const { session: id } = checkStop(permit, session, road.right);
    const { method, headers, ...args } = consumed(permit, plan, road);
    const sending = road.upstreams.upgrade(
      {
        session: id,
        pin,
        method,
        target: wireTarget({ method, headers, ...args }),
        headers: lease === null ? headers : injectSecrets(plan, lease),
        key,
        offered: made.handshake.protocols,
        firstByteTimeoutMs: road.limits.firstByteTimeoutMs,
      },
      signal,
    );
    outcome.sent(0);
    const answer = await sending;
    await take(road, ask, permit, made, { answer, lease, outcome });
  } catch (error: unknown) {
    const cause: unknown = signal.aborted ? signal.reason : error;
    const code = codeOf(cause);
    if (code === 'fault') road.report('error', 'websocket-failed', cause instanceof Error ? String(cause.stack) : '');
    answerFailure(ask, permit, outcome, { ...failureOf(cause), code });
  } finally {
    if (lease !== null && !('refused' in lease)) lease[Symbol.dispose]();
    discardPermit(permit, road.minter);
    await road.journal.append(outcome.entry(session.id, permit.attempt), 'os');
  }
}

/** Everything that is sent comes from the permit's own intent (I2). @throws PolicyError `permit-*` */
function consumed(permit: Permit, plan: SecretPlan, road: Road): HttpRequestArgs {
  const args = permit.intent.args as HttpRequestArgs;
  if (plan.headers !== args.headers)
    throw new GatewayError('permit-mismatch', 'the headers are not those of the permit');
  consumePermit(permit, road.minter, { intentDigest: permit.intentDigest, payload: permit.payload });
  return args;
}

interface Answered {
  readonly answer: Upgraded | NotUpgraded;
  readonly lease: LeaseSet | null;
  readonly outcome: Outcome;
}

async function take(road: Road, ask: Ask, permit: Permit, made: Opening, answered: Answered): Promise<void> {
  const { answer, lease, outcome } = answered;
  const { session, response, signal } = ask;
  const { limits, clock } = road;
  const permitted = (): boolean => isPermitted(road, session, permit);
  if (answer.kind === 'answer') {
    outcome.answered(answer.answer);
    checkPolicy(road, session, permit, made, answer.answer);
    using stream = session.openStream(permitted, clock.monotonic(), signal);
    const firstByte = (): void => outcome.firstByte();
    const received = (bytes: number): void => {
      outcome.received(bytes);
      session.traffic.in += bytes;
    };
    const relaying = { answer: answer.answer, response, method: 'GET', lease, limits, firstByte, received };
    outcome.relayed(await relay({ ...relaying, signal: stream.signal }));
    return;
  }
  outcome.answered({ status: 101, address: answer.address });
  const { socket } = made.upgrade;
  let taken = false;
  try {
    checkPolicy(road, session, permit, made);
    using scrubber = lease === null ? null : new Scrubber(lease);
    // Whether the agent is still there its own side of the bridge tells, after what it had sent before.
    using stream = session.openStream(permitted, clock.monotonic(), new AbortController().signal);
    made.upgrade.take();
    taken = true;
    socket.write(switchingHead(made.handshake, answer, scrubber));
    outcome.firstByte();
    const now = (): number => clock.monotonic();
    const own = { limits, held: session.held, now };
    const near = new Peer({ socket, head: Buffer.alloc(0), role: 'server', ...own });
    const far = new Peer({ socket: answer.socket, head: answer.head, role: 'client', ...own });
    const lifeMs = permit.obligations.lifeMs ?? limits.websocketLifeMs;
    const handshake = permit.intent;
    const end = await bridge({ road, asker: ask, handshake, near, far, scrubber, lifeMs, signal: stream.signal });
    outcome.relayed({ digest: null, scrubbed: [...new Set(scrubber?.hits.map((hit) => hit.secret) ?? [])] });
    if (end.code !== 'relayed') outcome.failed(end.code);
  } finally {
    if (!answer.socket.writableEnded) answer.socket.destroy();
    if (taken && !socket.writableEnded) socket.destroy();
  }
}
