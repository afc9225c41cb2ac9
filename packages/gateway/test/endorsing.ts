import {
  canonicalize,
  type EndorsementReceipt,
  type EndorsementRecord,
  type EndorsementTaken,
  type EndorsementUse,
  endorsementReceiptType,
  endorsementType,
  type Hold,
  type RecordValue,
} from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { createSigningKey, openSigningKey, type PinnedKey, signEnvelope } from '@cordon/protocol/dsse';
import type { PlayedPeople } from './people.ts';

const person = { iss: 'local:0123456789abcdef', sub: 'ada' };
const at = (ms: number): string => new Date(Date.now() + ms).toISOString();

export interface EndorsedOptions {
  readonly destinations: readonly string[];
  readonly record?: Partial<EndorsementRecord>;
  readonly receipt?: Partial<EndorsementReceipt>;
  readonly hold?: Partial<Hold>;
  /** By whom the record is signed, if not by who is known. */
  readonly key?: string;
  readonly receiptKey?: string;
  readonly known?: PinnedKey;
}

/** What a control plane with ada's endorsement on record answers, with real signatures; a test says what is wrong in it. */
export function endorsing(people: PlayedPeople, options: EndorsedOptions): (use: EndorsementUse) => EndorsementTaken {
  const ada = createSigningKey();
  return ({ intent, attempt, session, policy, flow, rung, unnamed }) => {
    const record: Hold = {
      ...{ v: 'hold/1', id: `hld_0${'a'.repeat(25)}`, kind: 'intent', intent: `sha256:${'1'.repeat(64)}` },
      ...{ attempt: 'att_0', policy, floor: flow, rung, groups: [], nonce: 'a'.repeat(32) },
      ...{ view: `sha256:${'b'.repeat(64)}`, expires: at(900_000) },
      ...options.hold,
    };
    const held = digestRecord('hold', record as unknown as RecordValue);
    const endorsement = {
      ...{ v: 'endorsement/1', id: `end_0${'a'.repeat(25)}`, tenant: 'local', scope: { session }, hold: record.id },
      ...{ record: held, destinations: options.destinations, uses: 3, bytes: 100_000, from: at(-1000) },
      ...{ expires: at(3_600_000), person, via: 'operator-key' },
      ...options.record,
    } as unknown as RecordValue;
    const receipt = {
      ...{ v: 'endorsement-receipt/1', endorsement: `end_0${'a'.repeat(25)}`, record: held, attempt, session },
      intent: digestRecord('intent', intent as unknown as RecordValue),
      ...{ tenant: 'local', gateway: 'bot_test', named: unnamed, used: { uses: 0, bytes: 0 } },
      endorsements: [digestRecord('endorsement', endorsement)],
      people: [{ person, keys: [options.known ?? ada.pinned], groups: [] }],
      ...{ excluded: [], expires: at(60_000) },
      ...options.receipt,
    } as unknown as RecordValue;
    const by = openSigningKey(options.key ?? ada.privatePem);
    const control = openSigningKey(options.receiptKey ?? people.receiptKey.privatePem);
    return {
      record,
      endorsements: [signEnvelope(endorsementType, canonicalize(endorsement), [by])],
      receipt: signEnvelope(endorsementReceiptType, canonicalize(receipt), [control]),
    };
  };
}
