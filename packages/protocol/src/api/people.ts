import * as z from 'zod/mini';

export const person = z.strictObject({
  iss: z.string().check(z.maxLength(256)),
  sub: z.string().check(z.maxLength(63)),
});

export const pinnedKey = z.strictObject({
  id: z.string().check(z.maxLength(128)),
  algorithm: z.literal('ed25519'),
  publicKey: z.string().check(z.maxLength(64)),
});

export const knownPerson = z.strictObject({ person, addedAt: z.string(), keys: z.array(pinnedKey) });
export const peopleList = z.strictObject({ people: z.array(knownPerson) });

/** A key of a new person, or one more of a known one. */
export const personRequest = z.strictObject({
  name: z.string().check(z.regex(/^[a-z_][a-z0-9_.-]{0,62}$/, 'a name of a-z, 0-9, _, - and .')),
  publicKey: z.string().check(z.maxLength(64)),
});

/** Whom the daemon takes the caller of its socket for. */
export const whoAmI = z.strictObject({ person, tenant: z.string(), keys: z.array(pinnedKey) });
