import { type HeaderPairs as AnswerHeaders, acceptOf } from '@cordon/egress';
import type { Scrubber } from '@cordon/secrets';
import type { Head } from '../http/head.ts';
import { forwardedHeaders, relayedHeaders } from '../http/headers.ts';
import { type HeaderPairs, valuesOf } from '../http/wire-head.ts';
import { type Refusal, refuse } from '../refuse/refusal.ts';

/** What a client asked for with its upgrade (RFC 6455 §4.2.1), read strictly. */
export interface Handshake {
  /** Proves to the client that the answer is to its handshake; never sent on, we make one of our own. */
  readonly key: string;
  readonly protocols: readonly string[];
  /** What goes on, with the offered subprotocols and without what is between us and each side. */
  readonly headers: HeaderPairs;
}

const protocolsMax = 16;
/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
/** Ours alone: the key and the version of each side, and extensions, of which we offer none. */
const oursAlone: ReadonlySet<string> = new Set([
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-accept',
]);

export function readHandshake(head: Head): Handshake | Refusal {
  const bad = (detail: string): Refusal => refuse('websocket-handshake', detail);
  if (head.method !== 'GET' || head.framing.kind !== 'none')
    return bad('A WebSocket begins with a GET without a body.');
  const versions = valuesOf(head.headers, 'sec-websocket-version');
  if (versions.length !== 1 || versions[0] !== '13') return refuse('websocket-version', 'Only version 13 is served.');
  const keys = valuesOf(head.headers, 'sec-websocket-key');
  const [key = ''] = keys;
  if (keys.length !== 1 || !/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) {
    return bad('Sec-WebSocket-Key must be 16 bytes in base64, once.');
  }
  const protocols = valuesOf(head.headers, 'sec-websocket-protocol').flatMap((value) =>
    value.split(',').map((each) => each.trim()),
  );
  const distinct = new Set(protocols).size === protocols.length;
  if (protocols.length > protocolsMax || !distinct || !protocols.every((each) => token.test(each))) {
    return bad(`Sec-WebSocket-Protocol must name up to ${protocolsMax} different tokens.`);
  }
  const headers = forwardedHeaders(head.headers).filter(([name]) => !oursAlone.has(name.toLowerCase()));
  return { key, protocols, headers };
}

/** Our 101 to the client; what else the server said goes along, searched where a credential went out. */
export function switchingHead(
  handshake: Handshake,
  answer: { readonly headers: AnswerHeaders; readonly protocol: string | null },
  scrubber: Scrubber | null,
): Buffer {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptOf(handshake.key)}`,
    ...(answer.protocol === null ? [] : [`Sec-WebSocket-Protocol: ${answer.protocol}`]),
  ];
  for (const [name, value] of relayedHeaders(answer.headers, false)) {
    if (name.toLowerCase().startsWith('sec-websocket-')) continue;
    // A header that carries the value in its name cannot be mended, only left out.
    if (scrubber !== null && scrubber.text(name) !== name) continue;
    lines.push(`${name}: ${scrubber === null ? value : scrubber.text(value)}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
