import { canonicalHost } from '../canonical/host.ts';
import { type CanonicalResult, notCanonical, onlyCanonical } from './type.ts';

/** RFC 5322 dot-atom without `!` and `%`, by which old mailers read a route to somewhere else. */
const local = /^[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*$/;

/** One bare address. The local part stays as it is (RFC 5321 §2.4); the domain is lower-case A-labels. */
export function canonicalEmail(text: string): CanonicalResult {
  const at = text.lastIndexOf('@');
  const name = text.slice(0, Math.max(0, at));
  if (at < 1 || name.length > 64 || !local.test(name)) {
    return notCanonical('an e-mail address is NAME@DOMAIN, without comment, quotes, route, group or display name');
  }
  const host = canonicalHost(text.slice(at + 1));
  if (!host.ok || host.kind !== 'name' || !host.host.includes('.')) {
    return notCanonical('the domain of the e-mail address is not canonical', host.ok ? null : host.mend);
  }
  return onlyCanonical(text, `${name}@${host.host}`, `${name}@${text.slice(at + 1).toLowerCase()}`);
}
