import {
  canonicalize,
  type EndorsementRecord,
  type EndorsementScope,
  type EndorsementTerms,
  isId,
  type RecordValue,
} from '@cordon/protocol';
import { type Digest, digestRecord } from '@cordon/protocol/digest';
import { hasOnly, isBetween, isDigest, isPerson, isTime } from '../approval/record.ts';
import { parseJson } from '../json/parse.ts';
import { limits } from '../limits.ts';
import { isDestination } from './destination.ts';

const members = 'bytes destinations expires from hold id person record scope tenant uses v via'.split(' ');
const agentName = /^[\x21-\x7e]{1,64}$/;

/**
 * The bytes that a person signed, read strictly: exactly the members of endorsement/1, in canonical form, and bounded in
 * time, uses and bytes, so that none is without an end. Null for anything else.
 */
export function parseEndorsement(bytes: Uint8Array): EndorsementRecord | null {
  if (bytes.length > limits.endorsementBytesMax) return null;
  const read = parseJson(bytes, 'arguments');
  if (!read.ok || !isEndorsement(read.value)) return null;
  const given: EndorsementRecord = read.value;
  const { person, scope, destinations, ...others } = given;
  const record: EndorsementRecord = {
    ...others,
    destinations: [...destinations],
    person: { iss: person.iss, sub: person.sub },
    scope: { ...scope },
  };
  return canonicalize(record as unknown as RecordValue) === Buffer.from(bytes).toString('utf8') ? record : null;
}

export function digestEndorsement(record: EndorsementRecord): Digest {
  return digestRecord('endorsement', record as unknown as RecordValue);
}

/** What everybody signs alike. */
export function termsOf({ person: _person, via: _via, ...terms }: EndorsementRecord): EndorsementTerms {
  return terms;
}

export function digestTerms(terms: EndorsementTerms): Digest {
  return digestRecord('endorsement', terms as unknown as RecordValue);
}

function isEndorsement(value: unknown): value is EndorsementRecord {
  if (!hasOnly(value, members)) return false;
  const { v, via, id, hold, record, tenant, scope, destinations, uses, bytes, from, expires, person } = value;
  return (
    v === 'endorsement/1' &&
    via === 'operator-key' &&
    typeof id === 'string' &&
    isId('endorsement', id) &&
    typeof hold === 'string' &&
    isId('hold', hold) &&
    isDigest(record) &&
    typeof tenant === 'string' &&
    isScope(scope) &&
    areDestinations(destinations) &&
    isBetween(uses, 1, limits.endorsementUsesMax) &&
    isBetween(bytes, 1, limits.endorsementTrafficBytesMax) &&
    isTime(from) &&
    isTime(expires) &&
    isBetween(Date.parse(expires) - Date.parse(from), 1, limits.endorsementMs) &&
    isPerson(person)
  );
}

function isScope(value: unknown): value is EndorsementScope {
  if (hasOnly(value, ['session'])) return typeof value['session'] === 'string' && isId('session', value['session']);
  return hasOnly(value, ['agent']) && typeof value['agent'] === 'string' && agentName.test(value['agent']);
}

/** Sorted and each once, so that the same set has one spelling. */
function areDestinations(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > limits.endorsementDestinationsMax) return false;
  const texts = value as readonly unknown[];
  return texts.every((text, at) => {
    const before = texts[at - 1];
    return typeof text === 'string' && isDestination(text) && (typeof before !== 'string' || before < text);
  });
}
