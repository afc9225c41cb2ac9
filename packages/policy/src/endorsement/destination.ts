import type { Intent } from '@cordon/protocol';
import { accountOf, sharedHostOf } from '../catalogue/account.ts';
import { criticalTypes } from '../critical/type.ts';
import { parseTarget } from '../grant/target.ts';
import { coversPath, hostOf, isWritten, segmentsOf } from '../label/sink.ts';
import { limits } from '../limits.ts';

const kinds: ReadonlySet<string> = new Set(['account', 'target', 'destination', 'range', ...criticalTypes]);

/** A name as endorsements write it, or a range in its one spelling. What it names may not exist; it may not be two. */
export function isDestination(text: string): boolean {
  const space = text.indexOf(' ');
  const value = text.slice(space + 1);
  if (space < 1 || value === '' || !text.isWellFormed() || text.length > limits.endorsementDestinationCharsMax) {
    return false;
  }
  const kind = text.slice(0, space);
  return kind === 'range' ? rangeText(value) === text : kinds.has(kind);
}

/**
 * `https://api.github.com/repos/acme/**`, as a person writes it → a destination; null where it is no range: one host,
 * at least one segment written out, so that it never is a whole host on which others have a place too.
 */
export function rangeText(text: string): string | null {
  const target = parseTarget(text, 'allow');
  if (!target.ok || target.kind !== 'request' || target.wildcard) return null;
  const { origin, path } = target;
  return isWritten(path.segments, 1) ? `range ${origin}${path.text}` : null;
}

/** Whether one of them names this for a request like that. A range never names what a DELETE would destroy. */
export function isNamedBy(destinations: readonly string[], name: string, intent: Intent): boolean {
  return destinations.some((each) => each === name || isInRange(each, name, intent));
}

function isInRange(destination: string, name: string, intent: Intent): boolean {
  if (!destination.startsWith('range ')) return false;
  const range = parseTarget(destination.slice('range '.length), 'allow');
  const segments = segmentsOf(intent);
  if (!range.ok || range.origin !== intent.resource || !coversPath(range, segments)) return false;
  if (name === `destination ${range.origin}`) return true;
  const host = hostOf(intent);
  const shared = host === null ? null : sharedHostOf(host);
  const account = shared === null ? null : accountOf(shared, segments);
  if (account?.kind !== 'named' || name !== `account ${account.service}/${account.name}`) return false;
  return isWritten(range.path.segments, account.segments);
}
