import type { Destination } from '@cordon/egress';
import { destinationOf } from '../http/head.ts';
import type { Socket } from '../listen/wire.ts';
import type { Refusal } from '../refuse/refusal.ts';
import type { NameServer } from './name-server.ts';

/**
 * Where a captured connection was made to: the name that its address was handed out for in this session, or else that
 * address itself, which only a grant of the literal allows. Null: it is gone already.
 */
export function capturedDestination(socket: Socket, names: NameServer): Destination | Refusal | null {
  const { localAddress, localPort } = socket;
  if (localAddress === undefined || localPort === undefined) return null;
  const literal = localAddress.includes(':') ? `[${localAddress}]` : localAddress;
  // Whether it is https is for its first bytes to say.
  return destinationOf('https', { host: names.nameOf(localAddress) ?? literal, port: localPort });
}
