import type { Grant } from './grant.ts';
import type { Target } from './target.ts';
import type { GrantTerms } from './terms.ts';

/** A grant in one line, for a person who is about to start an agent under it. */
export function describeGrant(grant: Grant, target: Target, terms: GrantTerms): string {
  const verb = grant.deny === undefined ? 'allow' : 'deny';
  const methods = terms.methods.length === 0 ? 'every method' : terms.methods.join(', ');
  const parts = [`${verb} ${methods} ${place(grant, target)}${target.path.text}`];
  if (terms.bytes !== null) parts.push(`at most ${terms.bytes} bytes a request`);
  if (terms.rate !== null) parts.push(`at most ${terms.rate}`);
  if (grant.addresses !== undefined) parts.push(`also at ${grant.addresses.join(', ')}`);
  const sends = grant.deny === undefined && terms.methods.some((method) => method !== 'GET' && method !== 'HEAD');
  const clearance = grant.clearance ?? 'public';
  if (clearance !== 'public') parts.push(`may receive ${clearance} data`);
  else if (sends) parts.push('what is sent there leaves the sandbox');
  return parts.join('; ');
}

function place(grant: Grant, { scheme, host, wildcard, port, exact, origin }: Target): string {
  if (grant.deny !== undefined && !exact) return wildcard ? `*.${host}` : host;
  const usual = port === (scheme === 'http' ? 80 : 443);
  return usual ? origin.slice(0, origin.lastIndexOf(':')) : origin;
}
