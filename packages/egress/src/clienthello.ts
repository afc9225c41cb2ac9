import { limits } from './limits.ts';

export type ClientHello =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'not-tls' }
  | { readonly kind: 'malformed'; readonly why: string }
  | {
      readonly kind: 'hello';
      /** Lower-cased ASCII; null when the client named none. */
      readonly serverName: string | null;
      readonly alpn: readonly string[];
      /** Encrypted ClientHello (or its grease) was offered. */
      readonly ech: boolean;
    };

const handshakeRecord = 22;
const clientHelloMessage = 1;
const recordHeadBytes = 5;
const messageBytesMax = limits.clientHelloBytesMax;
const extensionServerName = 0;
const extensionAlpn = 16;
const extensionEch = 0xfe0d;

/** Thrown inside this file only; never leaves {@link parseClientHello}. */
class Malformed extends Error {}

/**
 * Reads the first flight of a TLS client (RFC 8446 §4.1.2, RFC 6066 §3) without keeping state: call it again with all
 * bytes so far. It only finds names out; OpenSSL parses the same bytes again and decides whether they are TLS.
 */
export function parseClientHello(bytes: Uint8Array): ClientHello {
  if (bytes.length === 0) return { kind: 'need-more' };
  if (bytes[0] !== handshakeRecord) return { kind: 'not-tls' };
  try {
    const message = handshakeMessage(bytes);
    if (message !== null) return readHello(message);
    return bytes.length >= limits.clientHelloBytesMax ? tooLong : { kind: 'need-more' };
  } catch (error: unknown) {
    if (error instanceof Malformed) return { kind: 'malformed', why: error.message };
    throw error;
  }
}

const tooLong: ClientHello = { kind: 'malformed', why: 'the ClientHello is longer than its limit' };

/** The handshake message's body, put together from its records; null while bytes are missing. One pass, one copy. */
function handshakeMessage(bytes: Uint8Array): Reader | null {
  const message = Buffer.alloc(Math.min(bytes.length, messageBytesMax));
  let have = 0;
  let at = 0;
  for (;;) {
    const length = have >= 4 ? messageBytes(message) : messageBytesMax;
    // RFC 8446 §5.1: nothing may follow a ClientHello in its record before the server has answered.
    if (have > length) throw new Malformed('bytes follow the ClientHello');
    if (have >= 4 && have === length) return new Reader(message.subarray(4, have));
    const part = recordAt(bytes, at);
    if (part === null) return null;
    if (have + part.length > messageBytesMax) throw new Malformed('the ClientHello is longer than its limit');
    message.set(part, have);
    have += part.length;
    at += recordHeadBytes + part.length;
  }
}

/** Type and length of the message in its first four bytes (RFC 8446 §4); the length with them. */
function messageBytes(message: Uint8Array): number {
  if (message[0] !== clientHelloMessage) throw new Malformed('the first handshake message is no ClientHello');
  const length = 4 + (((message[1] ?? 0) << 16) | ((message[2] ?? 0) << 8) | (message[3] ?? 0));
  if (length > messageBytesMax) throw new Malformed('the ClientHello is longer than its limit');
  return length;
}

/** The fragment of the handshake record that starts at `at` (RFC 8446 §5.1); null while bytes of it are missing. */
function recordAt(bytes: Uint8Array, at: number): Uint8Array | null {
  if (bytes.length > at && bytes[at] !== handshakeRecord) throw new Malformed('another record cuts the ClientHello');
  if (bytes.length - at < recordHeadBytes) return null;
  if (bytes[at + 1] !== 3) throw new Malformed('not a version of TLS');
  const length = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
  if (length === 0 || length > 16_384) throw new Malformed('a record of impossible length');
  const part = bytes.subarray(at + recordHeadBytes, at + recordHeadBytes + length);
  return part.length < length ? null : part;
}

function readHello(hello: Reader): ClientHello {
  hello.skip(2 + 32); // legacy_version, random
  if (hello.vector(1).left > 32) throw new Malformed('a session id of more than 32 bytes');
  const suites = hello.vector(2).left;
  if (suites === 0 || suites % 2 !== 0) throw new Malformed('a broken list of cipher suites');
  hello.vector(1); // compression methods
  let serverName: string | null = null;
  let alpn: readonly string[] = [];
  let ech = false;
  const seen = new Set<number>();
  if (hello.left > 0) {
    const extensions = hello.vector(2);
    while (extensions.left > 0) {
      const type = extensions.number(2);
      const data = extensions.vector(2);
      // RFC 8446 §4.2: one of each type. Two server names would be read differently by different servers.
      if (seen.has(type)) throw new Malformed('an extension comes twice');
      seen.add(type);
      if (type === extensionServerName) serverName = readServerName(data);
      else if (type === extensionAlpn) alpn = readAlpn(data);
      else if (type === extensionEch) ech = true;
    }
  }
  if (hello.left > 0) throw new Malformed('bytes follow the extensions');
  return { kind: 'hello', serverName, alpn, ech };
}

function readServerName(data: Reader): string {
  const list = data.vector(2);
  if (data.left > 0) throw new Malformed('bytes follow the server name list');
  if (list.number(1) !== 0) throw new Malformed('a server name of unknown type');
  const name = list.vector(2).rest();
  if (list.left > 0) throw new Malformed('more than one server name');
  if (name.length === 0 || name.length > 253) throw new Malformed('a server name of impossible length');
  // RFC 6066 §3: ASCII, A-labels, no trailing dot. What else is wrong with it, the comparison with CONNECT finds.
  if (!name.every((byte) => byte > 0x20 && byte < 0x7f) || name.at(-1) === 0x2e) {
    throw new Malformed('a server name that is no host name');
  }
  return Buffer.from(name).toString('latin1').toLowerCase();
}

function readAlpn(data: Reader): string[] {
  const list = data.vector(2);
  if (data.left > 0) throw new Malformed('bytes follow the ALPN list');
  const names: string[] = [];
  while (list.left > 0) {
    const name = list.vector(1).rest();
    if (name.length === 0) throw new Malformed('an empty ALPN name');
    names.push(Buffer.from(name).toString('latin1'));
  }
  return names;
}

/** Every read is checked against what is left; a read past the end is a malformed message, never an `undefined`. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(count: number): void {
    this.#take(count);
  }

  number(size: 1 | 2): number {
    return this.#take(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** A vector with its length before it (RFC 8446 §3.4). */
  vector(lengthBytes: 1 | 2): Reader {
    return new Reader(this.#take(this.number(lengthBytes)));
  }

  rest(): Uint8Array {
    return this.#take(this.left);
  }

  #take(count: number): Uint8Array {
    if (count > this.left) throw new Malformed('a length that points past the end');
    const part = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return part;
  }
}
