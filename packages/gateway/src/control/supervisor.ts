import type { GatewayToSupervisor, SupervisorToGateway } from '@cordon/protocol';
import { GatewayError } from '../error.ts';

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
  if (typeof session !== 'string' || session.length === 0 || session.length > 64) throw malformed();
  if (fields['type'] === 'close') return { type: 'close', session };
  const { tenant, kind, address, of } = fields;
  if (fields['type'] !== 'serve' || fields['v'] !== 1 || typeof tenant !== 'string') throw malformed();
  if (kind !== 'proxy' && kind !== 'http' && kind !== 'tls') throw malformed();
  if (address !== '127.0.0.1' && address !== '::1') throw malformed();
  if (typeof of !== 'number' || !Number.isInteger(of) || of < 1 || of > 16) throw malformed();
  return { type: 'serve', v: 1, tenant, session, kind, address, of };
}

function malformed(): GatewayError {
  return new GatewayError('message-malformed', 'the supervisor sent a message of unknown shape');
}
