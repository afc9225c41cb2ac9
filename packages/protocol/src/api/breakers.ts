import * as z from 'zod/mini';

export const openBreaker = z.strictObject({
  session: z.string(),
  action: z.string(),
  resource: z.string(),
  level: z.union([z.literal(1), z.literal(2)]),
});

/** One resource denied in many sessions of several agents. */
export const fleetAlarm = z.strictObject({
  id: z.string(),
  at: z.string(),
  resource: z.string(),
  sessions: z.array(z.string()),
  agents: z.array(z.string()),
  frozen: z.array(z.string()),
});

export const openBreakers = z.strictObject({
  sessions: z.array(openBreaker),
  destinations: z.array(z.string()),
  /** Of the last hour. */
  fleet: z.array(fleetAlarm),
});
export type BreakerList = z.infer<typeof openBreakers>;

/** Of one session, or the destinations of all. */
export const breakerReset = z.strictObject({ session: z.nullable(z.string().check(z.maxLength(64))) });
export const breakerResetAnswer = z.strictObject({ reset: z.number() });
