import {
  type ApprovalReceipt,
  type ApprovalRecord,
  approvalType,
  CordonError,
  canonicalize,
  type EndorsementTaken,
  type EndorsementUse,
  type Hold,
  type HoldNews,
  type HoldOrder,
  type HoldTaken,
  type HoldUse,
  type RecordValue,
  receiptType,
} from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { createSigningKey, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';

const person = { iss: 'local:0123456789abcdef', sub: 'ada' };
const later = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** The control plane's side of holds, with real signatures; a test says what goes wrong. */
export class PlayedPeople {
  readonly receiptKey = createSigningKey();
  readonly adaKey = createSigningKey();
  readonly orders: HoldOrder[] = [];
  readonly uses: HoldUse[] = [];
  readonly holds = new Map<string, { record: Hold; order: HoldOrder; state: HoldNews['state']; reason: string }>();
  /** How often an approved hold may be used. */
  usesLeft = 1;
  failOpen: string | null = null;
  adaGroups: readonly string[] = [];
  change: { receipt?: Partial<ApprovalReceipt>; approval?: Partial<ApprovalRecord>; signWith?: string } = {};
  /** While set, a question waits for it. */
  openGate: Promise<void> | null = null;
  /** While set, a use waits for it. */
  gate: Promise<void> | null = null;

  get pinned() {
    return this.receiptKey.pinned;
  }

  async open(order: HoldOrder): Promise<HoldNews> {
    await this.openGate;
    if (this.failOpen !== null) throw new CordonError(this.failOpen, 'no');
    this.orders.push(order);
    const intent = digestRecord('intent', order.intent as unknown as RecordValue);
    const known = [...this.holds.values()].find(({ record }) => record.intent === intent);
    if (known !== undefined) return this.newsOf(known.record.id);
    const id = `hld_0${String(this.holds.size).padStart(25, '0')}`;
    const record: Hold = {
      ...{ v: 'hold/1', id, kind: 'intent', intent, attempt: order.attempt, policy: order.policy },
      ...{ floor: order.flow, rung: order.rung, groups: order.groups, nonce: 'a'.repeat(32) },
      ...{ view: `sha256:${'b'.repeat(64)}`, expires: later(900_000) },
    };
    this.holds.set(id, { record, order, state: 'open', reason: '' });
    return this.newsOf(id);
  }

  newsOf(id: string): HoldNews {
    const hold = this.holds.get(id);
    if (hold === undefined) throw new TypeError(id);
    const { record, order, state, reason } = hold;
    return { hold: id, session: order.session, intent: record.intent, state, reason, expires: record.expires };
  }

  /** By whom the names of a request are endorsed; null: by nobody. */
  endorsedBy: ((use: EndorsementUse) => EndorsementTaken | null) | null = null;
  readonly endorsementUses: EndorsementUse[] = [];

  endorse(use: EndorsementUse): EndorsementTaken | null {
    this.endorsementUses.push(use);
    return this.endorsedBy?.(use) ?? null;
  }

  async use(use: HoldUse): Promise<HoldTaken> {
    this.uses.push(use);
    await this.gate;
    const hold = this.holds.get(use.hold);
    if (hold === undefined || hold.state !== 'approved' || this.usesLeft < 1)
      throw new CordonError('hold-settled', 'over');
    this.usesLeft -= 1;
    const { record } = hold;
    const { id, intent, policy, nonce, view, expires } = record;
    const answer = {
      ...{ v: 'approval/1', hold: id, intent, policy, nonce, view, verdict: 'approve' },
      ...{ person, via: 'operator-key', uses: 1, expires },
      ...this.change.approval,
    } as unknown as RecordValue;
    const receipt = {
      ...{ v: 'receipt/1', hold: id, intent, attempt: use.attempt, tenant: 'local', session: use.session },
      ...{ gateway: 'bot_test', use: 1, record: digestRecord('hold', record as unknown as RecordValue) },
      ...{
        approvals: [digestRecord('approval', answer)],
        people: [{ person, keys: [this.adaKey.pinned], groups: this.adaGroups }],
      },
      ...{ excluded: [], expires: later(60_000) },
      ...this.change.receipt,
    } as unknown as RecordValue;
    return {
      record,
      approvals: [signEnvelope(approvalType, canonicalize(answer), [openSigningKey(this.adaKey.privatePem)])],
      receipt: signEnvelope(receiptType, canonicalize(receipt), [
        openSigningKey(this.change.signWith ?? this.receiptKey.privatePem),
      ]),
    };
  }
}
