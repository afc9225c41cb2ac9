import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { pipe } from '../src/tunnel/pipe.ts';

it('a side that takes nothing is sent one chunk, however small they are', async () => {
  let taken: Array<() => void> = [];
  let sent = 0;
  const near = new Duplex({
    read() {
      sent += 1;
      this.push(Buffer.alloc(1));
    },
    write: (_chunk, _encoding, done) => done(),
  });
  const far = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => void taken.push(done) });
  const [one, other] = [near, far] as unknown as [Socket, Socket];
  for (const socket of [one, other]) socket.destroySoon = () => void socket.destroy();
  const ending = new AbortController();
  const limits = { bytesMax: 1e6, lifeMs: 60_000, idleMs: 60_000, slowReaderMs: 60_000, passed: () => undefined };
  const piped = pipe({ near: one, far: other, signal: ending.signal, ...limits });
  await expect.poll(() => sent).toBeGreaterThan(0);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(far.writableLength).toBe(1);
  // It goes on where it was when that is taken.
  for (const done of taken.splice(0)) done();
  await expect.poll(() => taken.length).toBe(1);
  taken = [];
  ending.abort(new Error('over'));
  expect((await piped).bytesOut).toBe(2);
});
