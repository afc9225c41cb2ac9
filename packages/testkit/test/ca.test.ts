import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { describe, expect, it } from 'vitest';
import { HttpSink, type IssuedCertificate, TestCa } from '../src/index.ts';

function get(options: { port: number; ca: string; servername: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', path: '/x', headers: { host: options.servername }, ...options });
    outgoing.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function served<T>(tls: IssuedCertificate, use: (sink: HttpSink) => Promise<T>): Promise<T> {
  await using sink = await HttpSink.start({ tls });
  return await use(sink);
}

describe('TestCa', () => {
  it('issues certificates that a strict client accepts for their names', async () => {
    const ca = new TestCa();
    const answer = await served(ca.issue(['api.example.com', '127.0.0.1', '::1']), (sink) =>
      get({ port: sink.port, ca: ca.certificate, servername: 'api.example.com' }),
    );
    expect(answer).toBe('200 canary\n');
  });

  it.each([
    ['another name', 'ERR_TLS_CERT_ALTNAME_INVALID', (ca: TestCa) => ca.issue(['other.example.com'])],
    ['another root', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', () => new TestCa('Other').issue(['api.example.com'])],
    ['an impostor of the root', 'CERT_SIGNATURE_FAILURE', () => new TestCa().issue(['api.example.com'])],
    [
      'a past life',
      'CERT_HAS_EXPIRED',
      (ca: TestCa) => ca.issue(['api.example.com'], { notBefore: 0, notAfter: 1000 }),
    ],
  ])('is refused with %s', async (_, code, issue) => {
    const ca = new TestCa();
    await served(issue(ca), async (sink) => {
      await expect(get({ port: sink.port, ca: ca.certificate, servername: 'api.example.com' })).rejects.toMatchObject({
        code,
      });
      expect(sink.requests).toEqual([]);
      expect(sink.connections).toBe(1);
    });
  });

  it('writes what other readers of X.509 read', () => {
    const root = new X509Certificate(new TestCa('Reader test', Date.UTC(2049, 11, 31, 23, 30)).certificate);
    expect(root.subject).toBe('CN=Reader test');
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    // UTCTime before 2050, GeneralizedTime after.
    expect(root.validFrom).toBe('Dec 31 22:30:00 2049 GMT');
    expect(root.validTo).toBe('Jan  1 23:30:00 2050 GMT');
    const ca = new TestCa();
    const leaf = new X509Certificate(ca.issue(['a.example', '10.1.2.3', '2001:db8::7']).cert);
    expect(leaf.ca).toBe(false);
    expect(leaf.subjectAltName).toBe('DNS:a.example, IP Address:10.1.2.3, IP Address:2001:DB8:0:0:0:0:0:7');
    expect(leaf.verify(new X509Certificate(ca.certificate).publicKey)).toBe(true);
  });
});
