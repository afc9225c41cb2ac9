/** Shared by the hook that instruments and the engine that looks; both are loaded in one process. */
export const countersMax = 1 << 16;
/** From `countersMax` on: notes of a target, then places of native code. */
const notesMax = 1 << 12;
const placesMax = 1 << 16;
export const placesFrom = countersMax + notesMax;
const all = countersMax + notesMax + placesMax;

interface Instrumentation {
  readonly counters: Uint8Array;
  readonly state: {
    used: number;
    readonly files: { readonly file: string; readonly first: number; readonly blocks: number }[];
    readonly literals: Set<string>;
  };
}

const key = Symbol.for('cordon.fuzz');
const place = globalThis as unknown as Record<symbol, Instrumentation | undefined>;

place[key] ??= { counters: new Uint8Array(all), state: { used: 0, files: [], literals: new Set() } };
export const instrumentation: Instrumentation = place[key];
export const noteSlots = notesMax;
export const placeSlots = placesMax;
