import { assertNever, type CriticalType } from '@cordon/protocol';
import type { Json } from '../json/value.ts';
import { limits } from '../limits.ts';
import { canonicalEmail } from './email.ts';
import { canonicalId } from './id.ts';
import { canonicalIban, canonicalMoney, canonicalPhone } from './number.ts';
import { canonicalFilePath, canonicalOriginValue, canonicalPlace } from './place.ts';
import { type CanonicalResult, notCanonical } from './type.ts';

/** The one reading of a critical argument, or why it has none. */
export function canonicalValue(type: CriticalType, value: Json): CanonicalResult {
  const read = readValue(type, value);
  if (read.ok && read.value.length > limits.criticalCharsMax) {
    return notCanonical(`a critical argument has at most ${limits.criticalCharsMax} characters`);
  }
  return read;
}

function readValue(type: CriticalType, value: Json): CanonicalResult {
  if (type === 'money') return canonicalMoney(value);
  if (type === 'argv') return canonicalArgv(value);
  if (typeof value !== 'string') return notCanonical(`${type} is a text`);
  if (value.length > limits.criticalCharsMax) {
    return notCanonical(`a critical argument has at most ${limits.criticalCharsMax} characters`);
  }
  switch (type) {
    case 'url':
      return canonicalPlace(value);
    case 'origin':
      return canonicalOriginValue(value);
    case 'email':
      return canonicalEmail(value);
    case 'path':
      return canonicalFilePath(value);
    case 'iban':
      return canonicalIban(value);
    case 'phone':
      return canonicalPhone(value);
    case 'id':
      return canonicalId(value);
    default:
      return assertNever(type, 'critical type');
  }
}

/** A shell line where an array is expected has as many readings as there are shells. */
function canonicalArgv(value: Json): CanonicalResult {
  if (!Array.isArray(value) || value.length === 0) return notCanonical('argv is an array of texts, not a shell line');
  const words = value as readonly Json[];
  const plain = words.every((word) => typeof word === 'string' && !word.includes('\0') && word.isWellFormed());
  return plain ? { ok: true, value: JSON.stringify(words) } : notCanonical('argv is an array of texts without NUL');
}
