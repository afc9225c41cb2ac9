import { canonicalOrigin } from '@cordon/policy';
import type { Draft, DraftEffect } from './draft.ts';

/** What a person should look at twice before taking a grant over. */
export function warningsOf(draft: Draft, effect: DraftEffect, knownHost: boolean): string[] {
  const { allow, methods, addresses } = draft;
  const writing =
    methods?.filter((method) => !['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(method)).join(', ') ?? 'this';
  const intent = draft.requests[0]?.intent;
  const origin = intent == null ? null : canonicalOrigin(intent.resource.replace(/^(tcp|tls):/, 'https:'));
  const warnings: string[] = [];
  if (effect === 'destroy') warnings.push('DELETE can destroy what is on the server');
  if (writing !== '' && !knownHost) {
    warnings.push(`${writing} sends data to this host, and the session was allowed nothing there before`);
  }
  if (allow.startsWith('http:') || allow.startsWith('ws:'))
    warnings.push('not encrypted: whoever is on the way reads and changes it');
  if (allow.startsWith('tcp:')) warnings.push('a raw connection: nothing of what it carries is seen or decided');
  if (allow.startsWith('tls:')) warnings.push('an opaque connection: nothing of what it carries is seen or decided');
  if (addresses !== null) warnings.push('a private address: something in your own network');
  else if (origin?.ok === true && origin.kind !== 'name') warnings.push('an address, not a name');
  if (origin?.ok === true && /(^|\.)xn--/.test(origin.host)) {
    warnings.push('a name in punycode, which may look like another one: read it letter by letter');
  }
  if (allow.includes('\\*'))
    warnings.push('the agent wrote a star into the path; escaped here, it means that character');
  return warnings;
}
