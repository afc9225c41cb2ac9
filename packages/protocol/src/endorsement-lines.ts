import type { EndorsementTerms } from './endorsement.ts';
import { marked } from './view-lines.ts';

/** What an endorsement opens, in full, and what it leaves open; read before it is signed, as the view is. */
export function endorsementLines(terms: Omit<EndorsementTerms, 'v' | 'record' | 'tenant'>): string[] {
  const { id, scope, destinations, uses, bytes, from, expires } = terms;
  const whose = 'session' in scope ? `session ${scope['session']}` : `every session of agent ${scope['agent']}`;
  return [
    `endorsement ${marked(id)}: for ${marked(whose)} these count as named by a person:`,
    ...destinations.map((destination) => `  | ${marked(destination)}`),
    `from ${marked(from)} until ${marked(expires)}, for at most ${uses} requests and ${bytes} bytes in all`,
    'it does not bound: what is written to them, by which method, and where in a range; what waits for another reason',
    'waits on, and nothing goes where no grant leads. Secrets never go by it.',
  ];
}
