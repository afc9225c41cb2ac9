import {
  type Brand,
  canonicalize,
  coveredRequest,
  type PermitClaims,
  parsePermitToken,
  permitHeader,
} from '@cordon/protocol';
import { limits } from '../limits.ts';
import { type PermitKeys, sha256 } from './keys.ts';
import type { PermitMark, Standing, Taken, UsedPermits } from './used.ts';

/** One request as it was received, whole. */
export interface EffectorRequest {
  readonly method: string;
  /** Request target in origin form, as it was written (`request.url` of node:http). */
  readonly target: string;
  /** Every line, none joined or dropped; see `headerPairs`. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** Before any decoding. */
  readonly body: Uint8Array;
}

export interface EffectorOptions {
  readonly keys: PermitKeys;
  /** This effector's own name, as grants write it in `permit:`. */
  readonly audience: string;
  /** This effector's own origin, as agents address it: `https://payments.example:443`, the port always written. */
  readonly destination: string;
  readonly used: UsedPermits;
  readonly clock: { now(): number };
  /** The start of the signer that is known to be the newest, where there is a way to know; null: not known. */
  readonly boot?: (kid: string) => string | null;
  /** The newest epoch of a session that is known, where there is a way to know; null: not known. */
  readonly epoch?: (session: string) => number | null;
  /**
   * Whether the session still runs, for an effector that can ask: then a stop counts at once, for what is under way too.
   * What it throws, `verifyPermit` throws.
   */
  readonly alive?: (permit: PermitClaims) => Promise<boolean>;
  /** How durable the record of the decision must be, whatever the permit demands. Default `os`. */
  readonly tier?: 'os' | 'disk';
  /** Lower case: headers that the effector's own proxies write. They are in no permit, so nothing may be done by them. */
  readonly added?: readonly string[];
  /** Further obligations that this effector keeps, as recorded. */
  readonly obligations?: readonly string[];
}

export type PermitRefusalCode =
  | 'permit-missing'
  | 'permit-doubled'
  | 'permit-too-large'
  | 'permit-malformed'
  | 'permit-header'
  | 'permit-key-unknown'
  | 'permit-signature'
  | 'permit-audience'
  | 'permit-boot'
  | 'permit-early'
  | 'permit-expired'
  | 'permit-epoch'
  | 'permit-session'
  | 'permit-used'
  | 'permit-not-durable'
  | 'permit-obligation'
  | 'permit-destination'
  | 'permit-payload'
  | 'permit-request'
  | 'permit-store-full';

/** A permit whose every check held, marked as used. No literal makes one: what has an effect takes it as an argument. */
export type VerifiedPermit = Brand<PermitClaims, 'VerifiedPermit'>;

export type Verification =
  | { readonly ok: true; readonly permit: VerifiedPermit }
  | { readonly ok: false; readonly code: PermitRefusalCode };

/**
 * Whether this very request may be done, once. The checks stand in the order of validation.md §5 of the design; the
 * first that fails is the answer, and only the last one changes anything.
 *
 * Resolves with `ok` when the permit is marked as used on disk; from then on it is spent, whatever becomes of the
 * effect. Rejects only when the store or `alive` fails: then nothing may be done either.
 */
export async function verifyPermit(request: EffectorRequest, options: EffectorOptions): Promise<Verification> {
  const token = tokenOf(request);
  if (typeof token !== 'string') return refused(token.code);
  const read = parsePermitToken(token);
  if (!read.ok) return refused(read.code);
  const { kid, claims } = read;
  const { keys, used, clock } = options;
  if (!keys.has(kid)) return refused('permit-key-unknown');
  if (!(await keys.verify(kid, read.signature, read.signed))) return refused('permit-signature');
  const now = clock.now();
  const mark = markOf(kid, claims);
  const standing = await used.look(mark, now);
  const code =
    addressed(claims, options, kid, standing, now) ??
    ((await options.alive?.(claims)) === false ? 'permit-session' : null) ??
    (standing.used ? 'permit-used' : null) ??
    sufficient(claims, options, request.body.length) ??
    (await about(claims, request, options));
  if (code !== null) return refused(code);
  const taken = await used.take(mark, now);
  return taken === 'taken' ? { ok: true, permit: claims as VerifiedPermit } : refused(codeOf[taken]);
}

