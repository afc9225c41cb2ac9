import { type GatewayToSupervisor, parsePermitOrder } from '@cordon/protocol';

const textMax = 200;

/**
 * What a gateway says. It parses hostile bytes for a living, so what comes from it is not believed to have a shape.
 * Null: it has none that a gateway of ours would send.
 */
export function parseGatewayMessage(value: unknown): GatewayToSupervisor | null {
  if (typeof value !== 'object' || value === null) return null;
  const { type, boot, session, sockets, n, order } = value as Record<string, unknown>;
  switch (type) {
    case 'ready':
      return isShort(boot) ? { type, boot } : null;
    case 'serving':
      return isShort(session) && Number.isSafeInteger(sockets) ? { type, session, sockets: Number(sockets) } : null;
    case 'closed':
      return isShort(session) ? { type, session } : null;
    case 'pong':
      return Number.isSafeInteger(n) ? { type, n: Number(n) } : null;
    case 'sign': {
      const read = parsePermitOrder(order);
      return read !== null && Number.isSafeInteger(n) ? { type, n: Number(n), order: read } : null;
    }
    default:
      return null;
  }
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length <= textMax;
}
