import type { GatewayTraffic } from '@cordon/protocol';
import type { Session } from './session/session.ts';

/** What a gateway holds at this moment. */
export interface GatewayStats {
  readonly sessions: number;
  readonly sockets: number;
  readonly inFlight: number;
  /** Whether the control plane's lease still runs. */
  readonly live: boolean;
}

export function statsOf(sessions: readonly Session[], live: boolean): GatewayStats {
  return {
    sessions: sessions.length,
    sockets: sessions.reduce((sum, session) => sum + session.sockets.size, 0),
    inFlight: sessions.reduce((sum, session) => sum + session.inFlight, 0),
    live,
  };
}

/** The same session by session, for whoever watches. */
export function trafficOf(sessions: readonly Session[], live: boolean): GatewayTraffic {
  const each = sessions.map((session) => ({
    session: session.id,
    inFlight: session.inFlight,
    sockets: session.sockets.size,
    bytesIn: session.traffic.in,
    bytesOut: session.traffic.out,
  }));
  return { live, sessions: each };
}
