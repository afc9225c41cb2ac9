import { duplexPair } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { Channel } from '../src/index.ts';
import { limits } from '../src/limits.ts';

type Methods = { add: { params: { a: number; b: number }; result: number }; never: { params: null; result: null } };

const open: Disposable[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each[Symbol.dispose]();
});

/** A channel, and the bare stream at its other end. */
function channel() {
  const [ours, theirs] = duplexPair();
  const made = new Channel<Methods, Methods>(ours, {
    add: ({ a, b }) => a + b,
    never: () => new Promise<null>(() => undefined),
  });
  theirs.on('error', () => undefined);
  open.push(made);
  return { made, theirs };
}

const closed = (made: Channel<Methods, Methods>): Promise<void> => new Promise((resolve) => made.onClose(resolve));

describe('the private channel', () => {
  it('calls both ways, with lines cut anywhere', async () => {
    const { made, theirs } = channel();
    const other = new Channel<Methods, Methods>(theirs, { add: ({ a, b }) => a - b, never: () => null });
    open.push(other);
    expect(await Promise.all([made.call('add', { a: 5, b: 2 }), other.call('add', { a: 5, b: 2 })])).toEqual([3, 7]);
    for (const byte of Buffer.from('{"method":"add","params":{"a":1,"b":"ä"}}\n')) theirs.write(Buffer.of(byte));
    expect(await made.call('add', { a: 1, b: 1 })).toBe(0);
  });

  it.each<[string, string | Buffer]>([
    ['a line that is no JSON', 'nothing\n'],
    ['a line that is no message', '7\n'],
    ['bytes that are no UTF-8', Buffer.from('{"method":"add","params":{"a":1,"b":"\xff"}}\n', 'latin1')],
    ['an answer to a call that was never made', '{"id":99,"result":1}\n'],
    ['an answer without a number', '{"result":1}\n'],
  ])('ends with %s', async (_what, line) => {
    const { made, theirs } = channel();
    const waiting = made.call('never', null);
    waiting.catch(() => undefined);
    theirs.write(line);
    await closed(made);
    await expect(waiting).rejects.toMatchObject({ code: 'channel-closed' });
  });

  it('ends with a line over the limit, before it has ended', async () => {
    const { made, theirs } = channel();
    const part = Buffer.alloc(limits.channelLineBytesMax / 4, 0x20);
    for (let i = 0; i < 4; i++) theirs.write(part);
    theirs.write('{"id":1,"method":"add","params":{"a":1,"b":1}}');
    await closed(made);
  });

  it('answers no method that is none, and no property of every object', async () => {
    const { theirs } = channel();
    const said: string[] = [];
    theirs.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    for (const method of ['nothing', 'constructor', '__proto__'])
      theirs.write(`{"id":1,"method":"${method}","params":null}\n`);
    theirs.write('{"id":2,"method":"add","params":{"a":1,"b":1}}\n');
    await expect.poll(() => said.join('')).toContain('{"id":2,"result":2}');
    expect(said.join('').match(/channel-protocol/g)).toHaveLength(3);
  });

  it('takes no more open calls than its limit, and gives up each in its time', async () => {
    const { made } = channel();
    const many = Array.from({ length: limits.channelCallsMax }, () => made.call('never', null, 1));
    await expect(made.call('never', null)).rejects.toMatchObject({ code: 'channel-full' });
    for (const { status } of await Promise.allSettled(many)) expect(status).toBe('rejected');
    await expect(many[0]).rejects.toMatchObject({ code: 'channel-timeout' });
  });
});
