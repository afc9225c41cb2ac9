/** One check taken out of the code, and the tests that must notice. */
export interface Mutation {
  /** Unique; `file: what is no longer checked`. */
  readonly name: string;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Those that must fail: the fewest and fastest. */
  readonly tests: readonly string[];
  /** Of these tests, only the ones whose name holds this (`vitest -t`). */
  readonly only?: string;
}

/** A list of mutations of one file: `[what is no longer checked, text, what stands in its place, tests?]`. */
export function mutationsOf(
  file: string,
  tests: readonly string[],
  rows: ReadonlyArray<readonly [what: string, find: string, replace: string, tests?: readonly string[]]>,
): readonly Mutation[] {
  const noun = file.replace(/^.*\/src\//, '').replace(/\.ts$/, '');
  return rows.map(([what, find, replace, own]) => ({
    name: `${noun}: ${what}`,
    file,
    find,
    replace,
    tests: own ?? tests,
  }));
}
