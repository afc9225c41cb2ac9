import { isUtf8 } from 'node:buffer';
import { parseJson } from '@cordon/policy';
import type { Payload, PayloadKind } from '@cordon/protocol';
import { type Refusal, refuse } from '../refuse/refusal.ts';
import type { Body } from './body.ts';

/**
 * What a body is. A kind is never the sender's word: `json` is what the strict parser read, `text` is valid UTF-8.
 * A body that calls itself JSON and has no single reading is refused.
 */
export function readPayload(body: Body): Payload | Refusal {
  if (body.bytes === null || body.bytes.length === 0) return { bytes: 0, kind: 'none', sha256: body.sha256 };
  const kind = readKind(body);
  return typeof kind === 'string' ? { bytes: body.bytes.length, kind, sha256: body.sha256 } : kind;
}

function readKind(body: Body): PayloadKind | Refusal {
  const type = body.mediaType;
  if (type === 'application/json' || type.endsWith('+json')) {
    const parsed = parseJson(body.readable, 'document', { bytesMax: body.readable.length });
    if (parsed.ok) return 'json';
    return refuse('body-unreadable', `The JSON body: ${parsed.error.code} at byte ${parsed.error.offset}.`);
  }
  if (!isUtf8(body.readable)) return 'opaque';
  // Multipart has a grammar that nothing reads yet, so it is opaque.
  if (type === 'application/x-www-form-urlencoded') return 'form';
  return type.startsWith('text/') ? 'text' : 'opaque';
}
