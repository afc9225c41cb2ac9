import type { Upgraded } from '@cordon/egress';
import type { Permit } from '@cordon/policy';
import { injectSecrets, Scrubber } from '@cordon/secrets';
import type { Ask, Road } from '../ask.ts';
import { checkPolicy, type Decided, isPermitted, type Ready, relayAnswer, seen, undertake } from '../effect.ts';
import { GatewayError } from '../error.ts';
import { judgePatiently } from '../hold/judge-held.ts';
import { wireTarget } from '../http/adapter.ts';
import { readBody } from '../http/body.ts';
import { isOurs } from '../judge.ts';
import { heldBack } from '../label/held-back.ts';
import type { UpgradeSocket } from '../listen/wire.ts';
import { consume } from '../perform.ts';
import { answerPending, answerProblem } from '../refuse/answer.ts';
import { isRefusal, type Refusal, refuse } from '../refuse/refusal.ts';
import { patienceOf, readIntent, withoutPolicy } from '../road.ts';
import { Holding } from '../session/held.ts';
import { checkStop } from '../stop-gate.ts';
import { bridge } from './bridge.ts';
import { type Handshake, readHandshake, switchingHead } from './handshake.ts';
import { Peer } from './peer.ts';

/** What was decided: where it goes is in the permit, what goes along is here. */
interface Opening extends Decided {
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
  const read = readIntent(ask, policy, handshake.headers, body, 'http.upgrade');
  if (isRefusal(read)) return read;
  const { intent, plan } = read;
  const ownCredential = isOurs(plan, intent.args.query);
  const asked = { policy, intent, plan, readable: body.readable, ownCredential, payload: null };
  const judged = await judgePatiently(road, ask, asked, patienceOf(ask, body));
  if (judged.outcome === 'pending') {
    answerPending(ask.response, judged, { close: true, method: 'GET' });
    return null;
  }
  if (judged.outcome === 'deny') {
    const { retryAfterSeconds } = judged.denied;
    answerProblem(ask.response, judged.problem, { close: true, retryAfterSeconds, method: 'GET' });
    return null;
  }
  const { permit, labelled } = judged;
  await open(road, ask, permit, { policy: judged.policy, plan: judged.plan, labelled, handshake, upgrade });
  return null;
}

/** From the permit to the last message. */
async function open(road: Road, ask: Ask, permit: Permit, made: Opening): Promise<void> {
  const { plan } = made;
  await undertake(road, ask, permit, { made, fault: 'websocket-failed' }, async (ready) => {
    const { pin, lease, outcome } = ready;
    const key = Buffer.from(road.random.bytes(16)).toString('base64');
    const { session } = checkStop(permit, ask.session, road.right);
    const args = consume(permit, plan, road.minter, null);
    const sending = road.upstreams.upgrade(
      {
        session,
        pin,
        method: args.method,
        target: wireTarget(args),
        headers: lease === null ? args.headers : injectSecrets(plan, lease),
        key,
        offered: made.handshake.protocols,
        firstByteTimeoutMs: road.limits.firstByteTimeoutMs,
      },
      ask.signal,
    );
    outcome.sent(0);
    const answer = await sending;
    if (answer.kind === 'answer') await relayAnswer(road, ask, permit, made, ready, answer.answer);
    else await take(road, ask, permit, made, ready, answer);
  });
}

async function take(
  road: Road,
  ask: Ask,
  permit: Permit,
  made: Opening,
  ready: Ready,
  answer: Upgraded,
): Promise<void> {
  const { session } = ask;
  const { limits, clock } = road;
  const { lease, outcome } = ready;
  outcome.answered({ status: 101, address: answer.address });
  const { socket } = made.upgrade;
  let taken = false;
  try {
    checkPolicy(road, session, permit, made);
    // Every message of it is worth what its server is worth, so one fall stands for all of them.
    await heldBack(answer.socket, seen(road, session, permit, made, ready));
    if (answer.socket.destroyed) throw new GatewayError('stream-cut', 'the server closed the WebSocket at once');
    using scrubber = lease === null ? null : new Scrubber(lease);
    // Whether the agent is still there its own side of the bridge tells, after what it had sent before.
    using stream = session.openStream(
      () => isPermitted(road, session, permit, made.labelled),
      clock.monotonic(),
      new AbortController().signal,
    );
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
    const end = await bridge({
      road,
      asker: ask,
      handshake,
      near,
      far,
      scrubber,
      lifeMs,
      ownCredential: lease !== null,
      signal: stream.signal,
    });
    outcome.relayed({ digest: null, scrubbed: [...new Set(scrubber?.hits.map((hit) => hit.secret) ?? [])] });
    if (end.code !== 'relayed') outcome.failed(end.code);
  } finally {
    if (!answer.socket.writableEnded) answer.socket.destroy();
    if (taken && !socket.writableEnded) socket.destroy();
  }
}
