import type {
  GatewayToSupervisor,
  RelayedSocket,
  ServeMessage,
  SocketKind,
  SupervisorToGateway,
} from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import { parseSigningAnswer } from './permit-desk.ts';

/** Node's IPC channel to the parent, wrapped by the composition root. */
export interface SupervisorPort {
  send(message: GatewayToSupervisor): void;
  /** `handle` as `process.on('message')` gives it: a raw listening handle (`net.Native`), or undefined. */
  onMessage(listener: (message: unknown, handle: unknown) => void): void;
}

/**
 * The supervisor is ours and its messages are small, yet which session a socket belongs to hangs on them (I7):
 * anything of another shape is a fault.
 * @throws GatewayError `message-malformed`
 */
export function parseSupervisorMessage(message: unknown): SupervisorToGateway {
  if (typeof message !== 'object' || message === null || !('type' in message)) throw malformed();
  const fields = message as { readonly [key: string]: unknown };
  const { session } = fields;
  if (fields['type'] === 'ping') {
    if (typeof fields['n'] !== 'number') throw malformed();
    return { type: 'ping', n: fields['n'] };
  }
  const answer = parseSigningAnswer(fields);
  if (answer !== null) return answer;
  if (typeof session !== 'string' || session.length === 0 || session.length > 64) throw malformed();
  if (fields['type'] === 'close') return { type: 'close', session };
  const { tenant, kind, address, port, of } = fields;
  if (fields['type'] !== 'serve' || fields['v'] !== 1 || typeof tenant !== 'string') throw malformed();
  if (!isKind(kind) || typeof address !== 'string' || !/^[0-9a-f.:]{2,45}$/.test(address)) throw malformed();
  if (!isBetween(port, 1, 65_535) || !isBetween(of, 1, socketsPerSessionMax)) throw malformed();
  const { relay } = fields;
  const by = relay === undefined ? {} : { relay: parseRelayed(relay) };
  const served: ServeMessage = { type: 'serve', v: 1, tenant, session, kind, address, port, of, ...by };
  if (kind !== 'tcp') return served;
  const { grant } = fields;
  if (typeof grant !== 'string' || grant.length === 0 || grant.length > 300) throw malformed();
  return { ...served, grant };
}

/** A Unix socket's path has at most 107 bytes. */
function parseRelayed(value: unknown): RelayedSocket {
  if (typeof value !== 'object' || value === null) throw malformed();
  const { path, token, ticket } = value as { readonly [key: string]: unknown };
  if (typeof path !== 'string' || !/^\/[^\0]{1,106}$/.test(path)) throw malformed();
  if (typeof token !== 'string' || !/^[0-9a-f]{64}$/.test(token)) throw malformed();
  if (!isBetween(ticket, 0, 0xffff_ffff)) throw malformed();
  return { path, token, ticket };
}

const kinds: ReadonlySet<unknown> = new Set<SocketKind>(['proxy', 'http', 'tls', 'tcp', 'capture', 'names']);
/** Ten of every session's own, and one per raw TCP grant. */
const socketsPerSessionMax = 64;

function isKind(value: unknown): value is SocketKind {
  return kinds.has(value);
}

function isBetween(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function malformed(): GatewayError {
  return new GatewayError('message-malformed', 'the supervisor sent a message of unknown shape');
}
