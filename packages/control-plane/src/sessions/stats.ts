import type { SessionFigures, SessionStats, SessionTraffic, Stats } from '@cordon/protocol';
import { type Clock, timestamp } from '@cordon/protocol';
import type { SessionStore, StoredSession } from '@cordon/store';
import type { Decisions } from '../ledger/decisions.ts';
import type { GatewayWatch } from '../uplink/gateways.ts';
import type { SessionRegistry } from './registry.ts';

export interface StatsParts {
  readonly registry: SessionRegistry;
  readonly store: SessionStore;
  readonly decisions: Decisions;
  readonly clock: Clock;
  /** Of one sandbox. May fail: it ends, or the supervisor is away. */
  readonly sandbox: (session: string) => Promise<SessionStats>;
  readonly gateways: () => Promise<readonly GatewayWatch[]>;
  /** Signs of a fleet, in words. */
  readonly alarms: () => readonly string[];
  readonly ledger: () => Stats['ledger'] & { readonly integrated: (writer: string) => number };
}

type LastDenial = SessionFigures['lastDenial'];

/** One look at everything that is alive, for those who watch. Nothing is counted for it beyond what is kept anyway. */
export class StatsReader {
  readonly #parts: StatsParts;
  /** The last denial is looked up anew only when the session was denied something since. */
  readonly #denials = new Map<string, { readonly count: number; readonly last: LastDenial }>();

  constructor(parts: StatsParts) {
    this.#parts = parts;
  }

  async read(): Promise<Stats> {
    const { registry, clock } = this.#parts;
    const ids = registry.ids();
    for (const id of this.#denials.keys()) if (!ids.includes(id)) this.#denials.delete(id);
    const watched = await this.#parts.gateways();
    const traffic = new Map(
      watched.flatMap((gateway) => gateway.traffic?.sessions ?? []).map((each) => [each.session, each]),
    );
    const figures = await Promise.all(ids.map((id) => this.#figures(id, traffic.get(id) ?? null)));
    const { integrated, ...ledger } = this.#parts.ledger();
    const lag = watched.reduce((sum, { hello, wseq }) => sum + Math.max(0, wseq - integrated(hello.writer)), 0);
    return {
      at: timestamp(clock),
      sessions: figures.filter((each) => each !== null),
      gateways: watched.map(toGateway),
      ledger: { ...ledger, lag },
      alarms: [...this.#parts.alarms()],
    };
  }

  async #figures(id: string, traffic: SessionTraffic | null): Promise<SessionFigures | null> {
    const [stored, sandbox] = await Promise.all([this.#parts.store.get(id), this.#parts.sandbox(id).catch(() => null)]);
    if (stored === null) return null;
    return {
      session: id,
      agent: stored.agent,
      state: stored.state,
      startedAt: stored.startedAt,
      processes: sandbox?.processes ?? null,
      memoryBytes: sandbox?.memoryBytes ?? null,
      cpuMs: sandbox?.cpuMs ?? null,
      decisions: { ...stored.decisions },
      // What has ended is in the index, also that of a gateway before this one; what is under way only the gateway knows.
      bytesIn: Math.max(stored.bytes.in, traffic?.bytesIn ?? 0),
      bytesOut: Math.max(stored.bytes.out, traffic?.bytesOut ?? 0),
      inFlight: traffic?.inFlight ?? null,
      lastDenial: await this.#lastDenial(stored),
    };
  }

  async #lastDenial({ id, decisions }: StoredSession): Promise<LastDenial> {
    if (decisions.deny === 0) return null;
    const known = this.#denials.get(id);
    if (known?.count === decisions.deny) return known.last;
    const last = await this.#parts.decisions.last({ session: id, outcome: ['deny'] });
    const shown = last === null ? null : { at: last.at, attempt: last.attempt, summary: last.summary, code: last.code };
    this.#denials.set(id, { count: decisions.deny, last: shown });
    return shown;
  }
}

function toGateway({ hello, traffic }: GatewayWatch): Stats['gateways'][number] {
  const sessions = traffic?.sessions ?? [];
  return {
    pid: hello.pid,
    live: traffic?.live ?? null,
    sockets: sessions.reduce((sum, session) => sum + session.sockets, 0),
    inFlight: sessions.reduce((sum, session) => sum + session.inFlight, 0),
  };
}
