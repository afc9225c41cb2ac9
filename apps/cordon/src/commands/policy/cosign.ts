import { writeFileSync } from 'node:fs';
import type { PolicyPack } from '@cordon/protocol';
import { signEnvelope } from '@cordon/protocol/dsse';
import type { Cordon, Envelope } from '@cordon/sdk';
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
