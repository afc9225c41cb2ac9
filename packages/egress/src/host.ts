import { networkInterfaces } from 'node:os';
import type { HostView } from './address.ts';

/** The addresses of this host as they are now; interfaces change, so ask again every minute or so. */
export function localHostView(control: HostView['control']): HostView {
  const self = Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address));
  return { self, control };
}
