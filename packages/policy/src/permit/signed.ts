import { type Brand, canonicalize, coveredRequest, type PermitOrder, parsePermitToken } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { PolicyError } from '../error.ts';
import type { Permit } from './permit.ts';

/** A permit in the form that leaves the host, for the very request of its own permit; no text is one. */
export type SignedPermit = Brand<SignedPermitBody, 'SignedPermit'>;

interface SignedPermitBody {
  readonly permit: Permit;
  /** Compact JWS, as it goes into the header. */
  readonly token: string;
}

/** A question to the signer, made from a permit and from nothing else. */
export type SigningOrder = Brand<{ readonly permit: Permit; readonly claims: PermitOrder }, 'SigningOrder'>;

/** How the request of a permit will stand on the wire, as far as the intent does not say it in so many words. */
export interface RequestOnWire {
  readonly target: string;
  /** Lower case: headers into which a credential is put on the way out. */
  readonly credentials: readonly string[];
}

/** What the gateway keeps by itself before anything leaves; an effector need not know of it. */
const keptHere = ['lease:', 'life:', 'permit:', 'rate:'];

/**
 * The order for a signed form of this permit, addressed to the effector that its grant names. Everything in it comes
 * from what was decided and recorded, so whoever has no permit can ask for nothing.
 * @throws PolicyError `permit-unaddressed` when no grant names an effector
 */
export function createSigningOrder(permit: Permit, { target, credentials }: RequestOnWire): SigningOrder {
  const { audience } = permit.obligations;
  if (audience === null) throw new PolicyError('permit-unaddressed', 'the grant names no effector');
  const { method, headers } = permit.intent.args as { method: string; headers: [string, string][] };
  const { destination } = permit;
  const payload = { sha256: permit.payload.sha256, bytes: permit.payload.bytes };
  const named = [...new Set(credentials)].sort();
  const request = coveredRequest({ method, destination, target, headers, payload, credentials: named });
  const claims: PermitOrder = {
    aud: audience,
    session: permit.session,
    attempt: permit.attempt,
    intent: permit.intentDigest,
    decision: permit.decision,
    recorded: permit.recorded,
    generation: permit.generation,
    revision: permit.revision,
    destination,
    payload,
    request: digestRecord('request', request),
    credentials: named,
    obligations: permit.duties.filter((text) => !keptHere.some((prefix) => text.startsWith(prefix))),
  };
  return Object.freeze({ permit, claims }) as SigningOrder;
}

/**
 * What the signer answered. It is our own, yet its answer goes out under this permit: a token for another attempt or
 * another request is not passed on.
 * @throws PolicyError `permit-mismatch`
 */
export function acceptSigned({ permit, claims }: SigningOrder, token: string): SignedPermit {
  const read = parsePermitToken(token);
  if (!read.ok || canonicalOrder(read.claims) !== canonicalOrder(claims)) {
    throw new PolicyError('permit-mismatch', 'the signer answered with a permit for something else');
  }
  return Object.freeze({ permit, token }) as SignedPermit;
}

/** Of a permit: only what the order said. */
function canonicalOrder(claims: PermitOrder): string {
  const { aud, session, attempt, intent, decision, recorded, generation, revision } = claims;
  const { destination, payload, request, credentials, obligations } = claims;
  const { writer, wseq, tier } = recorded;
  const { sha256, bytes } = payload;
  return canonicalize({
    ...{
      aud,
      session,
      attempt,
      intent,
      decision,
      generation,
      revision,
      destination,
      request,
      credentials,
      obligations,
    },
    recorded: { writer, wseq, tier },
    payload: { sha256, bytes },
  });
}
