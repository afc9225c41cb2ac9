import { readFileSync, writeFileSync } from 'node:fs';
import type { PolicyPack } from '@cordon/protocol';
import { isEnvelope, signEnvelope } from '@cordon/protocol/dsse';
import type { Cordon, Envelope } from '@cordon/sdk';
import { configurationError } from '../../exit.ts';
import type { Surroundings } from '../../surroundings.ts';
import { signerOf } from '../people.ts';

/** The bytes, signed by every key that is named (none: one's own), beside the signatures that are there. */
export async function cosign(
  at: Surroundings,
  client: Cordon,
  { type, bytes, before }: { readonly type: string; readonly bytes: Buffer; readonly before: Envelope | null },
  keys: readonly string[],
): Promise<Envelope> {
  const signers = [];
  for (const key of keys.length === 0 ? [undefined] : keys) signers.push(await signerOf(at, client, key));
  const { payloadType, payload, signatures } = signEnvelope(type, bytes, signers);
  const others = (before?.signatures ?? []).filter((each) => !signatures.some((own) => own.keyid === each.keyid));
  return { payloadType, payload, signatures: [...others, ...signatures] };
}

/** A bundle, and its signatures beside it. */
export function writeSigned(file: string, { bundle }: PolicyPack, envelope: Envelope): void {
  writeFileSync(file, Buffer.from(bundle, 'base64'));
  writeFileSync(`${file}.dsse`, `${JSON.stringify(envelope)}\n`);
}

/**
 * The signatures that lie in a file; null: there is no such file. One that is there and cannot be read is not taken for
 * a missing one, because what other people signed would be written over. @throws CordonError `configuration`
 */
export function readEnvelope(file: string): Envelope | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw configurationError(`cannot read the signatures in ${file}: ${(error as Error).message}`);
  }
  const envelope = parse(text);
  if (isEnvelope(envelope)) return { ...envelope, signatures: [...envelope.signatures] };
  throw configurationError(
    `${file} is damaged: it is no envelope of signatures (DSSE)`,
    'get it again from whoever signed before you',
    `or move it away (${file}.bad) and let everybody sign again`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
