/** What a run tells beside the code that it reached: an answer of another kind is progress too. */
export interface Feedback {
  /** Of a small set: a refusal's code, a kind of result. */
  note(what: string): void;
  /** A number of code outside of this process that ran, 0 … 65535 (the native parsers count their own). */
  reached(place: number): void;
}

/**
 * One thing that reads bytes of somebody else. `run` gives one input to the real code and throws when the property
 * does not hold; what the code refuses in its own words is no finding. An input that ends the process, takes longer than
 * the watch allows or makes memory grow without end is one as well.
 */
export interface Target {
  readonly name: string;
  readonly about: string;
  /** The property, in words. */
  readonly oracle: string;
  readonly lengthMax: number;
  /** How many inputs the short run of `./check` tries. */
  readonly shortRuns: number;
  /** Words of the language, beside those that stand in the code as literals. */
  readonly dictionary?: readonly string[];
  seeds(): readonly Uint8Array[];
  open?(): Promise<void>;
  run(input: Uint8Array, feedback: Feedback): void | Promise<void>;
  close?(): Promise<void>;
}

/** The property does not hold. */
export class PropertyBroken extends Error {
  override readonly name = 'PropertyBroken';
}

/** INVARIANT of a target: what it says about an input is a function of the input. */
export function must(holds: boolean, what: string, ...shown: readonly unknown[]): asserts holds {
  if (!holds) throw new PropertyBroken([what, ...shown.map(show)].join('\n    '));
}

function show(value: unknown): string {
  if (typeof value === 'string') return value;
  return JSON.stringify(plain(value)) ?? String(value);
}

/** Bytes as text of one character each, wherever they are. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

export const text = (input: string): Uint8Array => Buffer.from(input, 'latin1');
