// A whole gateway in a process of its own, for tests that need its descriptors and its memory apart from the client's.
// Argument: JSON of `GatewayOrder`. Says `{ ports }` over IPC when it serves, and answers `stats`.
import { readdirSync } from 'node:fs';
import { performServerHandshake } from 'node:http2';
import { duplexPair } from 'node:stream';
import { queryObjects } from 'node:v8';
import { watchLoad } from '../../../apps/cordond/src/load.ts';
import { Rig, session } from './rig.ts';

export interface GatewayOrder {
  /** Sessions; the last is the rig's own. */
  readonly sessions: number;
  /** Of the test's server, which every session may GET as `http://api.example.com`. */
  readonly upstreamPort: number;
}

export interface GatewayFigures {
  readonly sockets: number;
  readonly inFlight: number;
  readonly descriptors: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** HTTP/2 connections of clients that are still reachable, open or not. */
  readonly h2Sessions: number;
}

const order = JSON.parse(process.argv[2] ?? '') as GatewayOrder;
const others = Array.from(
  { length: order.sessions - 1 },
  (_, i) => `ses_01arz3ndektsv4rrffq6${String(i).padStart(6, '0')}`,
);
const rig = await Rig.start({
  grants: [{ allow: 'http://api.example.com', methods: ['GET', 'POST'] }, { allow: 'api.example.com' }],
  hosts: { 'api.example.com:80': order.upstreamPort },
  sessions: others,
  // The measure of production, often enough to be taken while no descriptor is left.
  load: watchLoad(import.meta.dirname),
  // Held open for as long as the test takes, on the slowest machine too.
  limits: {
    keepAliveIdleMs: 600_000,
    headTimeoutMs: 300_000,
    sweepMs: 50,
    shedMemoryPercent: 100,
    shedDelayMs: 600_000,
    shedRequestsAfterMs: 600_000,
  },
});

const [half] = duplexPair();
const example = performServerHandshake(half);
example.destroy();

process.on('message', (what) => {
  if (what === 'stats') process.send?.(figures());
});

function figures(): GatewayFigures {
  globalThis.gc?.();
  const { sockets, inFlight } = rig.gateway.stats();
  try {
    return {
      sockets,
      inFlight,
      descriptors: readdirSync('/proc/self/fd').length,
      heapBytes: process.memoryUsage().heapUsed,
      rssBytes: process.memoryUsage.rss(),
      h2Sessions: Number(queryObjects(example.constructor as () => void)),
    };
  } catch {
    // To look takes a descriptor itself.
    const unknown = Number.MAX_SAFE_INTEGER;
    return { sockets, inFlight, descriptors: unknown, heapBytes: unknown, rssBytes: unknown, h2Sessions: unknown };
  }
}

process.once('disconnect', () => {
  rig[Symbol.asyncDispose]().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.send?.({ ca: rig.ca.certificate, ports: [...others, session].map((id) => rig.portsOf(id).proxy) });
