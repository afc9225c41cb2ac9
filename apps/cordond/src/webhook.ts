import http from 'node:http';
import https from 'node:https';

/**
 * One POST with a connection of its own. Only the status is looked at: redirects are not followed, and nothing of the
 * answer is read.
 */
export function postWebhook(url: string, body: string, signal: AbortSignal): Promise<number> {
  const { request } = url.startsWith('http://') ? http : https;
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const outgoing = request(url, { method: 'POST', headers, agent: false, signal }, (incoming) => {
      resolve(incoming.statusCode ?? 0);
      incoming.destroy();
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
