import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildLaunch } from '../workspace/support.ts';
import { open, TestHost, until } from './support.ts';

beforeAll(buildLaunch);

describe('attach', () => {
  test('a client that comes back misses nothing that is still in the ring', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('for i in $(seq 1 200); do echo line-$i; done; read x; echo tail; read x');
    await control.call('start', order);
    const first = await host.attach(order.session);
    await expect.poll(() => first.text('stdout')).toContain('line-200\n');
    const seen = first.offset - 5;
    first.socket.destroy();
    const second = await host.attach(order.session, seen);
    second.send('stdin', 'go\n');
    await expect.poll(() => second.text('stdout')).toBe('-200\ntail\n');
    const whole = await host.attach(order.session, 0);
    await expect.poll(() => whole.text('stdout')).toMatch(/^line-1\n.*line-200\ntail\n$/s);
    second.send('stdin', 'end\n');
    expect((await whole.exit()).status).toBe(0);
  });

  test('the first client may take its time: nothing of a fast command is lost before it', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('seq 1 300000');
    await control.call('start', order);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const client = await host.attach(order.session);
    expect((await client.exit()).status).toBe(0);
    expect(client.text('notice')).toBe('');
    expect(client.text('stdout')).toMatch(/^1\n2\n[\s\S]*300000\n$/);
  });

  test('with nobody attached any more the agent goes on; what the ring dropped is counted', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order(
      'echo begun; sleep 0.5; head -c 3000000 /dev/zero | tr "\\0" x; echo -n end; echo done > marker; sleep 1000',
    );
    await control.call('start', order);
    const { session } = order;
    const early = await host.attach(session);
    await expect.poll(() => early.text('stdout')).toBe('begun\n');
    early.socket.destroy();
    // Written although nobody reads: a full pipe would have stopped it.
    await expect.poll(async () => (await control.call('changes', { session })).length, { timeout: 10_000 }).toBe(1);
    const late = await host.attach(session);
    await expect.poll(() => late.text('stdout')).toMatch(/xend$/);
    const lost = JSON.parse(late.frames.find((frame) => frame.type === 'notice')?.text ?? '{}') as {
      code: string;
      bytes: number;
      offset: number;
    };
    expect(lost.code).toBe('output-lost');
    expect(lost.bytes).toBe(lost.offset);
    expect(lost.offset + late.offset).toBe(3_000_009);
  });

  test('a client that does not read stops the agent; when it goes the agent goes on', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('read go; head -c 30000000 /dev/zero; echo done > marker; sleep 1000');
    await control.call('start', order);
    const { session } = order;
    const slow = await host.attach(session);
    slow.send('stdin', 'go\n');
    await expect.poll(() => slow.offset).toBeGreaterThan(0);
    slow.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await control.call('changes', { session })).toEqual([]);
    slow.socket.destroy();
    await expect.poll(async () => (await control.call('changes', { session })).length, { timeout: 10_000 }).toBe(1);
  });

  test('all output arrives whole and in order, whatever its size', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('read go; seq 1 300000');
    await control.call('start', order);
    const client = await host.attach(order.session);
    client.send('stdin', 'go\n');
    expect((await client.exit()).status).toBe(0);
    expect(client.text('stdout')).toBe(Array.from({ length: 300_000 }, (_, i) => `${i + 1}\n`).join(''));
  });

  test('an ended session can still be read, with its exit last', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('echo bye; exit 3');
    await control.call('start', order);
    await host.tells('session.exited');
    const late = await host.attach(order.session);
    expect((await late.exit()).status).toBe(3);
    expect(late.text('stdout')).toBe('bye\n');
  });

  test('signals and window size reach the command', async () => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order(
      'trap "echo got-usr1" USR1; trap "stty size" WINCH; echo up; while :; do sleep 0.05; done',
      { terminal: { cols: 80, rows: 24 } },
    );
    await control.call('start', order);
    const client = await host.attach(order.session);
    await expect.poll(() => client.text('stdout')).toContain('up');
    client.send('signal', 'SIGUSR1');
    await expect.poll(() => client.text('stdout')).toContain('got-usr1');
    client.send('resize', JSON.stringify({ cols: 132, rows: 50 }));
    await expect.poll(() => client.text('stdout')).toContain('50 132');
  });

  test.each([
    ['no such session', `{"session":"ses_x","exec":null,"offset":0}\n`, 'no-such-stream'],
    ['no JSON', 'hello\n', 'attach-malformed'],
    ['a negative offset', `{"session":"ses_x","exec":null,"offset":-1}\n`, 'attach-malformed'],
    ['an endless line', 'x'.repeat(5000), 'attach-malformed'],
  ])('%s is refused without an exit frame', async (_name, line, code) => {
    await using host = new TestHost();
    await host.supervisor();
    const socket = await open(join(host.runtime, 'stream.sock'));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.write(line);
    await until(() => socket.closed || socket.readableEnded, 'the end');
    expect(answer).toContain(code);
    expect(answer.charCodeAt(0)).toBe(5);
  });

  test.each([
    ['a frame of the wrong direction', Buffer.from([1, 0, 0, 0, 1, 65])],
    ['a frame over the limit', Buffer.from([0, 255, 255, 255, 255])],
    ['an unknown signal', Buffer.from([3, 0, 0, 0, 3, 65, 65, 65])],
    ['a window without size', Buffer.concat([Buffer.from([4, 0, 0, 0, 2]), Buffer.from('{}')])],
  ])('%s ends the connection and not the session', async (_name, bytes) => {
    await using host = new TestHost();
    await host.supervisor();
    const control = await host.control();
    const order = host.order('echo up; read x; echo went on');
    await control.call('start', order);
    const bad = await host.attach(order.session);
    await expect.poll(() => bad.text('stdout')).toContain('up');
    bad.socket.write(bytes);
    await until(() => bad.closed, 'the bad client to be cut');
    const good = await host.attach(order.session, 3);
    good.send('stdin', 'x\n');
    expect((await good.exit()).status).toBe(0);
    expect(good.text('stdout')).toBe('went on\n');
  });
});
