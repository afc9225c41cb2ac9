import { Duplex } from 'node:stream';
import { frame, opcodes } from '@cordon/testkit/hostile';
import { expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import { HeldBytes } from '../src/session/held.ts';
import { Peer } from '../src/websocket/peer.ts';

it('a peer that pings for hours and reads nothing costs no more than one buffer', () => {
  // Takes what is written and never says that it has gone.
  const socket = new Duplex({ read: () => undefined, write: () => undefined });
  let now = 0;
  const held = new HeldBytes(limits.bodyBytesHeldPerSessionMax);
  const peer = new Peer({ socket, head: Buffer.alloc(0), role: 'server', limits, held, now: () => now });
  const ping = frame(opcodes.ping, Buffer.alloc(125), true);
  for (let i = 0; i < 10_000; i++) {
    now += 1000 / limits.websocketMessagesPerSecondMax;
    socket.emit('data', ping);
    peer.ping();
  }
  expect(socket.writableLength).toBeGreaterThan(0);
  expect(socket.writableLength).toBeLessThan(2 * socket.writableHighWaterMark);
  socket.destroy();
});
