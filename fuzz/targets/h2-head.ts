import { framedFields } from '../../packages/egress/src/h2-exchange.ts';
import type { Pin } from '../../packages/egress/src/pin.ts';
import { wireTarget } from '../../packages/gateway/src/http/adapter.ts';
import { wireOfH2 } from '../../packages/gateway/src/http/h2-head.ts';
import { type Head, type Place, readHead } from '../../packages/gateway/src/http/head.ts';
import { forwardedHeaders } from '../../packages/gateway/src/http/headers.ts';
import { readTarget } from '../../packages/gateway/src/http/target.ts';
import { isRefusal } from '../../packages/gateway/src/refuse/refusal.ts';
import { data, headers, hello, settingsAck } from '../../packages/testkit/src/hostile/frames.ts';
import { type Feedback, must, type Target, text } from '../engine/target.ts';
import { MemoryH2Front } from '../readers/h2-front.ts';
import { type Fields, isWellFormed, readH2Head } from '../readers/http2.ts';

const endpoint = { scheme: 'https', host: 'a.example', port: 443, origin: 'https://a.example:443', literal: false };
const inside: Place = { kind: 'inside', endpoint: endpoint as (Place & { kind: 'inside' })['endpoint'] };
const rules = { isOwnName: () => false, bodyOnRead: () => true };
const pseudo = ':method\tGET\n:scheme\thttps\n:authority\ta.example\n:path\t/\n';

let front: MemoryH2Front;

export const target: Target = {
  name: 'h2-head',
  about: 'fields of HTTP/2 requests, as they are and through nghttp2 as the gateway sets it up, and readHead',
  oracle:
    'an accepted head is the one that a second reader of RFC 9113 and the WHATWG URL parser read of the fields that were sent (nghttp2 may leave out fields with malformed names or values, nothing else), and what goes upstream has four pseudo-headers of ours and no field that did not come',
  lengthMax: 1024,
  shortRuns: 1500,
  dictionary: [
    ...[':method\t', ':scheme\t', ':authority\t', ':path\t', ':protocol\twebsocket\n', ':status\t200\n', 'host\t'],
    ...[
      'GET',
      'POST',
      'CONNECT',
      'OPTIONS',
      'https',
      'http',
      'a.example',
      'A.Example',
      'a.example:443',
      '/',
      '*',
      '\n',
    ],
    ...['connection\t', 'transfer-encoding\tchunked\n', 'te\ttrailers\n', 'upgrade\t', 'keep-alive\t', '\t', '#', '\\'],
    ...['cookie\ta=1\n', 'content-length\t1\n', 'expect\t100-continue\n', 'X-A\tb\n', '\r\n', '\0', ' ', '%2e', '..'],
    ...['proxy-authorization\t', 'x-forwarded-for\t', 'accept-encoding\tgzip, zip\n', 'user@', '\u00e9', 'more\n'],
  ],
  seeds: () =>
    [
      pseudo,
      `more\n${pseudo.replace('GET', 'POST')}content-length\t1\ncookie\ta=1\nx-a\tb\ncookie\tb=2\n`,
      `${pseudo.replace('\n:path\t/', '\n:path\t/x/../y%41?q=1&r')}host\tA.EXAMPLE\nte\ttrailers\n`,
      `${pseudo.replace(':authority\t', 'x\t')}host\ta.example\n`,
      `${pseudo.replace('a.example', 'a.example:443')}x-forwarded-for\t1\naccept-encoding\tgzip, zip\n`,
    ].map(text),

  async open() {
    front = new MemoryH2Front();
  },
  async close() {
    front[Symbol.dispose]();
  },
  async run(input, feedback) {
    const { fields, ended } = fieldsOf(input);
    checkHead(readHead(wireOfH2(fields.flat(), ended), inside, rules), fields, ended, feedback);
    const bytes = [hello, settingsAck, headers(1, fields, { end: ended }), ...(ended ? [] : [data(1, 'x')])];
    const [wire] = await front.read(Buffer.concat(bytes), inside);
    feedback.note(wire === undefined ? 'nghttp2 refuses' : 'nghttp2 hands over');
    if (wire === undefined) return;
    const delivered = fields.filter((field) => field[0].startsWith(':') || (isWellFormed(field) && !isOddHost(field)));
    checkHead(readHead(wire, inside, rules), delivered, ended, feedback);
  },
};

