import type { Destination } from '@cordon/egress';
import type { SocketPlace } from '@cordon/protocol';
import { destinationOf } from '../http/head.ts';
import type { Refusal } from '../refuse/refusal.ts';
import type { NameServer } from './name-server.ts';

/**
 * Where a captured connection was made to: the name that its address was handed out for in this session, or else that
 * address itself, which only a grant of the literal allows.
 */
export function capturedDestination({ address, port }: SocketPlace, names: NameServer): Destination | Refusal {
  const literal = address.includes(':') ? `[${address}]` : address;
  // Whether it is https is for its first bytes to say.
  return destinationOf('https', { host: names.nameOf(address) ?? literal, port });
}
