import { z } from 'zod';
import { limits } from '../limits.ts';

/** `?cursor=&limit=` of every list. A cursor is opaque to clients, and a number to whoever made it. */
export const pageQuery = {
  cursor: z
    .string()
    .regex(/^[0-9]{1,15}$/, 'not a cursor of this API')
    .optional(),
  limit: z.coerce.number().int().min(1).max(limits.pageItemsMax).default(limits.pageItemsDefault),
};

/** `?flag=true`; anything but the two words is an error, so that a misspelt flag is not "off". */
export const flag = z.enum(['true', 'false']).default('false');

/** `?name=a,b`: a set of words of a fixed list. */
export function wordList<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z
    .string()
    .max(256)
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(words)).min(1).max(words.length))
    .optional();
}
