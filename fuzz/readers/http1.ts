/**
 * A second reader of HTTP/1.1, written from RFC 9112 alone and as strict as it allows: no repair, no leniency. What the
 * gateway accepts must be the same message here; what only this one accepts or only that one refuses is no finding.
 * Two leniencies of node's parser are known and taken over, since neither gives a message a second reading and what goes
 * upstream is written anew: line ends of any kind before the request line, and more than one space in it.
 */
export interface StrictHead {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: ReadonlyArray<readonly [string, string]>;
}

export interface StrictMessage extends StrictHead {
  /** null: no body at all. */
  readonly body: Buffer | null;
  readonly chunked: boolean;
}

export interface StrictReading {
  readonly messages: readonly StrictMessage[];
  /** Why nothing more was read; null at a clean end. */
  readonly stopped: string | null;
}

class Stop extends Error {}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function readStrictly(bytes: Buffer): StrictReading {
  const messages: StrictMessage[] = [];
  let at = 0;
  try {
    for (;;) {
      at = skipEmptyLines(bytes, at);
      if (at >= bytes.length) return { messages, stopped: null };
      const { message, next, last } = readMessage(bytes, at);
      messages.push(message);
      at = next;
      if (last) return { messages, stopped: 'the last of its connection' };
    }
  } catch (error: unknown) {
    if (error instanceof Stop) return { messages, stopped: error.message };
    throw error;
  }
}

/** The first head alone, whatever its framing says. */
export function readHeadStrictly(bytes: Buffer): StrictHead | null {
  try {
    return readHead(bytes, skipEmptyLines(bytes, 0)).head;
  } catch (error: unknown) {
    if (error instanceof Stop) return null;
    throw error;
  }
}

function readHead(bytes: Buffer, from: number): { head: StrictHead; next: number } {
  let at = from;
  const line = (): string => {
    const { text, next } = readLine(bytes, at);
    at = next;
    return text;
  };
  const parts = line().split(/ +/);
  const [method = '', target = '', protocol = ''] = parts;
  if (parts.length !== 3 || !token.test(method) || target === '') throw new Stop('no request line');
  const version = /^HTTP\/1\.([01])$/.exec(protocol)?.[0].slice('HTTP/'.length);
  if (version === undefined) throw new Stop('no version of HTTP/1');
  const headers = readFields(line);
  return { head: { method, target, version, headers }, next: at };
}

function readMessage(bytes: Buffer, from: number): { message: StrictMessage; next: number; last: boolean } {
  const { head, next } = readHead(bytes, from);
  const { version, headers } = head;
  let at = next;
  const valuesOf = (name: string): string[] =>
    headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  const codings = valuesOf('transfer-encoding');
  const lengths = valuesOf('content-length');
  if (codings.length > 0 && lengths.length > 0) throw new Stop('two framings');
  let body: Buffer | null = null;
  if (codings.length > 0) {
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') throw new Stop('a coding that is not chunked');
    if (version === '1.0') throw new Stop('chunked in HTTP/1.0');
    ({ body, next: at } = readChunks(bytes, at));
  } else if (lengths.length > 0) {
    if (lengths.length > 1 || !/^[0-9]{1,15}$/.test(lengths[0] ?? '')) throw new Stop('no length');
    const end = at + Number(lengths[0]);
    if (end > bytes.length) throw new Stop('cut short');
    body = bytes.subarray(at, end);
    at = end;
  }
  const options = valuesOf('connection').flatMap((value) => value.split(',').map((one) => one.trim().toLowerCase()));
  const last = options.includes('close') || (version === '1.0' && !options.includes('keep-alive'));
  return { message: { ...head, body, chunked: codings.length > 0 }, next: at, last };
}

/** RFC 9112 §2.2: empty lines before a request line are to be ignored. */
function skipEmptyLines(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === 0x0d || bytes[at] === 0x0a) at++;
  return at;
}

/** Field lines up to the empty one (RFC 9112 §5): no folding, no space before the colon, no control character. */
function readFields(line: () => string): Array<readonly [string, string]> {
  const fields: Array<readonly [string, string]> = [];
  for (let text = line(); text !== ''; text = line()) {
    const colon = text.indexOf(':');
    const name = text.slice(0, Math.max(0, colon));
    if (!token.test(name)) throw new Stop('no field name');
    const value = text.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    if (holdsControl(value)) throw new Stop('a control character');
    fields.push([name, value]);
  }
  return fields;
}

function holdsControl(text: string): boolean {
  return [...text].some((character) => (character < ' ' && character !== '\t') || character === '\u007f');
}

function readChunks(bytes: Buffer, from: number): { body: Buffer; next: number } {
  const parts: Buffer[] = [];
  let at = from;
  for (;;) {
    const { text, next } = readLine(bytes, at);
    const digits = /^([0-9A-Fa-f]+)(?:[ \t]*;.*)?$/s.exec(text)?.[1];
    if (digits === undefined || holdsControl(text)) throw new Stop('no chunk size');
    const size = Number.parseInt(digits, 16);
    at = next;
    if (size === 0) break;
    if (at + size + 2 > bytes.length) throw new Stop('cut short');
    parts.push(bytes.subarray(at, at + size));
    at += size;
    if (bytes[at] !== 0x0d || bytes[at + 1] !== 0x0a) throw new Stop('no line end behind a chunk');
    at += 2;
  }
  readFields(() => {
    const { text, next } = readLine(bytes, at);
    at = next;
    return text;
  });
  return { body: Buffer.concat(parts), next: at };
}

/** A line ends in CR LF; either of them alone is refused, because readers differ in what it ends. */
function readLine(bytes: Buffer, from: number): { text: string; next: number } {
  const end = bytes.indexOf(0x0a, from);
  if (end < 0) throw new Stop('cut short');
  const text = bytes.toString('latin1', from, end);
  if (!text.endsWith('\r') || text.slice(0, -1).includes('\r')) throw new Stop('a bare CR or LF');
  return { text: text.slice(0, -1), next: end + 1 };
}
