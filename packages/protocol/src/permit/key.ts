/** The public half of a host's key for permits, as a JWK (RFC 7517) that effectors are given. */
export interface PermitPublicKey {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  /** The key's thumbprint (RFC 7638). */
  readonly kid: string;
  readonly alg: 'ES256';
  readonly use: 'sig';
}
