import { consumePermit, discardPermit, type Permit } from '@cordon/policy';
import type { Intent } from '@cordon/protocol';
import type { Scrubber } from '@cordon/secrets';
import type { Road } from '../ask.ts';
import type { Asker } from '../conclude.ts';
import { checkPolicy } from '../effect.ts';
import { GatewayError } from '../error.ts';
import { codeOf } from '../failure.ts';
import { judge, noSecrets } from '../judge.ts';
import { outcomeEntry } from '../record.ts';
import { checkStop } from '../stop-gate.ts';
import { type Direction, messageIntent, payloadOf } from './message.ts';
import { type Message, type Peer, PeerEnd } from './peer.ts';

export interface BridgeOptions {
  readonly road: Road;
  readonly asker: Asker;
  /** The intent of the handshake, which each message names its place by. */
  readonly handshake: Intent;
  readonly near: Peer;
  readonly far: Peer;
  readonly scrubber: Scrubber | null;
  /** The handshake went out with a credential of ours. */
  readonly ownCredential: boolean;
  readonly lifeMs: number;
  /** Aborts when the policy no longer permits the WebSocket, or the session stops. */
  readonly signal: AbortSignal;
}

/** Why it ended: `relayed` when one side closed it and the other was told. */
export type BridgeEnd = { readonly code: string };

/** A message that was refused; the code is what both sides are told. */
class Denied extends GatewayError {
  readonly reason: string;

  constructor(reason: string) {
    super('websocket-denied', 'a message was denied');
    this.reason = reason;
  }
}

/** Both directions at once, each message by message, until one of them ends. Never rejects. */
export async function bridge(options: BridgeOptions): Promise<BridgeEnd> {
  const { near, far, road } = options;
  const { limits } = road;
  const timed = new AbortController();
  const cut = (code: 'websocket-idle' | 'websocket-life') => (): void =>
    timed.abort(new GatewayError(code, 'the WebSocket has lasted as long as it may'));
  const life = setTimeout(cut('websocket-life'), options.lifeMs);
  const idle = setTimeout(cut('websocket-idle'), limits.websocketIdleMs);
  const pinging = setInterval(() => {
    near.ping();
    far.ping();
  }, limits.websocketPingMs);
  const moved = (): void => void idle.refresh();
  const ended = new AbortController();
  const run = (direction: Direction, from: Peer, to: Peer): Promise<void> =>
    pump(options, direction, from, to, moved).catch((error: unknown) => {
      if (!(error instanceof PeerEnd) || error.code !== 'websocket-closed') throw error;
      // We closed that side for what the other one said, which is still being seen to its end.
      return aborted(ended.signal);
    });
  const pumps = [run('out', near, far), run('in', far, near)];
  const cutBy = AbortSignal.any([options.signal, timed.signal]);
  try {
    await Promise.race([...pumps, rejectOn(cutBy, ended.signal)]);
    return { code: 'relayed' };
  } catch (error: unknown) {
    return { code: tellBoth(options, error) };
  } finally {
    clearTimeout(life);
    clearTimeout(idle);
    clearInterval(pinging);
    ended.abort();
    near.drop();
    far.drop();
    // A message that was being decided has its own end, and it is written before the WebSocket's.
    await Promise.allSettled(pumps);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function rejectOn(signal: AbortSignal, until: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    until.addEventListener('abort', () => signal.removeEventListener('abort', abort), { once: true });
  });
}

/** Returns when `from` has closed and `to` was told. @throws whatever ends the WebSocket otherwise */
async function pump(
  options: BridgeOptions,
  direction: Direction,
  from: Peer,
  to: Peer,
  moved: () => void,
): Promise<void> {
  for (;;) {
    const message = await from.next();
    // An empty close says nothing that could be decided about.
    const empty = message.opcode === 'close' && message.code === 1005;
    if (empty) to.close(1000);
    else await forward(options, direction, to, message);
    moved();
    if (message.opcode !== 'close') continue;
    from.close(message.code === null || empty ? 1000 : message.code);
    return;
  }
}

