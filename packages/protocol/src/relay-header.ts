/**
 * What the relay of a session says in front of every connection (native/launch/bridge.h): magic `CRL1`, token 32 bytes,
 * ticket u32 little-endian, address family (4, 6, or 0: none), a zero, port in network order, address 16 bytes. It is
 * answered with one byte; before that the relay reads nothing of the connection, so nothing may follow the header.
 */
export const relayHeaderBytes = 60;
export const relayAccepted: Uint8Array = Uint8Array.of(6);
export const relayTokenBytes = 32;

export interface RelayHeader {
  /** Which of the sockets of the session: lines of the hand-off, counted from 0. */
  readonly ticket: number;
  /** The connection's own end in the sandbox; of a captured one what its program meant. Null: a stream of a command. */
  readonly local: SocketPlace | null;
}

export interface SocketPlace {
  readonly address: string;
  readonly port: number;
}

const magic = 0x314c_5243;

/** Null: not from the relay that knows `token`, or not as it writes it. */
export function parseRelayHeader(bytes: Uint8Array, token: Uint8Array): RelayHeader | null {
  if (bytes.length !== relayHeaderBytes || token.length !== relayTokenBytes) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== magic || !isSame(bytes.subarray(4, 36), token) || bytes[41] !== 0) return null;
  const ticket = view.getUint32(36, true);
  const port = view.getUint16(42);
  const address = bytes.subarray(44);
  switch (bytes[40]) {
    case 0:
      return port === 0 && isZero(address) ? { ticket, local: null } : null;
    case 4:
      if (port === 0 || !isZero(address.subarray(4))) return null;
      return { ticket, local: { address: address.subarray(0, 4).join('.'), port } };
    case 6:
      return port === 0 ? null : { ticket, local: { address: textOfV6(address), port } };
    default:
      return null;
  }
}

/** RFC 5952 §4, as Node writes an address: the first of the longest runs of zeros is left out. */
function textOfV6(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2).toString(16)).join(':');
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** In a time that does not depend on where they differ. */
function isSame(left: Uint8Array, right: Uint8Array): boolean {
  let differs = 0;
  for (const [index, byte] of left.entries()) differs |= byte ^ (right[index] ?? 256);
  return differs === 0;
}

/** What of a socket is needed to read a header; Node's own has it. */
export interface RelayedStream {
  readonly readableLength: number;
  read(bytes: number): Uint8Array | null;
  on(event: 'readable' | 'end' | 'close', listener: () => void): unknown;
  off(event: 'readable' | 'end' | 'close', listener: () => void): unknown;
}

/** Reads the header and nothing else; the stream is then as fresh as one that was just accepted. Null: there is none. */
export function readRelayHeader(
  stream: RelayedStream,
  token: Uint8Array,
  timeoutMs: number,
): Promise<RelayHeader | null> {
  return new Promise((resolve) => {
    const finish = (header: RelayHeader | null): void => {
      clearTimeout(timer);
      stream.off('readable', read);
      for (const event of ['end', 'close'] as const) stream.off(event, gone);
      resolve(header);
    };
    const read = (): void => {
      const isMore = stream.readableLength > relayHeaderBytes;
      const bytes = isMore ? null : stream.read(relayHeaderBytes);
      if (bytes !== null || isMore) finish(bytes === null ? null : parseRelayHeader(bytes, token));
    };
    const gone = (): void => finish(null);
    const timer = setTimeout(gone, timeoutMs);
    stream.on('readable', read);
    for (const event of ['end', 'close'] as const) stream.on(event, gone);
  });
}
