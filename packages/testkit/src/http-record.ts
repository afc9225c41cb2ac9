import type { IncomingMessage } from 'node:http';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { limits } from './limits.ts';

/** One request as a test server received it: what really arrived outside, whoever claims what. */
export interface HttpRecord {
  readonly at: number;
  readonly method: string;
  /** The `Host` header. */
  readonly host: string;
  /** Request target as sent. */
  readonly target: string;
  /** Lower-case names; repeated headers joined as Node does. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names and values as sent, in order. */
  readonly rawHeaders: readonly string[];
  /** Decoded from gzip or zstd; as it came where it is neither, whatever its header says. */
  readonly body: Buffer;
  readonly port: number;
}

/** Reads a whole request; `null` when it is over the cap. */
export async function recordOf(request: IncomingMessage, at: number): Promise<HttpRecord | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.requestBodyBytesMax) return null;
    chunks.push(chunk);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return {
    at,
    method: request.method ?? '',
    host: request.headers.host ?? '',
    target: request.url ?? '',
    headers,
    rawHeaders: request.rawHeaders,
    body: decoded(Buffer.concat(chunks), headers['content-encoding']),
    port: request.socket.localPort ?? 0,
  };
}

function decoded(body: Buffer, coding: string | undefined): Buffer {
  const options = { maxOutputLength: limits.requestBodyBytesMax };
  try {
    if (coding === 'gzip') return gunzipSync(body, options);
    if (coding === 'zstd') return zstdDecompressSync(body, options);
  } catch {
    // A sink tells what arrived; a body that lies about its coding is what arrived.
  }
  return body;
}
