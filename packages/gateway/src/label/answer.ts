import type { Pin, TunnelPin } from '@cordon/egress';
import { createLabel, type Label, type Sink } from '@cordon/policy';

export interface Answering {
  readonly sinks: readonly Sink[];
  /** What the session has seen by now. */
  readonly context: Label;
  readonly pin: Pin | TunnelPin;
  /** A credential of the session's person went along. */
  readonly leased: boolean;
  readonly person: string;
}

/**
 * The label of everything that comes back. Bytes from outside are anybody's, unless a grant says what the place yields.
 * What a credential opened is private to its person; what a private network serves is internal.
 */
export function answerLabel({ sinks, context, pin, leased, person }: Answering): Label {
  const yields = new Set(sinks.map(({ rule }) => rule.yields));
  const sources = [pin.origin];
  if (yields.has('derived') && !yields.has('vouched')) {
    // A model says what it was told, in other words. Joined with what the session has seen, that is never better.
    const { confidentiality, readers } = context;
    return createLabel({ integrity: 1, confidentiality, readers, sources });
  }
  const integrity = yields.has('vouched') ? 2 : 0;
  if (leased) return createLabel({ integrity, confidentiality: 2, readers: [person], sources });
  const inside = !pin.override && pin.classes.some((each) => each !== 'public');
  return createLabel({ integrity, confidentiality: inside ? 1 : 0, readers: inside ? [person] : 'all', sources });
}
