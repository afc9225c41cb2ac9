import type { IncomingMessage } from 'node:http';
import { refusal } from '../error.ts';

/**
 * Reads a JSON body, whole, within its cap. An absent body is `{}`, so that "no options" needs no body.
 * @throws CordonError `body-too-large`, `media-type`, `request-invalid`
 */
export async function readJsonBody(
  request: IncomingMessage,
  bytesMax: number,
): Promise<{ text: string; json: unknown }> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > bytesMax) throw tooLarge(bytesMax);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  if (bytes === 0) return { text: '', json: {} };
  if (!/^application\/json(;\s*charset=utf-8)?$/i.test(request.headers['content-type'] ?? '')) {
    throw refusal('media-type', 'a body must be application/json', ['send content-type: application/json']);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
    return { text, json: JSON.parse(text) as unknown };
  } catch (cause) {
    throw refusal('request-invalid', 'body: not valid JSON in UTF-8', [], cause);
  }
}

function tooLarge(bytesMax: number) {
  return refusal('body-too-large', `a request of this kind has at most ${bytesMax} bytes`);
}
