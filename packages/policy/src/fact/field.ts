/**
 * The one table that facts, their validator, their JSON Schema and the Cedar context type come from.
 * Order is the order in the context; every field is required, because Cedar skips a policy that misses one.
 */
export const effects = ['read', 'write', 'share', 'exec', 'spend', 'admin', 'destroy'] as const;
export type Effect = (typeof effects)[number];

export type Field =
  | { readonly type: 'bool' }
  | { readonly type: 'long'; readonly min: number; readonly max: number }
  | { readonly type: 'effect' };

const bool = { type: 'bool' } as const;
const long = (min: number, max: number) => ({ type: 'long', min, max }) as const;

/** Common to every action. `checks`, `args`, `nums`, `flow`, `approval` have shapes of their own. */
export const commonFields = {
  effect: { type: 'effect' },
  undoable: bool,
  live: bool,
  covered: bool,
  pinned: bool,
  quotaOk: bool,
  breaker: long(0, 2),
  anomaly: long(0, 3),
  minuteOfWeek: long(0, 7 * 24 * 60 - 1),
  boundary: long(1, 3),
  attested: long(0, 2),
  depth: long(0, 4),
} as const satisfies Readonly<Record<string, Field>>;

export const flowFields = {
  argInteg: long(0, 4),
  argConf: long(0, 3),
  ctxInteg: long(0, 4),
  ctxConf: long(0, 3),
  destInteg: long(0, 4),
  clearance: long(0, 3),
  readersOk: bool,
  linksOk: bool,
  leakOk: bool,
} as const satisfies Readonly<Record<string, Field>>;

export const approvalFields = {
  quorum: long(0, 16),
  strong: bool,
} as const satisfies Readonly<Record<string, Field>>;

type ValueOf<F> = F extends { type: 'bool' } ? boolean : F extends { type: 'long' } ? number : Effect;
export type ValuesOf<T> = { readonly [K in keyof T]: ValueOf<T[K]> };
