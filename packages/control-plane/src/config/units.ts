import { z } from 'zod';

const sizeUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;
const timeUnits = { ms: 1, s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 } as const;

/** `4GiB`: a whole number and a binary unit. A bare number is refused: nobody knows what it counts. */
export const size = z
  .string()
  .regex(/^[1-9][0-9]{0,8}(B|KiB|MiB|GiB|TiB)$/, 'a size such as 512MiB or 4GiB')
  .transform((text) => scale(text, sizeUnits))
  .refine(Number.isSafeInteger, 'a size that large is not meant');

/** `8h`: a whole number and a unit. */
export const duration = z
  .string()
  .regex(/^[1-9][0-9]{0,8}(ms|s|m|h|d)$/, 'a duration such as 90s, 30m or 8h')
  .transform((text) => scale(text, timeUnits))
  .refine((ms) => ms <= 7 * timeUnits.d, 'at most 7d');

/** Number of cores, also in parts, as thousandths. */
export const cores = z
  .number()
  .min(0.01)
  .max(4096)
  .transform((count) => Math.round(count * 1000));

function scale(text: string, units: Readonly<Record<string, number>>): number {
  const [, digits = '', unit = ''] = /^([0-9]+)([A-Za-z]+)$/.exec(text) ?? [];
  return Number(digits) * (units[unit] ?? Number.NaN);
}
