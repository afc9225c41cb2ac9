/** Just enough DER (X.690) to write a certificate. It only writes, so nothing hostile is ever parsed here. */
export function tagged(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => tagged(0x30, ...parts);
export const setOf = (...parts: readonly Uint8Array[]): Uint8Array => tagged(0x31, ...parts);
export const octets = (content: Uint8Array): Uint8Array => tagged(0x04, content);
export const text = (value: string): Uint8Array => tagged(0x0c, Buffer.from(value, 'utf8'));
export const boolean = (value: boolean): Uint8Array => tagged(0x01, Buffer.from([value ? 0xff : 0]));
/** A bit string without unused bits. */
export const bits = (content: Uint8Array): Uint8Array => tagged(0x03, Buffer.from([0]), content);

/** A non-negative integer from big-endian bytes. */
export function integer(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const body = magnitude.subarray(start);
  return ((body[0] ?? 0) & 0x80) === 0 ? tagged(0x02, body) : tagged(0x02, Buffer.from([0]), body);
}

export function objectId(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Buffer.from(bytes));
}

/** Whole seconds in UTC: UTCTime through 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
export function time(ms: number): Uint8Array {
  const compact = `${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
  return compact < '2050'
    ? tagged(0x17, Buffer.from(compact.slice(2), 'ascii'))
    : tagged(0x18, Buffer.from(compact, 'ascii'));
}

function length(value: number): Uint8Array {
  if (value < 0x80) return Buffer.from([value]);
  const bytes: number[] = [];
  for (let left = value; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}
