/** What goes through a gateway at this moment; of a session since this gateway has served it. */
export interface GatewayTraffic {
  /** The control plane's lease still runs: it may decide. */
  readonly live: boolean;
  readonly sessions: readonly SessionTraffic[];
}

export interface SessionTraffic {
  readonly session: string;
  readonly inFlight: number;
  readonly sockets: number;
  /** Of answers that came, and of requests that went out, those under way included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}
