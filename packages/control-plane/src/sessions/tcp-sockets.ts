import { canonicalTunnel } from '@cordon/policy';
import type { TcpSocket } from '@cordon/protocol';
import { refusal } from '../error.ts';
import { limits } from '../limits.ts';

/**
 * One socket per raw TCP grant, one address per host: 127.64.0.1, .2, … in the order of the grants' names. A program
 * that connects to the name reaches a socket that stands for that destination and no other.
 * @throws CordonError `request-invalid` when there are more than the sandbox opens
 */
export function tcpSockets(grants: readonly string[]): TcpSocket[] {
  const distinct = [...new Set(grants)].sort();
  if (distinct.length > limits.sessionTcpSocketsMax) {
    throw refusal('request-invalid', `more than ${limits.sessionTcpSocketsMax} raw TCP grants`);
  }
  const addresses = new Map<string, string>();
  return distinct.map((grant) => {
    const tunnel = canonicalTunnel(grant);
    if (!tunnel.ok) throw refusal('request-invalid', `${grant} is no destination`);
    const { host, port, kind } = tunnel;
    const address = addresses.get(host) ?? `127.64.0.${addresses.size + 1}`;
    addresses.set(host, address);
    return { grant, address, port, name: kind === 'name' ? host : null };
  });
}
