import type { Channel, GatewayMethods, GatewayUplink } from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import type { HoldPort } from './desk.ts';

type Up = Channel<GatewayUplink, GatewayMethods>;

/** Over the private channel, as it is at each call. @throws GatewayError `control-lost` while there is none */
export function holdPort(channel: () => Up | null, timeoutMs: number): HoldPort {
  const up = (): Up => {
    const now = channel();
    if (now === null) throw new GatewayError('control-lost', 'the control plane is away');
    return now;
  };
  return {
    open: async (order) => await up().call('hold.open', order, timeoutMs),
    use: async (use) => await up().call('hold.use', use, timeoutMs),
  };
}
