import { limits } from '../limits.ts';
import { parseBase64 } from '../tree/note-key.ts';
import { hashBytes } from '../tree/tile.ts';

/** The body of tlog-witness `add-checkpoint`: from which size, why the new head contains it, and the new head. */
export interface AddCheckpoint {
  readonly oldSize: number;
  readonly proof: readonly Buffer[];
  /** A signed note. */
  readonly checkpoint: string;
}

export function encodeAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return [`old ${oldSize}`, ...proof.map((step) => step.toString('base64')), '', checkpoint].join('\n');
}

/** Null for what is none. */
export function parseAddCheckpoint(body: string): AddCheckpoint | null {
  const split = body.indexOf('\n\n');
  const [first = '', ...steps] = body.slice(0, split).split('\n');
  const [, size] = /^old (0|[1-9][0-9]{0,15})$/.exec(first) ?? [];
  const proof = steps.map(parseBase64);
  const sound = split > 0 && size !== undefined && Number.isSafeInteger(Number(size));
  if (!sound || proof.length > limits.proofStepsMax || proof.some((step) => step.length !== hashBytes)) return null;
  return { oldSize: Number(size), proof, checkpoint: body.slice(split + 2) };
}