/** The headers of a message of node:http, whose `rawHeaders` are names and values in turn. */
export function headerPairs(rawHeaders: readonly string[]): Array<readonly [string, string]> {
  const pairs: Array<readonly [string, string]> = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) pairs.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);
  return pairs;
}

const codeOf: Readonly<Record<Exclude<Taken, 'taken'>, PermitRefusalCode>> = {
  used: 'permit-used',
  outlived: 'permit-boot',
  superseded: 'permit-epoch',
  full: 'permit-store-full',
};

function tokenOf({ headers }: EffectorRequest): string | { readonly code: PermitRefusalCode } {
  const named = headers.filter(([name]) => name.toLowerCase() === permitHeader.toLowerCase());
  const [only] = named;
  if (only === undefined) return { code: 'permit-missing' };
  // Two readers of one request could take two different ones.
  return named.length > 1 ? { code: 'permit-doubled' } : only[1];
}

/** For whom, by which signer, for when, and whether it is still good. */
function addressed(
  claims: PermitClaims,
  options: EffectorOptions,
  kid: string,
  standing: Standing,
  now: number,
): PermitRefusalCode | null {
  if (claims.aud !== options.audience) return 'permit-audience';
  const boot = options.boot?.(kid) ?? null;
  if (standing.outlived || (boot !== null && claims.boot !== boot)) return 'permit-boot';
  const [issued, until] = [Date.parse(claims.issued), Date.parse(claims.until)];
  if (issued > now + limits.permitSkewMsMax) return 'permit-early';
  // What lives longer would have to be remembered for longer.
  if (now >= until || until - issued > limits.permitLifeMsMax) return 'permit-expired';
  const epoch = options.epoch?.(claims.session) ?? null;
  return standing.superseded || (epoch !== null && claims.epoch !== epoch) ? 'permit-epoch' : null;
}

/** Whether what was done for it so far is enough, and whether all that is left to do is known here. */
function sufficient(claims: PermitClaims, options: EffectorOptions, bytes: number): PermitRefusalCode | null {
  const { recorded, obligations } = claims;
  const disk = options.tier === 'disk' || obligations.includes('durable:disk');
  if (disk && recorded.tier !== 'disk') return 'permit-not-durable';
  return obligations.every((text) => isKept(text, options, bytes)) ? null : 'permit-obligation';
}

function isKept(text: string, { obligations = [] }: EffectorOptions, bytes: number): boolean {
  if (text === 'durable:disk' || obligations.includes(text)) return true;
  const most = /^bytes:(0|[1-9][0-9]{0,14})$/.exec(text);
  return most !== null && bytes <= Number(most[1]);
}

/** Whether it speaks of this place and of these very bytes. */
async function about(
  claims: PermitClaims,
  { method, target, headers, body }: EffectorRequest,
  { destination, added = [] }: EffectorOptions,
): Promise<PermitRefusalCode | null> {
  if (claims.destination !== destination) return 'permit-destination';
  const payload = { sha256: await sha256(body, 'hex'), bytes: body.length };
  if (claims.payload.sha256 !== payload.sha256 || claims.payload.bytes !== payload.bytes) return 'permit-payload';
  const { credentials } = claims;
  // A credential is in no digest, so there must be exactly the one that was put in.
  const lines = (name: string): number => headers.filter(([each]) => each.toLowerCase() === name).length;
  if (credentials.some((name) => lines(name) !== 1)) return 'permit-request';
  const parts = { method, destination, target, headers, payload, credentials };
  const record = coveredRequest(parts, new Set(added));
  const digest = `sha256:${await sha256(`cordon/request/1\n${canonicalize(record)}`, 'hex')}`;
  return digest === claims.request ? null : 'permit-request';
}

function markOf(kid: string, { id, boot, session, epoch, issued, until }: PermitClaims): PermitMark {
  return { id, kid, boot, session, epoch, issuedMs: Date.parse(issued), untilMs: Date.parse(until) };
}

function refused(code: PermitRefusalCode): Verification {
  return { ok: false, code };
}
