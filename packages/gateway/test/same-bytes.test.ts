import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { JournalArchive, readJournal } from '@cordon/ledger';
import { HttpSink } from '@cordon/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

let sink: HttpSink;
let rig: Rig;

beforeAll(async () => {
  sink = await HttpSink.start({});
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
  rig = await Rig.start({
    grants: [{ allow: 'http://api.example.com', methods }],
    hosts: { 'api.example.com:80': sink.port },
  });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
});

interface Recorded {
  readonly intent: {
    readonly args: { method: string; path: string; search: string | null; headers: Array<[string, string]> };
    readonly payload: { sha256: string; bytes: number };
  };
  readonly decision: { readonly outcome: string };
}

/** Bodies of the decisions from entry `from` on. */
async function decisionsFrom(from: number): Promise<Recorded[]> {
  const directory = join(rig.home, 'journal');
  const archive = new JournalArchive(directory);
  const found: Recorded[] = [];
  for await (const { entry, position } of readJournal(directory, 'gw', { fromWseq: from })) {
    if (entry.type !== 'decision' || entry.seal === null) continue;
    found.push(JSON.parse(Buffer.from(archive.body(position, entry)).toString()) as Recorded);
  }
  return found;
}

const piece = fc.constantFrom(
  'a',
  '/',
  '..',
  '.',
  ';',
  '%2e',
  '%41',
  '%2f',
  '%40',
  '%c3%a9',
  '%',
  '~',
  '*',
  '=',
  ':',
  '+',
  "'",
);
const path = fc.array(piece, { maxLength: 6 }).map((parts) => `/${parts.join('')}`);
const search = fc.option(
  fc.array(fc.constantFrom('q', '=', '&', '%00', '%0d%0a', '+', '?', '/', '%'), { maxLength: 5 }),
);
const name = fc.constantFrom(
  ...['X-A', 'x-a', 'Cookie', 'Authorization', 'Range', 'Connection', 'X-Forwarded-For', 'X_Forwarded_Host', 'TE'],
  ...['Keep-Alive', 'Accept-Encoding', 'Content-Type', 'Content_Length', 'Via', 'Early-Data', 'Proxy-A', 'Host'],
  ...['Transfer-Encoding', 'Content-Length', 'Expect', 'Upgrade', 'Trailer', 'X-Http-Method', 'Content-Encoding'],
);
const value = fc.constantFrom(
  '1',
  '',
  'close',
  'x-a',
  'keep-alive, cookie',
  'chunked',
  'gzip',
  'a\tb',
  '  a  ',
  '"q"',
  '100-continue',
  'text/plain',
  'evil',
);
const request = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'),
  path,
  search,
  headers: fc.array(fc.tuple(name, value), { maxLength: 5 }),
  body: fc.option(fc.constantFrom('', '{}', '{"a":1,"a":2}', 'x\r\n\r\nGET / HTTP/1.1\r\n\r\n', '\u00ff\u0000')),
  chunked: fc.boolean(),
});

describe('what is sent', () => {
  it('is what was decided and recorded, header by header and byte by byte, or nothing is sent', async () => {
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(request, async ({ method, path, search, headers, body, chunked }) => {
        const from = rig.journal.head.wseq + 1;
        const before = sink.requests.length;
        const lines = headers.map(([key, text]) => `${key}: ${text}`);
        const bytes = body === null ? '' : body;
        if (body !== null) lines.push(chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes.length}`);
        const chunk = bytes === '' ? '' : `${bytes.length.toString(16)}\r\n${bytes}\r\n`;
        const target = `http://api.example.com${path}${search === null ? '' : `?${search.join('')}`}`;
        const head = [`${method} ${target} HTTP/1.1`, 'Host: api.example.com', ...lines, '', ''].join('\r\n');
        using client = await RawClient.to(rig.ports.proxy);
        client.send(head + (body !== null && chunked ? `${chunk}0\r\n\r\n` : bytes));
        await client.until((text) => /HTTP\/1\.1 [2-5][0-9][0-9]/.test(text));

        const got = sink.requests.slice(before);
        const allowed = (await decisionsFrom(from)).filter(({ decision }) => decision.outcome === 'allow');
        expect(got.length).toBe(allowed.length);
        for (const [index, record] of got.entries()) {
          const { args, payload } = allowed[index]?.intent ?? ({} as Recorded['intent']);
          expect(`${record.method} ${record.target}`).toBe(
            `${args.method} ${args.path}${args.search === null ? '' : `?${args.search}`}`,
          );
          const pairs: Array<[string, string]> = [];
          for (let i = 0; i + 1 < record.rawHeaders.length; i += 2)
            pairs.push([record.rawHeaders[i] ?? '', record.rawHeaders[i + 1] ?? '']);
          expect(pairs[0]).toEqual(['Host', 'api.example.com']);
          expect(pairs.at(-1)).toEqual(['Connection', 'keep-alive']);
          const framing = pairs.slice(1, -1).filter(([key]) => /^content-length$/i.test(key));
          expect(framing.length).toBeLessThanOrEqual(1);
          expect(pairs.slice(1, pairs.length - 1 - framing.length)).toEqual(args.headers);
          expect(createHash('sha256').update(record.body).digest('hex')).toBe(payload.sha256);
          expect(record.body.length).toBe(payload.bytes);
          sent += 1;
        }
      }),
      { numRuns: 120 },
    );
    // Most are refused; enough must come through for the comparison to mean something.
    expect(sent).toBeGreaterThan(5);
  });
});
