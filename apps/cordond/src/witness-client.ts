import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AskWitness } from '@cordon/control-plane';
import { CordonError } from '@cordon/protocol';
import type { CordondErrorCode } from './configuration.ts';

/** A proof waits for two rounds at most, within the time of its route. */
const timeoutMs = 3000;
const answerBytesMax = 16 * 1024;

/** One POST to a witness, bounded in time and size. What it answers is believed by its signature alone. */
export const askWitness: AskWitness = (url, body) =>
  new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const bytes = Buffer.from(body);
    const options = {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': bytes.length },
      signal: AbortSignal.timeout(timeoutMs),
    };
    const request = send(url, options, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > answerBytesMax) response.destroy(tooLong());
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        const type = response.headers['content-type'] ?? '';
        resolve({ status: response.statusCode ?? 0, type, body: Buffer.concat(chunks).toString() });
      });
    });
    request.on('error', reject);
    request.end(bytes);
  });

function tooLong(): CordonError<CordondErrorCode> {
  return new CordonError<CordondErrorCode>('unavailable', `a witness answered more than ${answerBytesMax} bytes`);
}
