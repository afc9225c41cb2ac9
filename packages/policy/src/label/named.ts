import { canonicalOrigin } from '../canonical/origin.ts';
import { canonicalUrl } from '../canonical/url.ts';
import { accountOf, sharedHostOf } from '../catalogue/account.ts';
import { canonicalEmail } from '../critical/email.ts';
import { limits } from '../limits.ts';
import type { Integrity } from './label.ts';
import type { NamedEntities, TypedEntity } from './provenance.ts';

/** An entity as one text, so that a list of them can be recorded and sent: `email boss@acme.example`. */
export type EntityText = string;

export function entityText({ type, value }: TypedEntity): EntityText {
  return `${type} ${value}`;
}

/** What a person's order named, and nothing else: 3. */
export function namedByOrder(order: readonly EntityText[]): NamedEntities {
  const named = new Set(order);
  return { integrityOf: (entity): Integrity => (named.has(entityText(entity)) ? 3 : 0) };
}

/**
 * Entities(order): the addresses, hosts, accounts and e-mail addresses that a person wrote, word by word. A word is
 * parsed as a whole; what is only part of one names nothing.
 */
export function entitiesOf(texts: readonly string[]): readonly EntityText[] {
  const found = new Set<EntityText>();
  for (const word of texts.flatMap((text) => text.slice(0, limits.orderCharsMax).split(/[\s"'`<>()[\]{},;|]+/))) {
    if (found.size >= limits.orderEntitiesMax) break;
    for (const entity of entitiesIn(word.replace(/[.:!?]+$/, ''))) found.add(entityText(entity));
  }
  return [...found].sort().slice(0, limits.orderEntitiesMax);
}

function entitiesIn(word: string): readonly TypedEntity[] {
  if (word.includes('@') && !word.includes('/')) {
    const email = canonicalEmail(word);
    return email.ok ? [{ type: 'email', value: email.value }] : [];
  }
  // A bare name is one only with a path or nothing else; `file.ts` is no host that anybody meant, and no grant names it.
  const url = canonicalUrl(/^https?:\/\//i.test(word) ? word.replace(/#.*$/, '') : `https://${word}`);
  if (!url.ok || url.kind !== 'name' || !url.host.includes('.')) return [];
  const origin = canonicalOrigin(url.origin);
  if (!origin.ok) return [];
  const shared = sharedHostOf(origin.host);
  const account = shared === null ? null : accountOf(shared, url.path.slice(1).split('/'));
  const target = { type: 'url', value: `${origin.origin}${url.path}` };
  const named = { type: 'origin', value: origin.origin };
  return account?.kind === 'named'
    ? [named, target, { type: 'account', value: `${account.service}/${account.name}` }]
    : [named, target];
}
