import type { Intent, LayerSource, View, ViewRule } from '@cordon/protocol';
import type { LiveSession } from '../sessions/live.ts';
import type { CheckedOrder } from './standing.ts';

const rulesShownMax = 8;

export interface ViewParts {
  readonly hold: string;
  readonly order: CheckedOrder;
  readonly session: LiveSession;
  readonly layers: readonly LayerSource[];
  readonly before: NonNullable<View['before']> | null;
  readonly heldAt: string;
  readonly expires: string;
}

/** Everything that a person decides about, whole; nothing in it is shortened, or is the agent's word about itself. */
export function createView({ hold, order, session, layers, before, heldAt, expires }: ViewParts): View {
  const { policy } = session;
  return {
    v: 'view/1',
    hold,
    intent: order.intent as unknown as Intent,
    payload: order.payload,
    effect: order.effect,
    undoable: order.undoable,
    flow: order.flow,
    unnamed: order.unnamed,
    code: order.code,
    rules: order.reasons.slice(0, rulesShownMax).map((id) => ruleOf(id, layers)),
    rung: order.rung,
    ...(order.groups.length === 0 ? {} : { groups: order.groups }),
    before,
    person: policy.person,
    agent: policy.agent,
    profile: policy.profile,
    sessionStartedAt: policy.startedAt,
    heldAt,
    expires,
  };
}

/** Read from the policy in force here, not from what the gateway says about it. */
function ruleOf(id: string, layers: readonly LayerSource[]): ViewRule {
  const layer = layers.find(({ policies }) => Object.hasOwn(policies, id));
  return { id, text: layer?.policies[id] ?? '' };
}

const summaryCharsMax = 256;

/** One line, in printable ASCII: it goes into terminals, logs and the messages of others. The query stays out. */
export function summaryOf({ intent }: Pick<View, 'intent'>): string {
  const method = typeof intent.args['method'] === 'string' ? `${intent.args['method']} ` : '';
  const path = typeof intent.args['path'] === 'string' ? intent.args['path'] : '';
  const origin = intent.resource.replace(/^(https:.*):443$|^(http:.*):80$/, '$1$2');
  const text = `${method}${origin}${path}`.replace(/[^\x20-\x7e]/g, '?');
  return text.length > summaryCharsMax ? `${text.slice(0, summaryCharsMax)}…` : text;
}
