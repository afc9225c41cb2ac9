/**
 * The part of a DNS message (RFC 1035 §4) that a name server without a world needs: one question in, addresses or a
 * refusal out. Pure. Every length is checked before it is used; compression pointers are not read at all.
 */
export type DnsQuestion =
  /** Nothing to answer: too short for an identifier, or itself an answer (answering those would make loops). */
  | { readonly kind: 'silence' }
  | { readonly kind: 'malformed'; readonly id: number; readonly code: 'FORMERR' | 'NOTIMP' }
  | {
      readonly kind: 'question';
      readonly id: number;
      readonly recursionDesired: boolean;
      /** Lower case, without the trailing dot; null when a label is no part of a host name. */
      readonly name: string | null;
      readonly type: number;
      readonly internet: boolean;
      /** The question as it came: its letters' case is how a client tells its answer from a guess. */
      readonly bytes: Buffer;
      readonly extended: boolean;
    };

export const dnsTypes = { a: 1, aaaa: 28 } as const;
const responseCodes = { NOERROR: 0, FORMERR: 1, NOTIMP: 4, REFUSED: 5 } as const;
export type ResponseCode = keyof typeof responseCodes;

/** Of a query over UDP; what is longer asks for something that we do not have. */
export const queryBytesMax = 512;

const headerBytes = 12;
const nameBytesMax = 255;
const labelBytesMax = 63;
/** OPT (RFC 6891 §6.1.2): root name, type, payload size, extended code and flags, length. */
const optBytes = 11;
const optType = 41;
const internetClass = 1;

export function parseQuestion(bytes: Buffer): DnsQuestion {
  if (bytes.length < headerBytes) return { kind: 'silence' };
  const id = bytes.readUInt16BE(0);
  const flags = bytes.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return { kind: 'silence' };
  if ((flags & 0x7800) !== 0) return { kind: 'malformed', id, code: 'NOTIMP' };
  const malformed = { kind: 'malformed', id, code: 'FORMERR' } as const;
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  if (bytes.length > queryBytesMax || questions !== 1 || answers !== 0 || authorities !== 0) return malformed;
  const read = readName(bytes);
  if (read === null || read.end + 4 > bytes.length) return malformed;
  const end = read.end + 4;
  const extended = additional === 1 && isOpt(bytes, end);
  if (!extended && (additional !== 0 || end !== bytes.length)) return malformed;
  return {
    kind: 'question',
    id,
    recursionDesired: (flags & 0x0100) !== 0,
    name: read.name,
    type: bytes.readUInt16BE(read.end),
    internet: bytes.readUInt16BE(read.end + 2) === internetClass,
    bytes: bytes.subarray(headerBytes, end),
    extended,
  };
}

function readName(bytes: Buffer): { name: string | null; end: number } | null {
  const labels: string[] = [];
  let plain = true;
  for (let at = headerBytes; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    if (length === 0) return { name: plain && labels.length > 0 ? labels.join('.') : null, end: at + 1 };
    // Also a pointer or one of the label types that were never used: both have their high bits set.
    if (length > labelBytesMax || at + 1 + length >= bytes.length || at + 1 + length - headerBytes >= nameBytesMax)
      return null;
    const label = bytes.toString('latin1', at + 1, at + 1 + length).toLowerCase();
    // A dot inside a label, among others, would make two names look like one.
    plain &&= /^[a-z0-9_-]+$/.test(label);
    labels.push(label);
    at += 1 + length;
  }
  return null;
}

/** Its options say nothing that matters here; it must only be the last thing in the message. */
function isOpt(bytes: Buffer, at: number): boolean {
  if (at + optBytes > bytes.length || bytes[at] !== 0 || bytes.readUInt16BE(at + 1) !== optType) return false;
  return at + optBytes + bytes.readUInt16BE(at + optBytes - 2) === bytes.length;
}

/** `addresses`: each 4 or 16 bytes, of the type that was asked for. */
export function writeAnswer(
  question: Extract<DnsQuestion, { kind: 'question' }>,
  code: ResponseCode,
  addresses: readonly Buffer[],
  ttlSeconds: number,
): Buffer {
  const records = addresses.map((address) => {
    const record = Buffer.alloc(12 + address.length);
    record.writeUInt16BE(0xc000 | headerBytes, 0);
    record.writeUInt16BE(question.type, 2);
    record.writeUInt16BE(internetClass, 4);
    record.writeUInt32BE(ttlSeconds, 6);
    record.writeUInt16BE(address.length, 10);
    address.copy(record, 12);
    return record;
  });
  const opt = Buffer.alloc(question.extended ? optBytes : 0);
  if (question.extended) {
    opt.writeUInt16BE(optType, 1);
    opt.writeUInt16BE(queryBytesMax, 3);
  }
  const header = writeHeader(question.id, question.recursionDesired, code);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt16BE(question.extended ? 1 : 0, 10);
  return Buffer.concat([header, question.bytes, ...records, opt]);
}

export function writeRefusal({ id, code }: Extract<DnsQuestion, { kind: 'malformed' }>): Buffer {
  return writeHeader(id, false, code);
}

/** QR and RA: programs take a server that offers no recursion for a broken one. */
function writeHeader(id: number, recursionDesired: boolean, code: ResponseCode): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x8080 | (recursionDesired ? 0x0100 : 0) | responseCodes[code], 2);
  return header;
}
