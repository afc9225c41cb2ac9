import type { Grant } from './grant.ts';
import type { Target } from './target.ts';
import type { GrantTerms } from './terms.ts';

/** A grant in one line, for a person who is about to start an agent under it. */
export function describeGrant(grant: Grant, target: Target, terms: GrantTerms): string {
  const verb = grant.deny === undefined ? 'allow' : 'deny';
  const parts = [`${verb} ${what(grant, target, terms)}`];
  const allowed = grant.deny === undefined;
  if (allowed && target.kind === 'tunnel') parts.push('what goes through it is not decided, only counted');
  if (allowed && (target.kind === 'websocket' || grant.websocket === true)) {
    parts.push('each message both ways is decided and recorded');
  }
  if (terms.bytes !== null) parts.push(`at most ${terms.bytes} bytes ${per(grant, target)}`);
  if (terms.rate !== null) parts.push(`at most ${terms.rate}`);
  if (terms.permit !== null) parts.push(`each with a signed permit for ${terms.permit}`);
  const from = terms.approvers.length === 0 ? '' : ` of ${terms.approvers.join(' or ')}`;
  if (terms.approval === 1) parts.push(`waits until a person${from} agrees`);
  if (terms.approval > 1) parts.push(`waits until ${terms.approval} people${from} agree`);
  if (terms.life !== null) parts.push(`for at most ${terms.life} each`);
  if (grant.addresses !== undefined) parts.push(`also at ${grant.addresses.join(', ')}`);
  const twoWay = target.kind !== 'request' || grant.websocket === true;
  const sends = allowed && (twoWay || terms.methods.some((method) => method !== 'GET' && method !== 'HEAD'));
  const clearance = grant.clearance ?? 'public';
  if (clearance !== 'public') parts.push(`may receive ${clearance} data`);
  else if (sends) parts.push('what is sent there leaves the sandbox');
  return parts.join('; ');
}

function what(grant: Grant, target: Target, terms: GrantTerms): string {
  if (target.kind === 'tunnel') {
    return `${target.scheme === 'tcp' ? 'raw TCP to' : 'opaque TLS to'} ${place(grant, target)}`;
  }
  const where = `${place(grant, target)}${target.path.text}`;
  if (target.kind === 'websocket') return `WebSocket ${where}`;
  const methods = terms.methods.length === 0 ? 'every method' : terms.methods.join(', ');
  return `${methods}${grant.websocket === true ? ' and WebSocket' : ''} ${where}`;
}

function per(grant: Grant, { kind }: Target): string {
  if (kind === 'tunnel') return 'a connection, both ways';
  if (kind === 'websocket') return 'a message';
  return grant.websocket === true ? 'a request or message' : 'a request';
}

function place(grant: Grant, { kind, scheme, host, wildcard, port, exact, origin }: Target): string {
  if (grant.deny !== undefined && !exact) return wildcard ? `*.${host}` : host;
  if (kind === 'tunnel') return origin.slice(origin.indexOf('://') + 3);
  const usual = port === (scheme === 'http' ? 80 : 443);
  return usual ? origin.slice(0, origin.lastIndexOf(':')) : origin;
}
