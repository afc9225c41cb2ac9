import * as z from 'zod/mini';
import { limits } from '../limits.ts';

export const person = z.strictObject({
  iss: z.string().check(z.maxLength(256)),
  sub: z.string().check(z.maxLength(63)),
});

export const pinnedKey = z.strictObject({
  id: z.string().check(z.maxLength(128)),
  algorithm: z.literal('ed25519'),
  publicKey: z.string().check(z.maxLength(64)),
});

const groups = z
  .array(z.string().check(z.regex(/^[a-z_][a-z0-9_.-]{0,62}$/, 'a name of a-z, 0-9, _, - and .')))
  .check(z.maxLength(limits.personGroupsMax));

export const knownPerson = z.strictObject({ person, addedAt: z.string(), keys: z.array(pinnedKey), groups });
export const peopleList = z.strictObject({ people: z.array(knownPerson) });

/** A key of a new person, or one more of a known one. */
export const personRequest = z.strictObject({
  name: z.string().check(z.regex(/^[a-z_][a-z0-9_.-]{0,62}$/, 'a name of a-z, 0-9, _, - and .')),
  publicKey: z.string().check(z.maxLength(64)),
  /** Of a new person; of a known one these are added. */
  groups: z._default(groups, []),
});

/** All groups that somebody is in from now on. */
export const groupsRequest = z.strictObject({ groups });

/** Whom the daemon takes the caller of its socket for. */
export const whoAmI = z.strictObject({ person, tenant: z.string(), keys: z.array(pinnedKey) });
