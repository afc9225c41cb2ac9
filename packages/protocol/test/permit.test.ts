import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coveredRequest, type PermitClaims, parsePermitToken, permitSigningInput, permitToken } from '../src/index.ts';
import { limits } from '../src/limits.ts';

const kid = 'k'.repeat(43);
const digest = `sha256:${'d'.repeat(64)}`;
const claims: PermitClaims = {
  v: 'permit/1',
  id: `prm_0${'b'.repeat(25)}`,
  aud: 'payments',
  boot: `bot_0${'c'.repeat(25)}`,
  tenant: 'local',
  session: `ses_0${'a'.repeat(25)}`,
  attempt: `att_0${'b'.repeat(25)}`,
  intent: digest,
  decision: digest,
  recorded: { writer: 'gw', wseq: 7, tier: 'os' },
  generation: 3,
  revision: 1,
  epoch: 0,
  issued: '2026-01-01T00:00:00.000Z',
  until: '2026-01-01T00:01:00.000Z',
  destination: 'https://payments.example:443',
  payload: { sha256: 'e'.repeat(64), bytes: 12 },
  request: digest,
  credentials: ['authorization'],
  obligations: ['bytes:10', 'durable:disk'],
};
const signature = new Uint8Array(64).fill(7);
const token = permitToken(permitSigningInput(kid, claims), signature);
const [head = '', body = '', tail = ''] = token.split('.');
const coded = (text: string): string => Buffer.from(text).toString('base64url');
const header = `{"alg":"ES256","kid":"${kid}","typ":"cordon-permit+jws"}`;
const codeOf = (text: string): string => {
  const read = parsePermitToken(text);
  return read.ok ? 'ok' : read.code;
};

