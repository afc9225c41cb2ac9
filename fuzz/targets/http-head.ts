import { framedHeaders } from '../../packages/egress/src/exchange.ts';
import type { Pin } from '../../packages/egress/src/pin.ts';
import { wireTarget } from '../../packages/gateway/src/http/adapter.ts';
import { type Head, type Place, readHead } from '../../packages/gateway/src/http/head.ts';
import { forwardedHeaders } from '../../packages/gateway/src/http/headers.ts';
import { readTarget } from '../../packages/gateway/src/http/target.ts';
import type { WireHead } from '../../packages/gateway/src/http/wire-head.ts';
import { isRefusal } from '../../packages/gateway/src/refuse/refusal.ts';
import { type Feedback, must, type Target, text } from '../engine/target.ts';
import { MemoryFront } from '../readers/front.ts';
import { readHeadStrictly, readStrictly, type StrictHead } from '../readers/http1.ts';

const inside: Place = {
  kind: 'inside',
  endpoint: { scheme: 'https', host: 'a.example', port: 443, origin: 'https://a.example:443', literal: false },
};
const places: readonly Place[] = [{ kind: 'proxy' }, { kind: 'plain' }, inside];
const rules = { isOwnName: () => false, bodyOnRead: () => true };

let front: MemoryFront;

export const target: Target = {
  name: 'http-head',
  about: 'request heads, through node:http as the gateway sets it up, and readHead in every place',
  oracle:
    'an accepted head is the one that a strict second reader and the WHATWG URL parser read, and what goes upstream reads as the same request with none of the hop-by-hop headers',
  lengthMax: 2048,
  shortRuns: 4000,
  dictionary: [
    ...['GET ', 'POST ', 'HTTP/1.1', 'HTTP/1.0', '\r\n', '\r\n\r\n', '\n', '\r', ' ', '\t', ':', 'http://', 'https://'],
    ...['Host: ', 'Content-Length: 1', 'Transfer-Encoding: chunked', 'Transfer_Encoding: x', 'Connection: ', ', '],
    ...['[::1]', '127.0.0.1', '0x7f.1', '%2e', '%2f', '%5c', '..', '//', '/./', ';', '@', '#', '?', '*', '\\'],
    ...['a.example', 'A.Example', 'a.example.', 'xn--', '\u00e9', ':443', ':80', ':0', 'X-Forwarded-For: 1'],
    ...['Expect: 100-continue', 'Upgrade: websocket', 'Accept-Encoding: ', 'X-HTTP-Method-Override: PUT'],
  ],
  seeds: () =>
    [
      'GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n',
      'POST /x/../y%41?q=1&r HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\nX-A: b\r\nConnection: x-a\r\n\r\n',
      'GET https://a.example:443/a//b HTTP/1.0\r\n\r\n',
      'OPTIONS http://[2001:db8::1]:8080?x HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nAccept-Encoding: gzip, zip\r\n\r\n',
      'PUT / HTTP/1.1\r\nhost: A.example\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n',
    ].map(text),

  async open() {
    front = new MemoryFront();
  },
  async close() {
    front[Symbol.dispose]();
  },
  async run(input, feedback) {
    const bytes = Buffer.from(input);
    const wires: WireHead[] = [];
    await front.serve(bytes, {
      request: async (request) => {
        wires.push(request.wire);
        return false;
      },
      connect: () => undefined,
      refused: (code) => feedback.note(code),
    });
    const [wire] = wires;
    if (wire === undefined) return;
    for (const place of places) checkHead(wire, place, bytes, feedback);
  },
};

function checkHead(wire: WireHead, place: Place, bytes: Buffer, feedback: Feedback): void {
  const head = readHead(wire, place, rules);
  feedback.note(`${place.kind} ${isRefusal(head) ? head.code : head.framing.kind}`);
  if (isRefusal(head)) return;
  const strict = readHeadStrictly(bytes);
  must(strict !== null, 'accepted, but no request to a strict reader', head);
  must(head.method === strict.method, 'another method', head.method, strict.method);
  must(sameHeaders(head.headers, strict.headers), 'other headers', head.headers, strict.headers);
  const url = urlOf(strict, place);
  must(url !== null, 'accepted, but the URL has no reading', strict.target);
  must(url.hostname.replace(/^\[|\]$/g, '') === head.endpoint.host, 'another host', url.href, head.endpoint);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  must(port === head.endpoint.port && url.protocol === `${head.endpoint.scheme}:`, 'another origin', url.href, head);
  must(url.username === '' && url.password === '', 'userinfo', url.href);
  const framing = head.framing.kind === 'none' ? null : head.framing.kind;
  const codings = strict.headers.filter(([name]) => name.toLowerCase() === 'transfer-encoding').length;
  must(codings > 0 === (framing === 'chunked'), 'another framing', head.framing, strict.headers);
  checkForwarded(head, url, feedback);
}

function checkForwarded(head: Head, url: URL, feedback: Feedback): void {
  const read = readTarget(head.target, false);
  feedback.note(isRefusal(read) ? `target ${read.code}` : 'target');
  if (isRefusal(read)) return;
  must(same(segmentsOf(read.path), segmentsOf(url.pathname)), 'another path', read.path, url.pathname);
  must((read.search ?? '') === queryOf(head.target), 'another query', read, head.target);
  const headers = forwardedHeaders(head.headers);
  const pin = { ...head.endpoint, addresses: [], classes: [] } as unknown as Pin;
  const args = { method: head.method, path: read.path, search: read.search, query: read.query, headers };
  const flat = framedHeaders({ method: head.method, target: wireTarget(args), headers }, pin, null, true);
  const lines = Array.from({ length: flat.length / 2 }, (_, i) => `${flat[2 * i]}: ${flat[2 * i + 1]}\r\n`);
  const sent = Buffer.from(`${head.method} ${wireTarget(args)} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  const [again] = readStrictly(sent).messages;
  must(again !== undefined, 'what goes upstream is no request', sent);
  must(again.method === head.method && again.target === wireTarget(args), 'another request line upstream', sent);
  const own = again.headers.filter(([name]) => ownFields.has(name.toLowerCase()));
  must(own.length <= 3 && own[0]?.[0] === 'Host', 'framing or authority upstream that is not ours', again.headers);
  const named = head.headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((one) => one.trim().toLowerCase()));
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    must(!hopByHop.test(key.replaceAll('_', '-')) && !named.includes(key), 'a hop-by-hop header upstream', name);
    if (key === 'accept-encoding') continue;
    must(
      head.headers.some(([one, other]) => one === name && other === value),
      'a header upstream that did not come',
      name,
      value,
    );
  }
}

const ownFields: ReadonlySet<string> = new Set(['host', 'content-length', 'connection', 'transfer-encoding']);
const hopByHop =
  /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|host|content-length|expect|proxy-.*|x-forwarded-.*|forwarded)$/;

function urlOf({ target: written, headers }: StrictHead, place: Place): URL | null {
  const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? '';
  const scheme = place.kind === 'inside' ? 'https' : 'http';
  return URL.parse(written.startsWith('/') ? `${scheme}://${host}${written}` : written);
}

/** What a server makes of a path: each segment unescaped by itself. */
function segmentsOf(path: string): string[] {
  return path
    .split('/')
    .map((segment) =>
      segment.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    );
}

function queryOf(written: string): string {
  const at = written.indexOf('?');
  return at < 0 ? '' : written.slice(at + 1);
}

function sameHeaders(a: Head['headers'], b: Head['headers']): boolean {
  return a.length === b.length && a.every(([name, value], i) => name === b[i]?.[0] && value === b[i]?.[1]);
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