/** One message: searched, decided, recorded, and only then passed on (I1, I2). Ends in exactly one `outcome`. */
async function forward(options: BridgeOptions, direction: Direction, to: Peer, received: Message): Promise<void> {
  const { road, asker, scrubber } = options;
  const { session } = asker;
  const before = scrubber?.hits.length ?? 0;
  const message = direction === 'in' && scrubber !== null ? searched(received, scrubber) : received;
  const scrubbed = [...new Set((scrubber?.hits.slice(before) ?? []).map((hit) => hit.secret))];
  const policy = road.policyOf(session.id);
  if (policy === null) throw new Denied('stale-policy');
  const startedMs = road.clock.monotonic();
  const intent = messageIntent(options.handshake, direction, message);
  const { ownCredential } = options;
  const { data } = message;
  const asked = { policy, intent, plan: noSecrets, readable: data, ownCredential, payload: data };
  const judged = await judge(road, asker, asked);
  if (judged.outcome === 'deny') throw new Denied(judged.denied.code);
  const { permit, labelled } = judged;
  let code = 'relayed';
  try {
    checkPolicy(road, session, permit, { policy, labelled });
    await send(road, checkStop(permit, session, road.right), message, to);
  } catch (error: unknown) {
    code = codeOf(error);
    throw error;
  } finally {
    discardPermit(permit, road.minter);
    const bytes = code === 'relayed' ? message.data.length : 0;
    session.traffic[direction] += bytes;
    await road.journal.append(
      outcomeEntry(session.id, permit.attempt, {
        code,
        status: null,
        bytesIn: direction === 'in' ? bytes : 0,
        bytesOut: direction === 'out' ? bytes : 0,
        digest: `sha256:${permit.payload.sha256}`,
        doubt: false,
        address: null,
        credentials: [],
        scrubbed,
        totalMs: Math.max(0, Math.round(road.clock.monotonic() - startedMs)),
        firstByteMs: null,
      }),
      'os',
    );
  }
}

/** What goes out is hashed once more, so it is what was decided. @throws PolicyError `permit-*`; PeerEnd */
function send(road: Road, permit: Permit, message: Message, to: Peer): Promise<void> {
  consumePermit(permit, road.minter, { intentDigest: permit.intentDigest, payload: payloadOf(message) });
  if (message.opcode !== 'close') return to.send(message);
  to.close(message.code ?? 1000, message.data);
  return Promise.resolve();
}

/** A message is whole, so nothing is held back; a value that a server spreads over two is not found. */
function searched(message: Message, scrubber: Scrubber): Message {
  const data = Buffer.concat([scrubber.push(message.data), scrubber.end()]);
  return { ...message, data };
}

/** Closes each side with what it may know (RFC 6455 §7.4.1); returns the code of the record. */
function tellBoth({ near, far, road }: BridgeOptions, error: unknown): string {
  const code = codeOf(error);
  if (error instanceof PeerEnd) {
    const [own, other] = error.role === 'server' ? [near, far] : [far, near];
    if (error.closeCode !== null) own.close(error.closeCode, error.code);
    other.close(error.role === 'server' ? 1001 : 1011);
    if (code === 'stream-cut') return error.role === 'server' ? 'client-gone' : 'upstream-aborted';
    return error.role === 'client' && code === 'websocket-protocol' ? 'upstream-protocol' : code;
  }
  if (error instanceof Denied) {
    near.close(1008, error.reason);
    far.close(1008);
  } else if (code === 'budget-used-up') {
    near.close(1008, code);
    far.close(1008);
  } else if (code === 'no-longer-permitted') {
    near.close(1012, code);
    far.close(1012);
  } else if (code === 'session-stopped' || code === 'websocket-idle' || code === 'websocket-life') {
    near.close(1001, code);
    far.close(1001);
  } else {
    if (code === 'fault') road.report('error', 'websocket-failed', error instanceof Error ? error.message : 'no error');
    near.close(1011);
    far.close(1011);
  }
  return code;
}
