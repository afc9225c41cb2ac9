import type { Intent } from '@cordon/protocol';
import type { Flow } from '../fact/facts.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import { flowOf } from './flow.ts';
import { type Confidentiality, createLabel, type Integrity } from './label.ts';
import { LeakMeter } from './leak.ts';
import { namedByOrder } from './named.ts';
import { createContextProvenance } from './provenance.ts';
import { sinksOf } from './sink.ts';

/**
 * The flow facts that a recorded intent would have under other grants: its context as it was then, the session's leak
 * meter as if nothing had been counted. Its body is not looked at again, so what was found in it stands.
 */
export function flowAgain(
  snapshot: PolicySnapshot,
  intent: Intent,
  recorded: Flow,
  { order, ownCredential }: { readonly order: readonly string[]; readonly ownCredential: boolean },
): Flow {
  const context = createLabel({
    integrity: recorded.ctxInteg as Integrity,
    confidentiality: recorded.ctxConf as Confidentiality,
    readers: recorded.readersOk ? 'all' : [],
    sources: [],
  });
  const { flow } = flowOf({
    intent,
    body: new Uint8Array(),
    provenance: createContextProvenance(context, namedByOrder(order)),
    sinks: sinksOf(snapshot, intent),
    meter: new LeakMeter(),
    ownCredential,
  });
  return { ...flow, linksOk: recorded.linksOk };
}