describe('a permit token', () => {
  it('is read as it was written', () => {
    expect(coded(header)).toBe(head);
    const read = parsePermitToken(token);
    if (!read.ok) throw new TypeError(read.code);
    expect(read).toMatchObject({ kid, claims, signature });
    expect(Buffer.from(read.signed).toString()).toBe(`${head}.${body}`);
  });

  it.each([
    ['a key in it', `{"alg":"ES256","jwk":{},"kid":"${kid}","typ":"cordon-permit+jws"}`],
    ['an address of keys', `{"alg":"ES256","jku":"https://a","kid":"${kid}","typ":"cordon-permit+jws"}`],
    ['a certificate', `{"alg":"ES256","kid":"${kid}","typ":"cordon-permit+jws","x5c":[]}`],
    ['crit', `{"alg":"ES256","crit":[],"kid":"${kid}","typ":"cordon-permit+jws"}`],
    ['none', `{"alg":"none","kid":"${kid}","typ":"cordon-permit+jws"}`],
    ['HS256', `{"alg":"HS256","kid":"${kid}","typ":"cordon-permit+jws"}`],
    ['ES384', `{"alg":"ES384","kid":"${kid}","typ":"cordon-permit+jws"}`],
    ['another type', `{"alg":"ES256","kid":"${kid}","typ":"dpop+jwt"}`],
    ['no type', `{"alg":"ES256","kid":"${kid}"}`],
    ['no key', '{"alg":"ES256","typ":"cordon-permit+jws"}'],
    ['an odd key', '{"alg":"ES256","kid":"../../keys","typ":"cordon-permit+jws"}'],
    ['an algorithm twice', `{"alg":"none","alg":"ES256","kid":"${kid}","typ":"cordon-permit+jws"}`],
    ['another order', `{"typ":"cordon-permit+jws","alg":"ES256","kid":"${kid}"}`],
    ['a space', `${header} `],
    ['a BOM', `\ufeff${header}`],
    ['no object', '"ES256"'],
    ['no JSON', 'alg=ES256'],
  ])('has no other header: %s', (_, text) => {
    expect(codeOf(`${coded(text)}.${body}.${tail}`)).toBe('permit-header');
  });

  it('has one spelling', () => {
    const json = Buffer.from(body, 'base64url').toString();
    for (const text of [
      json.replace('"aud"', ' "aud"'),
      json.replace('{"attempt"', '{"aud":"other","attempt"'),
      json.replace('payments"', 'pay\\u006dents"'),
      `\ufeff${json}`,
      json.replace('"epoch":0', '"epoch":0.0'),
      json.replace('"epoch":0', '"epoch":-0'),
      json.replace('"epoch":0', '"__proto__":{},"epoch":0'),
    ]) {
      expect(codeOf(`${head}.${coded(text)}.${tail}`), text).toBe('permit-malformed');
    }
    // The last character of 64 bytes in base64url carries four bits that say nothing.
    expect(codeOf(`${token.slice(0, -1)}${tail.endsWith('A') ? 'B' : 'C'}`)).toBe('permit-malformed');
    expect(codeOf(`${token}==`)).toBe('permit-malformed');
    expect(codeOf(token.replaceAll('_', '/'))).not.toBe(tail.includes('_') ? 'ok' : '');
    expect(codeOf(`${head}.${body}`)).toBe('permit-malformed');
    expect(codeOf(`${head}..${tail}`)).toBe('permit-malformed');
    for (const bytes of [0, 32, 63, 65, 128]) {
      expect(codeOf(`${head}.${body}.${coded('s'.repeat(bytes))}`), `${bytes}`).toBe('permit-malformed');
    }
    expect(codeOf(`${token}.`)).toBe('permit-malformed');
    expect(codeOf('')).toBe('permit-malformed');
  });

  it('is bounded before anything of it is decoded', () => {
    expect(codeOf('.'.repeat(limits.permitCharsMax + 1))).toBe('permit-too-large');
    expect(codeOf('.'.repeat(limits.permitCharsMax))).toBe('permit-malformed');
  });

  it('has exactly its claims', () => {
    const changed = (change: object): string =>
      codeOf(permitToken(permitSigningInput(kid, { ...claims, ...change } as PermitClaims), signature));
    expect(changed({})).toBe('ok');
    for (const change of [
      { v: 'permit/2' },
      { id: `att_0${'b'.repeat(25)}` },
      { more: 1 },
      { aud: 'A' },
      { epoch: -1 },
      { issued: '2026-01-01T00:00:00Z' },
      { until: '2026-13-01T00:00:00.000Z' },
      { until: 1_767_225_660 },
      { payload: { ...claims.payload, kind: 'json' } },
      { recorded: { writer: 'gw', wseq: 7 } },
      { recorded: [] },
      { credentials: {} },
      { credentials: ['b', 'a'] },
      { tenant: 'a/b' },
    ]) {
      expect(changed(change), JSON.stringify(change)).toBe('permit-malformed');
    }
    const { epoch: _, ...without } = claims;
    const text = permitSigningInput(kid, without as PermitClaims);
    expect(codeOf(permitToken(text, signature))).toBe('permit-malformed');
  });

  it('that is read is the text that would be written', () => {
    const edited = fc
      .tuple(fc.nat(token.length - 1), fc.string({ minLength: 0, maxLength: 3 }), fc.nat(2))
      .map(([at, text, gone]) => token.slice(0, at) + text + token.slice(at + gone));
    fc.assert(
      fc.property(edited, (text) => {
        const read = parsePermitToken(text);
        if (read.ok) expect(permitToken(permitSigningInput(read.kid, read.claims), read.signature)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what a permit covers', () => {
  const parts = { method: 'GET', destination: 'https://a.example:443', target: '/', payload: claims.payload };
  const record = (
    headers: ReadonlyArray<readonly [string, string]>,
    credentials: string[] = [],
    added: string[] = [],
  ) => coveredRequest({ ...parts, headers, credentials }, new Set(added));

  it('is every header but those of the hop, the credentials and the receiver’s own', () => {
    const hop = ['Connection', 'Content-Length', 'Expect', 'Host', 'Keep-Alive', 'TE', 'Trailer', 'Transfer-Encoding'];
    const more = ['Upgrade', 'HTTP2-Settings', 'Proxy-Connection', 'Cordon-Permit', ':authority'];
    const headers = [...hop, ...more, 'Authorization', 'Via', 'X'].map((name) => [name, '1'] as const);
    expect(record(headers, ['authorization'], ['via'])).toEqual({
      credentials: ['authorization'],
      destination: 'https://a.example:443',
      headers: [['x', '1']],
      method: 'GET',
      payload: { bytes: 12, sha256: 'e'.repeat(64) },
      target: '/',
      v: 'request/1',
    });
  });

  it('takes time in proportion to a header’s length', () => {
    const spaces = `a${' '.repeat(1_000_000)}b`;
    expect(record([['x', spaces]])).toMatchObject({ headers: [['x', spaces]] });
    expect(record([['x', ` \t${spaces}\t `]])).toMatchObject({ headers: [['x', spaces]] });
  });
});
