import { hash } from 'node:crypto';
import { type Intent, type Payload, type PayloadKind, sealRecord } from '@cordon/protocol';
import type { Message } from './peer.ts';

export type Direction = 'in' | 'out';

/**
 * One message as an intent: where the handshake went, which way it goes, what it is and what it holds. The handshake's
 * own headers and query are in its intent, which the first part of the record's chain names.
 */
export function messageIntent(handshake: Intent, direction: Direction, message: Message): Intent {
  const { method, path } = handshake.args as { readonly method: string; readonly path: string };
  return sealRecord({
    ...handshake,
    action: 'http.message',
    args: {
      method,
      path,
      query: [],
      headers: [],
      direction,
      opcode: message.opcode,
      ...(message.code === null ? {} : { code: message.code }),
    },
    payload: payloadOf(message),
  });
}

export function payloadOf({ data, opcode }: Message): Payload {
  return { sha256: hash('sha256', data), bytes: data.length, kind: kindOf(opcode, data.length) };
}

function kindOf(opcode: Message['opcode'], bytes: number): PayloadKind {
  if (bytes === 0) return 'none';
  return opcode === 'binary' ? 'opaque' : 'text';
}
