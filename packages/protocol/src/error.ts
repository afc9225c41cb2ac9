/**
 * The one error shape. A fault is an exception of this class; a denial is a value and never thrown.
 * `code` is a literal from the throwing package's own union, and `expose` decides what a client may read:
 * the message of an error that is not exposed may name host paths or peers' words.
 */
export class CordonError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly expose: boolean;
  /** What the reader can do now, one step each. Only shown when exposed. */
  readonly nextSteps: readonly string[];

  constructor(
    code: Code,
    message: string,
    options: { cause?: unknown; expose?: boolean; nextSteps?: readonly string[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CordonError';
    this.code = code;
    this.expose = options.expose ?? false;
    this.nextSteps = options.nextSteps ?? [];
  }
}

/** Ends every `switch` over a union: adding a member without its case does not compile. */
export function assertNever(value: never, what: string): never {
  throw new CordonError('unreachable', `${what}: unexpected ${JSON.stringify(value)}`);
}

/** Narrows a caught value; `instanceof` alone would leave `code` untyped. */
export function isCordonError(error: unknown): error is CordonError {
  return error instanceof CordonError;
}
