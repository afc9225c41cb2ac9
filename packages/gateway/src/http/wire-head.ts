/** What HTTP/2 says outside the fields (RFC 9113 §8.3.1). */
export interface H2Facts {
  readonly scheme: string;
  /** Nothing follows the head. */
  readonly ended: boolean;
  /** Why its fields are no head of a request at all; null: they are one. */
  readonly malformed: string | null;
}

export type HeaderPairs = ReadonlyArray<readonly [name: string, value: string]>;

/** A head as its front hands it over: before any list was merged or any duplicate hidden. */
export interface WireHead {
  readonly method: string;
  readonly url: string;
  readonly version: string;
  readonly rawHeaders: readonly string[];
  /** Of HTTP/2 only. */
  readonly h2?: H2Facts;
}

export function headerPairs(raw: readonly string[]): HeaderPairs {
  const pairs: Array<readonly [string, string]> = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return pairs;
}

/** All values of a header, in order; names compare without case. */
export function valuesOf(headers: HeaderPairs, name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}
