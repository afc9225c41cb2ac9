import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { relayHeaderBytes } from '@cordon/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import { Answers } from '../src/listen/datagrams.ts';
import { RelayServer } from '../src/listen/relay-server.ts';
import { DatagramFrames, serveDatagrams } from '../src/listen/relayed-datagrams.ts';
import { HeldBytes } from '../src/session/held.ts';
import { Session } from '../src/session/session.ts';
import { freePurse } from './free-purse.ts';

const token = 'ab'.repeat(32);
const ticket = 3;

function header(change: (bytes: Buffer) => void = () => undefined): Buffer {
  const bytes = Buffer.alloc(relayHeaderBytes);
  bytes.write('CRL1', 'latin1');
  bytes.set(Buffer.from(token, 'hex'), 4);
  bytes.writeUInt32LE(ticket, 36);
  bytes[40] = 4;
  bytes.writeUInt16BE(25, 42);
  bytes.set([192, 0, 2, 9], 44);
  change(bytes);
  return bytes;
}

describe('a relay’s socket', () => {
  let folder = '';
  let place = '';
  let server: RelayServer;
  let session: Session;
  const taken: string[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'rl-'));
    place = path.join(folder, 'gateway');
    session = new Session(
      'ses_relay',
      { seq: 0, decisions: 0, attempt: null, closed: [], label: null, leaked: 0 },
      limits,
      new HeldBytes(limits.bodyBytesHeldMax),
      freePurse(),
    );
    taken.length = 0;
    server = await RelayServer.open({ path: place, token, ticket: 0 }, limits);
    server.listen(ticket, {
      session,
      speaksHttp: true,
      limits: { ...limits, connectionsPerSessionMax: 2 },
      accepted: (socket, local) => {
        taken.push(`${local?.address} ${local?.port}`);
        socket.on('data', (bytes) => socket.write(bytes));
        socket.on('end', () => socket.end('end'));
      },
    });
  });
  afterEach(async () => {
    session.close();
    await server.close();
    expect(existsSync(place)).toBe(false);
    rmSync(folder, { recursive: true });
  });

  /** Everything that comes back until it is closed; '' when nothing does. */
  async function heard(bytes: Buffer, then: (socket: Socket) => void): Promise<string> {
    const socket = connect({ path: place, allowHalfOpen: true });
    let all = '';
    socket.on('data', (chunk) => {
      all += chunk.toString('latin1');
      if (all === '\x06') then(socket);
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    // What is no whole header is followed by nothing.
    if (bytes.length < relayHeaderBytes) socket.end(bytes);
    else socket.write(bytes);
    await once(socket, 'close');
    return all;
  }

  it('gives a connection and the place it was made to, both ways, each to its own end', async () => {
    expect(await heard(header(), (socket) => socket.end('said'))).toBe('\x06saidend');
    expect(taken).toEqual(['192.0.2.9 25']);
  });

  it.each([
    ['another token', header((bytes) => bytes.fill(0, 4, 36))],
    ['another socket', header((bytes) => bytes.writeUInt32LE(ticket + 1, 36))],
    ['no place', header((bytes) => bytes.fill(0, 40))],
    ['another magic', header((bytes) => bytes.fill(0, 0, 4))],
    ['more than a header', Buffer.concat([header(), Buffer.from('GET / HTTP/1.1\r\n\r\n')])],
    ['HTTP', Buffer.from(`GET /${'x'.repeat(relayHeaderBytes)} HTTP/1.1\r\n\r\n`)],
    ['half of it', header().subarray(0, 30)],
  ])('with %s answers nothing and takes nothing', async (_, bytes) => {
    expect(await heard(bytes, (socket) => socket.end())).toBe('');
    expect(taken).toEqual([]);
    expect(session.sockets.size).toBe(0);
  });

  it('holds what every socket holds to: the count of connections, and the end of the session', async () => {
    const open = [connect({ path: place }), connect({ path: place })];
    for (const socket of open) socket.write(header());
    await Promise.all(open.map((socket) => once(socket, 'data')));
    expect(await heard(header(), () => undefined)).toContain('too-many-connections');
    session.close();
    await Promise.all(open.map((socket) => once(socket.resume(), 'close')));
    expect(await heard(header(), () => undefined)).toBe('\x06');
    expect(taken).toHaveLength(2);
  });

  it('waits for a header only so long', async () => {
    const quick = path.join(folder, 'quick');
    const other = await RelayServer.open({ path: quick, token, ticket: 0 }, { ...limits, relayHeaderTimeoutMs: 1 });
    const socket = connect({ path: quick });
    socket.on('error', () => undefined);
    await once(socket.resume(), 'close');
    await other.close();
  });

  it('carries questions and answers with where they came from', async () => {
    const answer = async (bytes: Buffer): Promise<Buffer | null> =>
      bytes.length === 0 ? null : Buffer.from(bytes.toString().toUpperCase());
    server.take(9, (socket) => serveDatagrams(socket, { waitingMax: 8, answer }, 16));
    const socket = connect({ path: place });
    socket.on('error', () => undefined);
    let all: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      all = Buffer.concat([all, chunk]);
    });
    const from = (number: number): Buffer => Buffer.alloc(18, number);
    const frame = (text: string, number: number): Buffer =>
      Buffer.concat([Buffer.from([0, text.length]), from(number), Buffer.from(text)]);
    socket.write(header((bytes) => bytes.writeUInt32LE(9, 36)));
    await once(socket, 'data');
    const questions = Buffer.concat([frame('one', 1), frame('', 2), frame('two', 3)]);
    for (const byte of questions) socket.write(Buffer.from([byte]));
    const wanted = Buffer.concat([Buffer.from([6]), frame('ONE', 1), frame('TWO', 3)]);
    while (all.length < wanted.length) await once(socket, 'data');
    expect(all).toEqual(wanted);
    socket.write(frame('x'.repeat(17), 1));
    await once(socket, 'close');
  });
});

describe('frames of datagrams', () => {
  it('are cut alike however they arrive', () => {
    const frame = Buffer.concat([Buffer.from([0, 2]), Buffer.alloc(18, 7), Buffer.from('hi')]);
    const whole = Buffer.concat([frame, frame]);
    for (let cut = 0; cut <= whole.length; cut++) {
      const frames = new DatagramFrames(2);
      const found = [whole.subarray(0, cut), whole.subarray(cut)].flatMap((part) => frames.push(part) ?? []);
      expect(found.map(({ bytes }) => String(bytes))).toEqual(['hi', 'hi']);
      expect(found.every(({ from }) => from.equals(Buffer.alloc(18, 7)))).toBe(true);
    }
    expect(new DatagramFrames(1).push(frame)).toBeNull();
  });

  it('are dropped while too many wait for an answer', async () => {
    const asked: string[] = [];
    let settle: (answer: Buffer | null) => void = () => undefined;
    const held = new Promise<Buffer | null>((resolve) => {
      settle = resolve;
    });
    const answers = new Answers({
      waitingMax: 1,
      answer: (bytes) => {
        asked.push(String(bytes));
        return held;
      },
    });
    const replies: string[] = [];
    for (const question of ['a', 'b']) answers.ask(Buffer.from(question), (answer) => replies.push(String(answer)));
    expect(asked).toEqual(['a']);
    settle(Buffer.from('yes'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(replies).toEqual(['yes']);
    answers.ask(Buffer.from('c'), () => undefined);
    expect(asked).toEqual(['a', 'c']);
  });
});
