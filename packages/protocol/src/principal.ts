/**
 * Who acts: a session of an agent, for a person, in a tenant. Known from the socket that the bytes came on (I7),
 * never from the bytes. Identity's tokens will prove the same record to outsiders.
 */
export interface Principal {
  readonly tenant: string;
  readonly session: string;
  readonly agent: string;
  readonly person: string;
  /** Digest of the verified delegation chain, person first. */
  readonly chain: string;
}
