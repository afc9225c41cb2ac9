import type { DurabilityTier } from '../entry.ts';

/**
 * The body of a permit that leaves the host (validation.md §5 of the design): one allowed and recorded request, for one
 * effector, once. Times are RFC 3339 in UTC with milliseconds, digests `sha256:<64 hex>`.
 */
export interface PermitClaims {
  readonly v: 'permit/1';
  /** `prm_` and the attempt's own number: however often one attempt is signed, it is used once. */
  readonly id: string;
  /** The effector, by the name that the grant gives it. */
  readonly aud: string;
  /** The start of the signer: sessions, and so permits, do not outlive it. */
  readonly boot: string;
  readonly tenant: string;
  readonly session: string;
  readonly attempt: string;
  readonly intent: string;
  readonly decision: string;
  readonly recorded: PermitRecord;
  readonly generation: number;
  readonly revision: number;
  /** How many stops and lifts the session had seen when this was signed. */
  readonly epoch: number;
  readonly issued: string;
  readonly until: string;
  /** `scheme://host:port`, as it was decided. */
  readonly destination: string;
  readonly payload: PermitPayload;
  /** Digest of the request's record, see `coveredRequest`. */
  readonly request: string;
  /** Headers whose value is a credential that was put in on the way out; lower case, sorted. */
  readonly credentials: readonly string[];
  /** What is left for the effector to keep, as the decision records it; sorted. */
  readonly obligations: readonly string[];
}

export interface PermitRecord {
  readonly writer: string;
  readonly wseq: number;
  readonly tier: DurabilityTier;
}

export interface PermitPayload {
  readonly sha256: string;
  readonly bytes: number;
}

/** What a gateway says when it asks for one. The signer adds the rest and believes none of this about the session. */
export type PermitOrder = Omit<PermitClaims, 'v' | 'id' | 'boot' | 'tenant' | 'epoch' | 'issued' | 'until'>;

type Check = (value: unknown) => boolean;

const text =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const count: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const list =
  (pattern: RegExp, most: number): Check =>
  (value) =>
    Array.isArray(value) &&
    value.length <= most &&
    value.every((each, i) => text(pattern)(each) && (i === 0 || String(value[i - 1]) < String(each)));
const members =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const names = Object.keys(value);
    return (
      names.length === Object.keys(checks).length &&
      names.every((name) => Object.hasOwn(checks, name) && checks[name]?.((value as Record<string, unknown>)[name]))
    );
  };

const id = /^[a-z]{3}_[0-9a-z]{26}$/;
const digest = /^sha256:[0-9a-f]{64}$/;
const time: Check = (value) =>
  text(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)(value) && !Number.isNaN(Date.parse(String(value)));

/** The name of an effector, as it stands in a grant. */
export const audiencePattern = /^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/;

const ordered: Readonly<Record<string, Check>> = {
  aud: text(audiencePattern),
  session: text(id),
  attempt: text(id),
  intent: text(digest),
  decision: text(digest),
  recorded: members({
    writer: text(/^[A-Za-z0-9._/-]{1,64}$/),
    wseq: count,
    tier: (value) => value === 'os' || value === 'disk',
  }),
  generation: count,
  revision: count,
  destination: text(/^https?:\/\/[\x21-\x7e]{1,262}$/),
  payload: members({ sha256: text(/^[0-9a-f]{64}$/), bytes: count }),
  request: text(digest),
  credentials: list(/^[!#$%&'*+.^_`|~0-9a-z-]{1,64}$/, 8),
  obligations: list(/^[\x20-\x7e]{1,256}$/, 16),
};
const isOrder = members(ordered);
const isClaims = members({
  ...ordered,
  v: (value) => value === 'permit/1',
  id: text(/^prm_[0-9a-z]{26}$/),
  boot: text(id),
  tenant: text(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
  epoch: count,
  issued: time,
  until: time,
});

/** Exactly the members of the form, each of its own shape; null for anything else. */
export function parsePermitOrder(value: unknown): PermitOrder | null {
  return isOrder(value) ? (value as PermitOrder) : null;
}

/** The same for the body of a permit. */
export function parsePermitClaims(value: unknown): PermitClaims | null {
  return isClaims(value) ? (value as PermitClaims) : null;
}
