import * as z from 'zod/mini';

export const shredRequest = z.strictObject({ session: z.string().check(z.maxLength(64)) });
export const shredAnswer = z.strictObject({
  session: z.string(),
  /** The key that is gone. */
  key: z.string(),
  /** When the entry was recorded; of the first time, if it was shredded before. */
  at: z.string(),
});
export type ShredAnswer = z.infer<typeof shredAnswer>;
