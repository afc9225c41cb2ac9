import type { SessionFigures, Stats } from '@cordon/protocol';

/** What goes by in a second; null until there are two looks. */
export interface Rates {
  readonly cpuPercent: number | null;
  readonly allow: number | null;
  readonly deny: number | null;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
}

export interface SessionRow extends SessionFigures {
  readonly ageMs: number;
  readonly rates: Rates;
}

export interface Totals {
  readonly sessions: number;
  readonly processes: number;
  readonly memoryBytes: number;
  readonly decisions: { readonly allow: number; readonly deny: number };
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly inFlight: number;
  readonly rates: Rates;
}

export interface Figures {
  readonly at: string;
  readonly sessions: readonly SessionRow[];
  readonly totals: Totals;
  readonly gateways: Stats['gateways'];
  readonly ledger: Stats['ledger'];
  readonly alarms: Stats['alarms'];
}

export const sortKeys = ['denied', 'bytes', 'cpu', 'memory', 'age'] as const;
export type SortKey = (typeof sortKeys)[number];

/** Rates from two looks; a session that is in one of them only has none. */
export function figuresOf(before: Stats | null, now: Stats): Figures {
  const seconds = before === null ? 0 : (Date.parse(now.at) - Date.parse(before.at)) / 1000;
  const known = new Map(before?.sessions.map((session) => [session.session, session]));
  const sessions = now.sessions.map((session) => ({
    ...session,
    ageMs: Math.max(0, Date.parse(now.at) - Date.parse(session.startedAt)),
    rates: ratesOf(known.get(session.session) ?? null, session, seconds),
  }));
  return {
    at: now.at,
    sessions,
    totals: totalsOf(sessions),
    gateways: now.gateways,
    ledger: now.ledger,
    alarms: now.alarms,
  };
}

function ratesOf(before: SessionFigures | null, now: SessionFigures, seconds: number): Rates {
  const rate = (first: number | null | undefined, second: number | null): number | null => {
    if (first == null || second === null || seconds <= 0) return null;
    // A gateway that was replaced counts from the start: no session sends less than nothing.
    return Math.max(0, (second - first) / seconds);
  };
  const cpuMs = rate(before?.cpuMs, now.cpuMs);
  return {
    cpuPercent: cpuMs === null ? null : cpuMs / 10,
    allow: rate(before?.decisions.allow, now.decisions.allow),
    deny: rate(before?.decisions.deny, now.decisions.deny),
    bytesIn: rate(before?.bytesIn, now.bytesIn),
    bytesOut: rate(before?.bytesOut, now.bytesOut),
  };
}

function totalsOf(sessions: readonly SessionRow[]): Totals {
  const sum = (of: (session: SessionRow) => number | null): number =>
    sessions.reduce((total, session) => total + (of(session) ?? 0), 0);
  const rate = (of: keyof Rates): number | null =>
    sessions.some((session) => session.rates[of] !== null) ? sum((session) => session.rates[of]) : null;
  return {
    sessions: sessions.length,
    processes: sum((session) => session.processes),
    memoryBytes: sum((session) => session.memoryBytes),
    decisions: { allow: sum((session) => session.decisions.allow), deny: sum((session) => session.decisions.deny) },
    bytesIn: sum((session) => session.bytesIn),
    bytesOut: sum((session) => session.bytesOut),
    inFlight: sum((session) => session.inFlight),
    rates: {
      cpuPercent: rate('cpuPercent'),
      allow: rate('allow'),
      deny: rate('deny'),
      bytesIn: rate('bytesIn'),
      bytesOut: rate('bytesOut'),
    },
  };
}

/** The most of it first; what is equal stands by age, so that rows do not jump. */
export function sorted(sessions: readonly SessionRow[], key: SortKey): readonly SessionRow[] {
  const weight: Readonly<Record<SortKey, (session: SessionRow) => number>> = {
    denied: ({ decisions }) => decisions.deny,
    bytes: ({ bytesIn, bytesOut }) => bytesIn + bytesOut,
    cpu: ({ rates }) => rates.cpuPercent ?? -1,
    memory: ({ memoryBytes }) => memoryBytes ?? -1,
    age: ({ ageMs }) => ageMs,
  };
  const of = weight[key];
  return sessions.toSorted((a, b) => of(b) - of(a) || b.ageMs - a.ageMs || (a.session < b.session ? -1 : 1));
}
