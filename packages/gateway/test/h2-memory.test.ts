import { once } from 'node:events';
import { h2SessionRows } from '@cordon/testkit/hostile';
import { expect, test } from 'vitest';
import { GatewayProcess } from './gateway-process.ts';
import { tlsThrough } from './h2-client.ts';

const host = 'api.example.com';
const connections = 80;
const atOnce = 8;
/** Those of a moment ago may wait for the next collection. */
const leftMax = 3;

test('of connections that a client broke nothing is kept, though it acknowledged no SETTINGS', async () => {
  await using gateway = await GatewayProcess.start({ sessions: 1, upstreamPort: 1 });
  const { ca, ports } = gateway;
  const row = h2SessionRows.find(({ name }) => name === 'HTTP/1.1 instead of the preface');
  if (row === undefined) throw new TypeError('no such row');
  const { h2Sessions } = await gateway.figures();
  for (let done = 0; done < connections; done += atOnce) {
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        const socket = await tlsThrough(ports[0] ?? 0, { target: `${host}:443`, ca });
        socket.resume();
        socket.write(row.bytes(host));
        await once(socket, 'close');
      }),
    );
  }
  const kept = async (): Promise<number> => (await gateway.figures()).h2Sessions - h2Sessions;
  await expect.poll(kept, { timeout: 20_000, interval: 200 }).toBeLessThanOrEqual(leftMax);
}, 60_000);
