export interface Result {
  readonly name: string;
  readonly rounds: number;
  /** What was measured, in words. */
  readonly figures: string;
  /** What must never happen and did. */
  readonly wrong: readonly string[];
}

/** One line per fault. */
export function table(results: readonly Result[]): string {
  const rows = results.map(({ name, rounds, wrong, figures }) => [name, String(rounds), String(wrong.length), figures]);
  const all = [['fault', 'rounds', 'wrong', 'figures'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Median, 99th percentile and largest, in words. */
export function spread(what: string, values: readonly number[], unit: string): string {
  if (values.length === 0) return `${what}: none`;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(0);
  return `${what}: median ${at(0.5)} ${unit}, p99 ${at(0.99)}, largest ${at(1)}`;
}
