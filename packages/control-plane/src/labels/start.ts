import { createLabel, entitiesOf, joinLabels, type Label, lostLabel, parseLabel } from '@cordon/policy';
import type { RecordValue, SessionLabels, StartOrder } from '@cordon/protocol';
import type { StoredLabel } from '@cordon/store';

/** What the owner of a workspace says of what is in it. */
export interface Declared {
  readonly trusted: boolean;
  readonly public: boolean;
}

export interface Beginning {
  readonly person: string;
  readonly order: Pick<StartOrder, 'workspace' | 'readOnly'>;
  readonly declared: Declared;
  /** The words of the person: the task, and the arguments of the command. */
  readonly words: readonly string[];
}

/** Reads what sessions have left in and around folders. */
export interface LabelsAround {
  around(this: void, folders: readonly string[]): Promise<readonly StoredLabel[]>;
}

/**
 * What a session has seen before its first byte: the order, the programs of the host, and the workspace, which is
 * anybody's and private unless its owner says otherwise. What sessions have left there is worth no more for that.
 */
export async function startLabels(
  { around }: LabelsAround,
  { person, order, declared, words }: Beginning,
): Promise<SessionLabels> {
  const { path, mode } = order.workspace;
  const parts: Label[] = [
    createLabel({ integrity: 3, confidentiality: 1, readers: [person], sources: ['order'] }),
    createLabel({ integrity: 2, confidentiality: 0, readers: 'all', sources: ['image'] }),
    createLabel({
      integrity: declared.trusted ? 2 : 0,
      confidentiality: declared.public ? 0 : 2,
      readers: declared.public ? 'all' : [person],
      sources: [`workspace:${path}`],
    }),
  ];
  for (const { label } of await around([path, ...order.readOnly])) parts.push(parseLabel(label) ?? lostLabel);
  const start = parts.reduce(joinLabels) as unknown as RecordValue;
  return { start, order: entitiesOf(words), workspace: { path, mode } };
}

/** What of it decides, for the clear part of the record; where it came from stands in the sealed order. */
export function startLevels(labels: SessionLabels | undefined): RecordValue {
  if (labels === undefined) return null;
  const { confidentiality, integrity, readers } = parseLabel(labels.start) ?? lostLabel;
  return { confidentiality, integrity, readers };
}
