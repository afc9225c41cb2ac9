import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SessionTraffic } from '@cordon/protocol';
import { expect, it } from 'vitest';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

it('tells who watches what goes through, answers under way included', async () => {
  let release = (): void => undefined;
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-length', '10');
    response.write('12345');
    release = () => void response.end('67890');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await using rig = await Rig.start({
    grants: [{ allow: 'http://api.example.com', methods: ['POST'] }],
    hosts: { 'api.example.com:80': (server.address() as AddressInfo).port },
  });
  try {
    const look = async (): Promise<SessionTraffic | undefined> => {
      const traffic = await rig.control?.call('stats', null);
      expect(traffic?.live).toBe(true);
      return traffic?.sessions[0];
    };
    expect(await look()).toMatchObject({ inFlight: 0, bytesIn: 0, bytesOut: 0 });
    using client = await RawClient.to(rig.ports.proxy);
    client.send(
      'POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc',
    );
    let seen = await look();
    for (; seen?.bytesIn !== 5; seen = await look()) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(seen).toMatchObject({ inFlight: 1, bytesIn: 5, bytesOut: 3, sockets: 1 });
    release();
    expect(await client.rest()).toMatch(/1234567890$/);
    for (; seen?.inFlight !== 0; seen = await look()) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(seen).toMatchObject({ bytesIn: 10, bytesOut: 3 });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
