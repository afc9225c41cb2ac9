import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type Entry, isCordonError } from '@cordon/protocol';
import { isCanonical, parseEntry } from '../entry.ts';
import { ledgerError } from '../error.ts';
import { hashLeaf, toLeafText } from '../leaf.ts';
import { limits } from '../limits.ts';
import { checkCosignature } from '../witness/cosignature.ts';
import type { WitnessPolicy } from '../witness/policy.ts';
import { openCheckpoint } from './checkpoint.ts';
import { toLoggedHead } from './logged-head.ts';
import { checkInclusion } from './merkle.ts';
import { parseVerifierKey, splitNote } from './note.ts';
import { parseBase64 } from './note-key.ts';
import { receiptDictionary } from './receipt-dictionary.ts';
import { hashBytes } from './tile.ts';

/**
 * A C2SP tlog-proof: one entry of the ledger, for somebody who has the log's public key and nothing else. Its `extra` is
 * the entry (deflate, RFC 1951, with {@link receiptDictionary}); that is trusted only because its leaf is what the path leads from.
 */
const magic = 'c2sp.org/tlog-proof@v1';

export interface Receipt {
  /** The entry as it was hashed. */
  readonly entry: Uint8Array;
  readonly index: number;
  readonly path: readonly Uint8Array[];
  readonly checkpoint: string;
}

export function encodeReceipt({ entry, index, path, checkpoint }: Receipt): string {
  const extra = deflateRawSync(entry, { level: 9, dictionary: receiptDictionary }).toString('base64');
  const steps = path.map((step) => Buffer.from(step).toString('base64'));
  return [magic, `extra ${extra}`, `index ${index}`, ...steps, '', checkpoint].join('\n');
}

/** @throws CordonError `ledger-proof` */
export function parseReceipt(text: string): Receipt {
  const split = text.indexOf('\n\n');
  const [first, extra = '', index = '', ...steps] = text.slice(0, split).split('\n');
  const [, packed] = /^extra ([A-Za-z0-9+/]+=*)$/.exec(extra) ?? [];
  const [, number] = /^index (0|[1-9][0-9]{0,15})$/.exec(index) ?? [];
  const path = steps.map(parseBase64);
  const sound = split > 0 && first === magic && packed !== undefined && number !== undefined;
  if (!sound || path.length > limits.proofStepsMax || path.some((step) => step.length !== hashBytes)) {
    throw ledgerError('ledger-proof', `this is no proof (${magic}) of an entry`);
  }
  return { entry: unpack(packed), index: Number(number), path, checkpoint: text.slice(split + 2) };
}

export type ReceiptVerdict =
  | {
      readonly ok: true;
      readonly entry: Entry;
      readonly index: number;
      readonly leaf: string;
      readonly size: number;
      /** Who cosigned the head, and when, in seconds since 1970. */
      readonly witnesses: readonly { readonly name: string; readonly seconds: number }[];
      /** A quorum of the reader's policy; false also when the reader gave none. */
      readonly witnessed: boolean;
    }
  | { readonly ok: false; readonly why: string };

/** Whether the receipt's entry is in the log of `verifierKey`, under a head that enough witnesses of `policy` saw. */
export function verifyReceipt(text: string, verifierKey: string, policy: WitnessPolicy | null): ReceiptVerdict {
  try {
    const receipt = parseReceipt(text);
    const bytes = Buffer.from(receipt.entry);
    const checkpoint = openCheckpoint(receipt.checkpoint, parseVerifierKey(verifierKey));
    const leaf = hashLeaf(bytes);
    const path = receipt.path.map((step) => Buffer.from(step));
    if (!checkInclusion(leaf, receipt.index, checkpoint.size, path, checkpoint.root)) {
      return { ok: false, why: 'the path does not lead from this entry to the root of the checkpoint' };
    }
    const entry = parseEntry(bytes);
    if (entry === null || !isCanonical(entry, bytes)) return { ok: false, why: 'the leaf is no entry of a ledger' };
    const witnesses = witnessesOf(receipt.checkpoint, policy);
    const witnessed = policy?.satisfied(new Set(witnesses.map(({ name }) => name))) ?? false;
    if (policy !== null && !witnessed) return { ok: false, why: 'too few of the witnesses cosigned its checkpoint' };
    return {
      ok: true,
      entry,
      index: receipt.index,
      leaf: toLeafText(leaf),
      size: checkpoint.size,
      witnesses,
      witnessed,
    };
  } catch (error) {
    if (!isCordonError(error)) throw error;
    return { ok: false, why: error.message };
  }
}

/**
 * As {@link verifyReceipt}, for witnesses that follow the infrastructure's tree alone: the second receipt proves that this
 * tree has logged the very head that the first one stands under.
 */
export function verifyReceiptThrough(
  { entry, head }: { readonly entry: string; readonly head: string },
  keys: { readonly log: string; readonly infrastructure: string },
  policy: WitnessPolicy | null,
): ReceiptVerdict {
  const proved = verifyReceipt(entry, keys.log, null);
  if (!proved.ok) return proved;
  const logged = verifyReceipt(head, keys.infrastructure, policy);
  if (!logged.ok) return { ok: false, why: `the proof of the head: ${logged.why}` };
  const { origin, size, root } = openCheckpoint(parseReceipt(entry).checkpoint, parseVerifierKey(keys.log));
  const said = toLoggedHead(logged.entry);
  if (said === null || said.log !== origin || said.size !== size || said.root !== toLeafText(root)) {
    return { ok: false, why: 'the second proof is not of the head that the first one stands under' };
  }
  return { ...proved, witnesses: logged.witnesses, witnessed: logged.witnessed };
}

function witnessesOf(note: string, policy: WitnessPolicy | null): { name: string; seconds: number }[] {
  const { text, lines } = splitNote(note);
  return (policy?.witnesses ?? []).flatMap(({ name, verifier }) => {
    const seconds = checkCosignature(text, lines, verifier);
    return seconds === null ? [] : [{ name, seconds }];
  });
}

/** Bounded, because a few bytes can unpack to very many. @throws CordonError `ledger-proof` */
function unpack(packed: string): Buffer {
  try {
    return inflateRawSync(parseBase64(packed), {
      maxOutputLength: limits.entryBytesMax,
      dictionary: receiptDictionary,
    });
  } catch (cause) {
    throw ledgerError('ledger-proof', 'what the proof carries is no entry', cause);
  }
}
