import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeAttachFrames, isCordonError } from '@cordon/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiAnswer, ApiError, Cordon, connect, type Output, type Transport } from '../src/index.ts';

/** A real HTTP server on a Unix socket that says what a test wants; what the client makes of it is under test. */
let folder: string;
let server: http.Server;
let answer: (request: http.IncomingMessage, body: string, response: http.ServerResponse) => void;
const seen: Array<{ method: string; url: string; body: string; headers: http.IncomingHttpHeaders }> = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'sdk-'));
  seen.length = 0;
  server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', body, headers: request.headers });
      answer(request, body, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(path.join(folder, 's'), resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const open = (): Cordon => connect({ socket: path.join(folder, 's') });
const json =
  (status: number, value: unknown) =>
  (_request: http.IncomingMessage, _body: string, response: http.ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
const caught = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable('it succeeded'),
    (error: unknown) => error,
  );

describe('calls', () => {
  it('report a refusal with the daemon’s code and next steps', async () => {
    answer = json(409, {
      type: 'urn:x',
      title: 't',
      status: 409,
      detail: 'agent x is stopped',
      code: 'session-stopped',
      next_steps: ['cordon unfreeze --agent x'],
    });
    const error = await caught(open().sessions.create({ command: ['true'], workspace: '/w' }));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 409,
      code: 'session-stopped',
      message: 'agent x is stopped',
      nextSteps: ['cordon unfreeze --agent x'],
    });
  });

  it.each([
    ['an error that is no problem+json', 500, 'oops'],
    ['a success of another shape', 200, '{"secrets": [{"name": 1}]}'],
    ['a success with an unknown member', 200, '{"secrets": [], "more": 1}'],
    ['no JSON', 200, '<html>'],
  ])('refuse %s', async (_what, status, text) => {
    answer = (_request, _body, response) => response.writeHead(status).end(text);
    const error = await caught(open().secrets());
    expect(isCordonError(error) && error.code).toBe('answer-invalid');
  });

  it('say that the daemon is not there', async () => {
    const error = await caught(connect({ socket: path.join(folder, 'none') }).status());
    expect(error).toMatchObject({ code: 'unreachable' });
    expect((error as { nextSteps: string[] }).nextSteps).toContain('cordon up');
  });

  it('send the idempotency key, and names only as one path segment', async () => {
    answer = json(200, { name: 'x', version: 1, createdAt: '', lastUsedAt: null });
    await open().setSecret('../sessions', 'value');
    expect(seen[0]).toMatchObject({ method: 'PUT', url: '/v1/secrets/..%2Fsessions', body: '{"value":"value"}' });
    answer = json(404, {});
    await caught(open().sessions.create({ command: ['true'], workspace: '/w' }, { idempotencyKey: 'k1' }));
    expect(seen[1]?.headers['idempotency-key']).toBe('k1');
  });
});

const decision = (attempt: string) => ({
  attempt,
  at: '',
  session: 's',
  agent: 'a',
  action: 'http.request',
  resource: 'r',
  summary: 'GET',
  outcome: 'deny',
  code: 'no-grant',
  reasons: [],
  next: [],
  intent: 'i',
  generation: 1,
  revision: 1,
  status: null,
  bytesIn: null,
  bytesOut: null,
  result: null,
});

describe('decisions', () => {
  it('come page by page, as they are needed', async () => {
    answer = (request, _body, response) => {
      const cursor = new URL(request.url ?? '', 'http://x').searchParams.get('cursor');
      json(
        200,
        cursor === null ? { decisions: [decision('1')], next: 'c' } : { decisions: [decision('2')], next: null },
      )(request, '', response);
    };
    const found: string[] = [];
    for await (const each of open().decisions()) found.push(each.attempt);
    expect(found).toEqual(['1', '2']);
  });

  it('follow a stream however it is cut, and skip heartbeats', async () => {
    const text = `: beat\n\nevent: decision\nid: 1\ndata: ${JSON.stringify(decision('é1'))}\n\n:\n\nevent: decision\nid: 2\ndata: ${JSON.stringify(decision('2'))}\n\n`;
    const bytes = Buffer.from(text);
    for (let cut = 0; cut <= bytes.length; cut += 7) {
      const found: string[] = [];
      for await (const each of new Cordon(chunks([bytes.subarray(0, cut), bytes.subarray(cut)])).decisions({
        follow: true,
      }))
        found.push(each.attempt);
      expect(found, `cut at ${cut}`).toEqual(['é1', '2']);
    }
  });

  it('end when the caller aborts', async () => {
    answer = (_request, _body, response) =>
      void response.writeHead(200).write(`event: decision\ndata: ${JSON.stringify(decision('1'))}\n\n`);
    const stop = new AbortController();
    await caught(
      (async () => {
        for await (const _each of open().decisions({ follow: true, signal: stop.signal })) stop.abort();
      })(),
    );
    expect(stop.signal.aborted).toBe(true);
  });
});

/** A transport that answers with these chunks. */
function chunks(parts: readonly Uint8Array[], upgraded: readonly Uint8Array[] = []): Transport {
  const stream = async function* (of: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    yield* of;
  };
  return {
    send: (): Promise<ApiAnswer> => Promise.resolve({ status: 200, headers: {}, body: stream(parts) }),
    upgrade: () => Promise.resolve({ input: stream(upgraded), write: () => Promise.resolve(), close: () => undefined }),
  };
}

describe('an attachment', () => {
  const exit = Buffer.from(JSON.stringify({ status: 3, reason: 'exited', signal: null, detail: null }));
  const frames = Buffer.concat([
    ...encodeAttachFrames('stdout', Buffer.from('out')),
    ...encodeAttachFrames('notice', Buffer.from('{"code":"frozen"}')),
    ...encodeAttachFrames('stderr', Buffer.from('err')),
    ...encodeAttachFrames('exit', exit),
  ]);
  const read = async (bytes: readonly Uint8Array[]): Promise<Output[]> => {
    const outputs: Output[] = [];
    for await (const output of await new Cordon(chunks([], bytes)).sessions.handle('ses_x').attach())
      outputs.push(output);
    return outputs;
  };

  it('gives output, notices and the exit, however the bytes are cut', async () => {
    for (let cut = 0; cut <= frames.length; cut++) {
      const outputs = await read([frames.subarray(0, cut), frames.subarray(cut)]);
      expect(
        outputs.map((output) => output.type),
        `cut at ${cut}`,
      ).toEqual(['stdout', 'notice', 'stderr', 'exit']);
      expect(outputs.at(-1)).toMatchObject({ exit: { status: 3 } });
    }
  });

  it.each([
    ['ends without an exit', frames.subarray(0, frames.length - exit.length - 5)],
    ['has a frame of unknown type', Buffer.from([9, 0, 0, 0, 0])],
    ['has a frame over the limit', Buffer.from([1, 255, 255, 255, 255])],
    ['has a frame that only clients send', Buffer.concat(encodeAttachFrames('stdin', Buffer.from('x')))],
  ])('fails when the stream %s', async (_what, bytes) => {
    expect(await caught(read([bytes]))).toMatchObject({ code: 'stream-lost' });
  });
});