/** Left out by nghttp2 as well: what RFC 3986 §3.2 does not let stand in an authority, and userinfo. */
function isOddHost([name, value]: Fields[number]): boolean {
  return name === 'host' && !/^[\w.~!$&'()*+,;=:[\]%-]*$/.test(value);
}

/** A line each, name and value apart by a tab; `more` on the first: the stream goes on behind the head. */
function fieldsOf(input: Uint8Array): { readonly fields: Fields; readonly ended: boolean } {
  const lines = Buffer.from(input).toString('latin1').split('\n');
  const ended = lines[0] !== 'more';
  const fields = lines
    .filter((line, i) => line !== '' && (i > 0 || ended))
    .map((line): readonly [string, string] => {
      const tab = line.indexOf('\t');
      return tab < 0 ? [line, ''] : [line.slice(0, tab), line.slice(tab + 1)];
    });
  return { fields, ended };
}

function checkHead(head: ReturnType<typeof readHead>, sent: Fields, ended: boolean, feedback: Feedback): void {
  feedback.note(isRefusal(head) ? head.code : head.framing.kind);
  if (isRefusal(head)) return;
  const strict = readH2Head(sent);
  must(strict !== null, 'accepted, but malformed to a strict reader', head, sent);
  must(head.method === strict.method, 'another method', head.method, strict.method);
  const fields = head.headers.filter(([name]) => name !== 'host');
  must(JSON.stringify(fields) === JSON.stringify(strict.fields), 'other fields', fields, strict.fields);
  const url = URL.parse(`https://${strict.authority}${strict.path}`);
  must(url !== null && url.origin === 'https://a.example', 'another origin', strict.authority, head.endpoint);
  must(url.username === '' && url.password === '' && url.hash === '', 'userinfo or a fragment', url.href);
  must(head.target === strict.path, 'another target', head.target, strict.path);
  const lengths = strict.fields.filter(([name]) => name === 'content-length').map(([, value]) => value);
  must(lengths.length <= 1 && lengths.every((value) => /^[0-9]+$/.test(value)), 'no length', lengths);
  const expected = lengths.length > 0 ? ['length', 'none'] : [ended ? 'none' : 'chunked'];
  must(expected.includes(head.framing.kind), 'another framing', head.framing, lengths);
  checkForwarded(head, feedback);
}

function checkForwarded(head: Head, feedback: Feedback): void {
  const read = readTarget(head.target, false);
  feedback.note(isRefusal(read) ? `target ${read.code}` : 'target');
  if (isRefusal(read)) return;
  const forwarded = forwardedHeaders(head.headers);
  const args = { method: head.method, path: read.path, search: read.search, query: read.query, headers: forwarded };
  const pin = { ...head.endpoint, addresses: [], classes: [] } as unknown as Pin;
  const flat = framedFields({ method: head.method, target: wireTarget(args), headers: forwarded }, pin, null);
  const pairs = flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : []));
  const own = [':method', head.method, ':scheme', 'https', ':authority', 'a.example', ':path', wireTarget(args)];
  must(JSON.stringify(flat.slice(0, 8)) === JSON.stringify(own), 'another request upstream', flat);
  must(readH2Head(pairs) !== null, 'what goes upstream is malformed', flat);
  for (const [name, value] of pairs.slice(4)) {
    must(!hopByHop.test(name.replaceAll('_', '-')), 'a hop-by-hop field upstream', name);
    if (name === 'accept-encoding') continue;
    const ours = name === 'content-length' && value === '0' && /^(POST|PUT|PATCH)$/.test(head.method);
    const came = head.headers.some(([one, other]) => one === name && other === value);
    must(ours || (name !== 'content-length' && came), 'a field upstream that did not come', name, value);
  }
}

const hopByHop =
  /^(:.*|connection|keep-alive|te|trailer|transfer-encoding|upgrade|host|expect|proxy-.*|x-forwarded-.*|forwarded)$/;
