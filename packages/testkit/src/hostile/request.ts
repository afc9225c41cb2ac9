/** One HTTP/1.1 connection of a hostile client: what it sends, what it must get, and what the record must say. */
export interface HostileRequest {
  /** Unique in its list. */
  readonly name: string;
  /** `target` and `host` as the socket wants them: absolute or origin form, the authority that is granted there. */
  readonly bytes: (target: string, host: string) => string | Buffer;
  /** 0: the connection ends without an answer. */
  readonly status: number;
  /** Of the answer, and of the recorded fault. */
  readonly code: string;
}

/** A POST up to and with the empty line. */
export function post(target: string, host: string, ...lines: string[]): string {
  return [`POST ${target} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n');
}

export function get(target: string, host: string, ...lines: string[]): string {
  return [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n');
}

/** The request that must never be read as one. */
export function smuggled(host: string): string {
  return `GET /smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}
