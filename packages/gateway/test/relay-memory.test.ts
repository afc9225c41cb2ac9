import { Readable, Writable } from 'node:stream';
import type { UpstreamAnswer } from '@cordon/egress';
import { expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import type { Reply } from '../src/listen/wire.ts';
import { relay } from '../src/relay.ts';

it('an agent that reads nothing is kept a bounded number of parts for, however small, and gets all when it reads', async () => {
  const parts = 5000;
  let made = 0;
  const body = new Readable({
    read() {
      made += 1;
      this.push(made > parts ? null : Buffer.alloc(1));
    },
  });
  let reads = false;
  const taken: Array<() => void> = [];
  let arrived = 0;
  const agent = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      arrived += chunk.length;
      if (reads) done();
      else taken.push(done);
    },
  });
  const response = Object.assign(agent, { writeHead: () => undefined, flushHeaders: () => undefined });
  const answer = { status: 200, statusMessage: 'OK', headers: [], body } as unknown as UpstreamAnswer;
  const relayed = relay({
    ...{ answer, response: response as unknown as Reply, method: 'GET', lease: null, limits },
    ...{ signal: new AbortController().signal, firstByte: () => undefined, received: () => undefined },
  });
  await expect.poll(() => agent.writableLength).toBe(limits.answerPiecesWaitingMax);
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(agent.writableLength).toBe(limits.answerPiecesWaitingMax);
  reads = true;
  for (const done of taken.splice(0)) done();
  expect((await relayed).digest).toMatch(/^sha256:/);
  expect(arrived).toBe(parts);
});
