import {
  type ApprovalRecord,
  canonicalize,
  type Person,
  type PolicyName,
  personName,
  type RecordValue,
} from '@cordon/protocol';
import { type Digest, digestRecord } from '@cordon/protocol/digest';
import { parseJson } from '../json/parse.ts';
import { limits } from '../limits.ts';

const digest = /^sha256:[0-9a-f]{64}$/;
const hold = /^hld_[0-7][0-9a-hjkmnp-tv-z]{25}$/;
const nonce = /^[0-9a-f]{32}$/;
const issuer = /^[\x21-\x7e]{1,256}$/;
const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/**
 * The bytes that a person signed, read strictly: exactly the members of approval/1, in canonical form, so that no two
 * texts are one answer. Null for anything else.
 */
export function parseApproval(bytes: Uint8Array): ApprovalRecord | null {
  if (bytes.length > limits.approvalBytesMax) return null;
  const read = parseJson(bytes, 'arguments');
  if (!read.ok || !isApproval(read.value)) return null;
  const { v, hold: id, intent, policy, nonce: once, view, verdict, person, via, uses, expires } = read.value;
  const { generation, revision, digest: named, engine } = policy;
  const record: ApprovalRecord = {
    v,
    hold: id,
    intent,
    policy: { generation, revision, digest: named, engine },
    nonce: once,
    view,
    verdict,
    person: { iss: person.iss, sub: person.sub },
    via,
    uses,
    expires,
  };
  return canonicalize(record as unknown as RecordValue) === Buffer.from(bytes).toString('utf8') ? record : null;
}

export function digestApproval(record: ApprovalRecord): Digest {
  return digestRecord('approval', record as unknown as RecordValue);
}

function isApproval(value: unknown): value is ApprovalRecord {
  const members = 'expires hold intent nonce person policy uses v verdict via view';
  if (!hasOnly(value, members.split(' '))) return false;
  return (
    value['v'] === 'approval/1' &&
    (value['verdict'] === 'approve' || value['verdict'] === 'deny') &&
    // What a browser would sign is not read here, so it cannot be claimed either.
    value['via'] === 'operator-key' &&
    matches(value['hold'], hold) &&
    matches(value['intent'], digest) &&
    matches(value['nonce'], nonce) &&
    matches(value['view'], digest) &&
    matches(value['expires'], time) &&
    isBetween(value['uses'], 1, limits.approvalUsesMax) &&
    isPolicyName(value['policy']) &&
    isPerson(value['person'])
  );
}

function isPolicyName(value: unknown): value is PolicyName {
  return (
    hasOnly(value, ['digest', 'engine', 'generation', 'revision']) &&
    isBetween(value['generation'], 0, Number.MAX_SAFE_INTEGER) &&
    isBetween(value['revision'], 0, Number.MAX_SAFE_INTEGER) &&
    matches(value['digest'], digest) &&
    matches(value['engine'], digest)
  );
}

export function isPerson(value: unknown): value is Person {
  return hasOnly(value, ['iss', 'sub']) && matches(value['iss'], issuer) && matches(value['sub'], personName);
}

export function isDigest(value: unknown): value is string {
  return matches(value, digest);
}

/** RFC 3339 in UTC with milliseconds. */
export function isTime(value: unknown): value is string {
  return matches(value, time) && !Number.isNaN(Date.parse(value));
}

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

export function isBetween(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}

export function hasOnly(value: unknown, names: readonly string[]): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length === names.length && names.every((name) => Object.hasOwn(value, name));
}
