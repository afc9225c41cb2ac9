import * as z from 'zod/mini';

const coordinate = z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/));

/** By which effectors know this host's permits: a JWK (RFC 7517), named by its thumbprint (RFC 7638). */
export const permitKey = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: coordinate,
  y: coordinate,
  kid: coordinate,
  alg: z.literal('ES256'),
  use: z.literal('sig'),
});

export type PermitKey = z.infer<typeof permitKey>;

/** A JWK set (RFC 7517 §5). */
export const permitKeys = z.strictObject({ keys: z.array(permitKey) });
