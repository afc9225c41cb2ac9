import type { Arguments } from './command.ts';
import { usageError } from './exit.ts';

const sizeUnits: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `512M`, `4GiB`, `1073741824` → bytes. */
export function parseSize(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text);
  const unit = sizeUnits[match?.[2]?.toLowerCase() ?? 'none'];
  if (match === null || unit === undefined)
    throw usageError(`--${option}: ${text} is no size`, 'write it like 512M or 4G');
  return Math.round(Number(match[1]) * unit);
}

/** `90s`, `10m`, `8h` → milliseconds. */
export function parseDuration(option: string, text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  const unit = timeUnits[match?.[2] ?? 'none'];
  if (match === null || unit === undefined)
    throw usageError(`--${option}: ${text} is no duration`, 'write it like 90s, 10m or 8h');
  return Number(match[1]) * unit;
}

/** `1.5` cores → 1500. */
export function parseCpus(option: string, text: string): number {
  if (!/^\d+(\.\d{1,3})?$/.test(text))
    throw usageError(`--${option}: ${text} is no number of cores`, 'write it like 2 or 0.5');
  return Math.round(Number(text) * 1000);
}

export function parseCount(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usageError(`--${option}: ${text} is no count`);
  return Number(text);
}

/** `--since 8h` → the time then, RFC 3339; undefined where it was not given. */
export function sinceOf(args: Pick<Arguments, 'text'>, nowMs: number): string | undefined {
  const since = args.text('since');
  return since === undefined ? undefined : new Date(nowMs - parseDuration('since', since)).toISOString();
}
