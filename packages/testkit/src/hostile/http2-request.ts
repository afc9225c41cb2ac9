import { errorCode, type Fields, flag, frame, frameType, headers, hello, repeat, settingsAck } from './frames.ts';

/** One HTTP/2 connection of a hostile client: every byte that it sends, and how it must end. */
export interface HostileFrames {
  /** Unique in its list. */
  readonly name: string;
  /** From the first byte of the connection. `authority` is the one that the connection was opened for. */
  readonly bytes: (authority: string) => Buffer;
  readonly end: FramesEnd;
}

export type FramesEnd =
  /** Stream 1 gets an answer; the connection serves others after it. */
  | { readonly kind: 'answer'; readonly status: number; readonly code: string }
  /** Stream 1 is reset; the connection serves others after it. */
  | { readonly kind: 'reset'; readonly error: number }
  /** The connection ends, and the record says why. */
  | { readonly kind: 'goaway'; readonly error: number; readonly code: string }
  /** The connection ends in peace. */
  | { readonly kind: 'closed' };

export const start = Buffer.concat([hello, settingsAck]);
export const pseudo = (authority: string, change: Readonly<Record<string, string>> = {}): Fields =>
  ([':method', ':scheme', ':authority', ':path'] as const).map((name) => [
    name,
    change[name] ?? { ':method': 'GET', ':scheme': 'https', ':authority': authority, ':path': '/x' }[name],
  ]);
export const post = { ':method': 'POST' } as const;
export const answer = (status: number, code: string): FramesEnd => ({ kind: 'answer', status, code });
export const resets = (error: number): FramesEnd => ({ kind: 'reset', error });
export const ends = (error: number, code = 'http2-protocol'): FramesEnd => ({ kind: 'goaway', error, code });
export const malformed = resets(errorCode.protocol);

/** A GET on stream 1 with these pseudo-headers changed and these fields behind them. */
export const ask =
  (change: Readonly<Record<string, string>>, ...fields: Fields) =>
  (authority: string) =>
    Buffer.concat([start, headers(1, [...pseudo(authority, change), ...fields])]);
export const askWith =
  (fields: (authority: string) => Fields, ...rest: readonly Buffer[]) =>
  (authority: string) =>
    Buffer.concat([start, headers(1, fields(authority), { end: rest.length === 0 }), ...rest]);

/** A head over several frames (RFC 9113 §6.10). */
export function longHead(bytes: Buffer): Buffer {
  const count = Math.ceil(bytes.length / 16_384);
  return repeat(count, (i) => {
    const type = i === 0 ? frameType.headers : frameType.continuation;
    const flags = (i === 0 ? flag.endStream : 0) | (i === count - 1 ? flag.endHeaders : 0);
    return frame(type, flags, 1, bytes.subarray(i * 16_384, (i + 1) * 16_384));
  });
}

/** A POST on stream 1 whose body does not come. */
export const opened = (authority: string): Buffer =>
  Buffer.concat([start, headers(1, pseudo(authority, post), { end: false })]);
