/** One JSON object per line, for machines. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
