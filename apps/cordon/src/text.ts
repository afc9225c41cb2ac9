/**
 * Text for a terminal. Names, paths and messages may carry an agent's bytes, so nothing reaches the operator's
 * terminal before control and direction-changing characters are made visible (an escape sequence could rewrite what
 * the operator reads, or reach the clipboard).
 */
export function visible(text: string): string {
  let shown = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const hidden =
      code < 0x20 ||
      (code >= 0x7f && code < 0xa0) ||
      (code >= 0x200b && code <= 0x200f) ||
      (code >= 0x2028 && code <= 0x202e) ||
      (code >= 0x2060 && code <= 0x206f) ||
      code === 0xfeff ||
      (code >= 0xe0000 && code <= 0xe007f);
    shown += hidden ? `\\u{${code.toString(16)}}` : character;
  }
  return shown;
}

export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold' | 'cyan';
const codes: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 };

/** A painter that does nothing where colours are off. */
export function painter(colours: boolean): (colour: Colour, text: string) => string {
  return colours ? (colour, text) => `\u001b[${codes[colour]}m${text}\u001b[0m` : (_colour, text) => text;
}

/** Columns padded to their widest cell; the last is never padded. Cells are made visible here. */
export function table(
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  paint: ReturnType<typeof painter>,
): string {
  const shown = rows.map((row) => row.map(visible));
  const widths = head.map((title, i) => Math.max(title.length, ...shown.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === head.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [paint('dim', line(head)), ...shown.map(line)].join('\n');
}

/** `1 policy`, `2 policies`. */
export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
