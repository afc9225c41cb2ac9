/** Diagnostics of roles without a control plane: one JSON object a line on stderr, which goes to a log file. */
export function logLine(at: string, event: { readonly [key: string]: string | number | boolean | null }): void {
  process.stderr.write(`${JSON.stringify({ at, ...event })}\n`);
}
