import { parseDestination } from '@cordon/egress';
import { describe, expect, it } from 'vitest';
import { wireOfH2 } from '../src/http/h2-head.ts';
import { type Head, type HeadRules, type Place, readHead } from '../src/http/head.ts';
import { isRefusal, type Refusal } from '../src/refuse/refusal.ts';

const host = 'api.example.com';
const endpoint = parseDestination(`https://${host}:443`);
if ('refused' in endpoint) throw new Error('fixture');
const place: Place = { kind: 'inside', endpoint };
const rules: HeadRules = { isOwnName: () => false, bodyOnRead: () => false };

type Pairs = ReadonlyArray<readonly [string, string]>;
const pseudo = (change: Readonly<Record<string, string>> = {}): Pairs =>
  Object.entries({ ':method': 'GET', ':scheme': 'https', ':authority': host, ':path': '/x', ...change });
const read = (pairs: Pairs, ended = true): Head | Refusal => readHead(wireOfH2(pairs.flat(), ended), place, rules);
const code = (pairs: Pairs, ended = true): string => {
  const head = read(pairs, ended);
  return isRefusal(head) ? head.code : 'accepted';
};

/** nghttp2 refuses most of these before we see them; what it refuses is not a promise to us. */
describe('a head of HTTP/2 that our own check refuses', () => {
  it.each<[string, Pairs, string]>([
    ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
      (name): [string, Pairs, string] => [`${name} field`, [...pseudo(), [name, 'chunked']], 'malformed-request'],
    ),
    ['TE that is not trailers', [...pseudo(), ['te', 'gzip']], 'malformed-request'],
    ['trailers and more in TE', [...pseudo(), ['te', 'trailers, gzip']], 'malformed-request'],
    ['two :path', [...pseudo(), [':path', '/y']], 'malformed-request'],
    ['two :authority', [...pseudo(), [':authority', host]], 'malformed-request'],
    [':protocol', [...pseudo({ ':method': 'GET' }), [':protocol', 'websocket']], 'malformed-request'],
    [':status', [...pseudo(), [':status', '200']], 'malformed-request'],
    ['a pseudo-header behind a field', [['x', 'y'], ...pseudo()], 'malformed-request'],
    ['capitals in a name', [...pseudo(), ['X-A', 'v']], 'malformed-request'],
    ['an empty name', [...pseudo(), ['', 'v']], 'malformed-request'],
    ['an empty crumb behind another', [...pseudo(), ['cookie', 'a=1'], ['cookie', '']], 'malformed-request'],
    ['an empty crumb before another', [...pseudo(), ['cookie', ''], ['cookie', 'a=1']], 'malformed-request'],
    ['a space before a value', [...pseudo(), ['x', ' v']], 'malformed-request'],
    ['a tab behind a value', [...pseudo(), ['x', 'v\t']], 'malformed-request'],
    ['a space in a name', [...pseudo(), ['x a', 'v']], 'malformed-request'],
    [':scheme http', pseudo({ ':scheme': 'http' }), 'target-form'],
    ['no :scheme', pseudo().filter(([name]) => name !== ':scheme'), 'target-form'],
    ['absolute :path', pseudo({ ':path': `https://${host}/x` }), 'target-form'],
    ['OPTIONS *', pseudo({ ':method': 'OPTIONS', ':path': '*' }), 'target-form'],
    ['empty :path', pseudo({ ':path': '' }), 'target-form'],
    ['no :path', pseudo().filter(([name]) => name !== ':path'), 'target-form'],
    ['no :method', pseudo().filter(([name]) => name !== ':method'), 'method-not-allowed'],
    ['CONNECT', pseudo({ ':method': 'CONNECT' }), 'method-not-allowed'],
    ['no authority', pseudo().filter(([name]) => name !== ':authority'), 'authority-mismatch'],
    ['an empty authority', pseudo({ ':authority': '' }), 'authority-mismatch'],
    ['userinfo', pseudo({ ':authority': `user@${host}` }), 'authority-mismatch'],
    ['host that is not :authority', [...pseudo(), ['host', 'evil.example.com']], 'authority-mismatch'],
    [
      'two host without :authority',
      [...pseudo().filter(([name]) => name !== ':authority'), ['host', host], ['host', host]],
      'authority-mismatch',
    ],
    ['CR and LF in a value', [...pseudo(), ['x', 'a\r\nhost: evil.example.com']], 'header-not-ascii'],
    [
      'two lengths',
      [...pseudo({ ':method': 'POST' }), ['content-length', '1'], ['content-length', '1']],
      'malformed-request',
    ],
  ])('%s', (_name, pairs, expected) => {
    expect(code(pairs)).toBe(expected);
  });

  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])('%s whose stream goes on behind its head', (method) => {
    expect(code(pseudo({ ':method': method }), false)).toBe('body-not-allowed');
    expect(code(pseudo({ ':method': method }), true)).toBe('accepted');
  });
});

describe('a head of HTTP/2 as one of HTTP/1.1', () => {
  it('has its authority for a Host, the crumbs of its cookies in one field, and the rest in order', () => {
    const fields: Pairs = [
      ['x-one', '1'],
      ['cookie', 'a=1'],
      ['host', host.toUpperCase()],
      ['x-two', '2'],
      ['cookie', 'b=2'],
      ['te', 'trailers'],
      ['cookie', 'c=3'],
    ];
    const head = read([...pseudo({ ':method': 'POST' }), ...fields], false);
    if (isRefusal(head)) throw new Error(head.detail);
    expect(head).toMatchObject({ method: 'POST', target: '/x', framing: { kind: 'chunked' }, upgrade: null });
    expect(head.endpoint.origin).toBe(`https://${host}:443`);
    expect(head.headers).toEqual([
      ['host', host],
      ['x-one', '1'],
      ['cookie', 'a=1; b=2; c=3'],
      ['x-two', '2'],
      ['te', 'trailers'],
    ]);
  });

  it('may name its authority by `host` alone', () => {
    const head = read([...pseudo().filter(([name]) => name !== ':authority'), ['host', host]]);
    expect(head).toMatchObject({ endpoint: { host }, framing: { kind: 'none' } });
  });
});
