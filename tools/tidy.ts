// The rules of style that a machine can check, each a function from one file to its findings. `tidy.test.ts` runs
// them over the tree, and over one planted violation each.
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Rule {
  readonly name: string;
  readonly why: string;
  /** Files that it speaks about. */
  readonly of: (path: string) => boolean;
  readonly find: (file: SourceFile) => readonly string[];
  /** A file that breaks it. */
  readonly planted: SourceFile;
}

const product = (path: string): boolean => /^(packages|apps)\/[^/]+\/src\/.*\.ts$/.test(path);
const tracked = (): boolean => true;

const linesMatching =
  (pattern: RegExp) =>
  (file: SourceFile): readonly string[] =>
    file.text
      .split('\n')
      .flatMap((line, i) => (pattern.test(withoutComment(line)) ? [`${file.path}:${i + 1}: ${line.trim()}`] : []));

/** Comments may speak of what code may not do. */
function withoutComment(line: string): string {
  return /^\s*(\/\/|\*|\/\*)/.test(line) ? '' : line;
}

const linesMax = 400;

export const rules: readonly Rule[] = [
  {
    name: 'short-files',
    why: `a file over ${linesMax} lines holds two nouns`,
    of: product,
    find: ({ path, text }) => {
      const lines = text.split('\n').length;
      return lines > linesMax ? [`${path}: ${lines} lines`] : [];
    },
    planted: { path: 'packages/policy/src/long.ts', text: '\n'.repeat(linesMax + 1) },
  },
  {
    name: 'named-for-a-noun',
    why: 'utils, helpers, common and manager say nothing about what is inside',
    of: product,
    find: ({ path }) => (/(^|[/-])(utils?|helpers?|common|misc|manager)(\.|-|\/)/.test(path) ? [path] : []),
    planted: { path: 'packages/policy/src/string-utils.ts', text: '' },
  },
  {
    name: 'no-ambient-time-or-randomness',
    why: 'invariant I9: time, randomness and identity come in as arguments',
    of: (path) => /^packages\/[^/]+\/src\//.test(path) && path !== 'packages/protocol/src/clock.ts',
    find: linesMatching(
      /\b(Date\.now|performance\.now|Math\.random|randomUUID|randomBytes|getRandomValues)\(|new Date\(\)/,
    ),
    planted: { path: 'packages/policy/src/now.ts', text: 'const now = Date.now();' },
  },
  {
    name: 'no-ambient-environment',
    why: 'only apps read the environment',
    of: (path) => /^packages\/[^/]+\/src\//.test(path),
    find: linesMatching(/\bprocess\.(env|argv|cwd\(\))/),
    planted: { path: 'packages/policy/src/env.ts', text: 'const home = process.env.HOME;' },
  },
  {
    name: 'errors-have-codes',
    why: 'one error shape: CordonError with a code that callers can act on',
    of: product,
    find: linesMatching(/\bnew (Error|TypeError|RangeError)\(/),
    planted: { path: 'packages/policy/src/bare.ts', text: "throw new Error('no');" },
  },
  {
    name: 'no-silenced-types',
    why: 'what the compiler is not allowed to see is where the hole is',
    of: product,
    find: linesMatching(/@ts-(ignore|expect-error|nocheck)|\bas any\b|: any\b|<any>|eslint-disable/),
    planted: { path: 'packages/policy/src/any.ts', text: 'const x: any = 1;' },
  },
  {
    name: 'nothing-unfinished',
    why: 'a feature is there or it is not; what is missing stands in the docs',
    of: tracked,
    find: ({ path, text }) =>
      /\.(ts|mjs|cjs|c|h|sh|yaml)$/.test(path) && !path.startsWith('tools/tidy')
        ? text
            .split('\n')
            .flatMap((line, i) =>
              /\b(TODO|FIXME|XXX|HACK)\b|[Nn]ot (yet )?implemented/.test(line)
                ? [`${path}:${i + 1}: ${line.trim()}`]
                : [],
            )
        : [],
    planted: { path: 'packages/policy/src/later.ts', text: '// TODO: check the signature' },
  },
  {
    name: 'tests-run-and-assert',
    why: 'a skipped test proves nothing, and one that cannot fail is worse',
    of: (path) => /\.test\.ts$/.test(path) && !path.startsWith('tools/tidy'),
    find: linesMatching(
      /\b(it|test|describe)\.(skip|only|todo|fails)\b|\.skipIf\(|\.runIf\(|expect\(true\)|toBeTruthy\(\)/,
    ),
    planted: { path: 'packages/policy/test/skipped.test.ts', text: "it.skip('later', () => {});" },
  },
  {
    name: 'verification-stays-on',
    why: 'TLS verification cannot be switched off',
    of: (path) =>
      /\.(ts|mjs|cjs|yaml|sh)$/.test(path) &&
      !path.startsWith('tools/tidy') &&
      !/\/test\//.test(path) &&
      !path.startsWith('test/'),
    find: linesMatching(/rejectUnauthorized(?!: true)|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity\s*:\s*\(\)/),
    planted: { path: 'packages/egress/src/lax.ts', text: 'rejectUnauthorized: false,' },
  },
  {
    name: 'no-machine-paths',
    why: 'what is committed works on every machine',
    of: tracked,
    find: ({ path, text }) =>
      /\/work\/(main|shared)\b|\/root\/[a-z.]/.test(text) && !path.startsWith('tools/tidy') ? [path] : [],
    planted: { path: 'docs/guide.md', text: `cd ${'/work'}/main` },
  },
  {
    name: 'limits-have-units',
    why: 'a limit names its unit or that it is a count, so nobody compares seconds with milliseconds',
    of: (path) => /^packages\/[^/]+\/src\/limits\.ts$/.test(path),
    find: ({ path, text }) =>
      limitNames(text).flatMap((name) =>
        /(Ms|S|Bytes|Chars|Max|Min|PerSecond|Ratio|Percent|Days|Hours|Items|Tries|Processes)(Max|Min|Default)?$/.test(
          name,
        )
          ? []
          : [`${path}: ${name}`],
      ),
    planted: { path: 'packages/policy/src/limits.ts', text: 'export const limits = {\n  timeout: 5,\n} as const;' },
  },
];

/** The names that a `limits.ts` defines, one a line. */
export function limitNames(text: string): readonly string[] {
  return [...text.matchAll(/^ {2}([a-z][A-Za-z0-9]*):/gm)].map((match) => match[1] ?? '');
}
