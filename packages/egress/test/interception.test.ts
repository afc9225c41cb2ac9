import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Clock, systemClock, systemRandom } from '@cordon/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKeyPair } from '../src/authority.ts';
import { Authority, createAuthority, Interception, type KeyedCertificate } from '../src/index.ts';
import { limits } from '../src/limits.ts';

const live = new AbortController().signal;
let authority: KeyedCertificate;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cordon-ca-'));
  authority = await createAuthority({ clock: systemClock, random: systemRandom, tenant: 'local' });
  writeFileSync(join(folder, 'ca.pem'), authority.certificate);
});
afterAll(() => rmSync(folder, { recursive: true }));

function movable(): Clock & { ahead: number } {
  return {
    ahead: 0,
    now() {
      return systemClock.now() + this.ahead;
    },
    monotonic() {
      return systemClock.monotonic() + this.ahead;
    },
  };
}

/** One TLS server that terminates every connection as `host`; the client's view of the handshake. */
async function handshake(
  interception: Interception,
  host: string,
  client: {
    ca?: string;
    servername?: string;
    host?: string;
    maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
    minVersion?: 'TLSv1';
    session?: Buffer;
    ALPNProtocols?: string[];
  },
): Promise<{ socket: TLSSocket; answer: string; tickets: Buffer[] }> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    interception.terminate(socket, host, 'ses', live).then(
      (secured) => {
        secured.on('error', () => undefined);
        secured.end('hello');
      },
      () => undefined,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    return await new Promise((resolve, reject) => {
      const tickets: Buffer[] = [];
      const options = { socket: connectTcp(port, '127.0.0.1'), ALPNProtocols: ['h2', 'http/1.1'], ...client };
      const socket = connectTls(options);
      let answer = '';
      socket.on('session', (ticket) => tickets.push(ticket));
      socket.on('data', (part) => {
        answer += part.toString();
      });
      socket.on('error', reject);
      socket.on('end', () => resolve({ socket, answer, tickets }));
    });
  } finally {
    server.close();
  }
}

describe('authority', () => {
  test('openssl verifies the chain for the name, strictly, and for no other', async () => {
    const { publicKey } = await createKeyPair();
    const leaf = new Authority(authority).leaves(publicKey).issue('api.github.com', Date.now(), systemRandom);
    writeFileSync(join(folder, 'leaf.pem'), leaf.certificate);
    const verify = (name: string): string =>
      execFileSync(
        'openssl',
        ['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', name, '-CAfile', 'ca.pem', 'leaf.pem'],
        { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      );
    expect(verify('api.github.com')).toBe('leaf.pem: OK\n');
    expect(() => verify('github.com')).toThrow(/hostname mismatch/i);
    expect(() => verify('x.api.github.com')).toThrow(/hostname mismatch/i);
  });

  test('a leaf cannot issue: openssl refuses a chain through it', async () => {
    const pair = await createKeyPair();
    const leaf = new Authority(authority).leaves(pair.publicKey).issue('a.example', Date.now(), systemRandom);
    const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => new Authority({ certificate: leaf.certificate, key })).toThrow(
      expect.objectContaining({ code: 'authority-invalid' }),
    );
  });

  test('says what it may and may not do', () => {
    const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', 'ca.pem'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
    expect(text).toContain('prime256v1');
  });

  test('a leaf holds exactly its name, starts an hour early and ends after 72 h', async () => {
    const { publicKey } = await createKeyPair();
    const ca = new Authority(authority);
    const leaves = ca.leaves(publicKey);
    const now = Date.now();
    const read = (host: string): X509Certificate =>
      new X509Certificate(leaves.issue(host, now, systemRandom).certificate);
    expect(read('a.example').subjectAltName).toBe('DNS:a.example');
    expect(read('192.0.2.7').subjectAltName).toBe('IP Address:192.0.2.7');
    expect(read('2001:db8::7').subjectAltName).toBe('IP Address:2001:DB8:0:0:0:0:0:7');
    const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.example`;
    expect(read(long).subjectAltName).toBe(`DNS:${long}`);
    const leaf = read('a.example');
    expect(Math.abs(leaf.validFromDate.getTime() - (now - 3600_000))).toBeLessThan(1001);
    expect(Math.abs(leaf.validToDate.getTime() - (now + 72 * 3600_000))).toBeLessThan(1001);
    expect(leaf.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(read('a.example').serialNumber).not.toBe(leaf.serialNumber);
    // The last day of an authority: no leaf outlives it.
    const late = leaves.issue('a.example', ca.notAfterMs - 3600_000, systemRandom);
    expect(late.notAfterMs).toBe(ca.notAfterMs);
    expect(() => leaves.issue('a.example', ca.notAfterMs, systemRandom)).toThrow(
      expect.objectContaining({ code: 'authority-expired' }),
    );
  });

  test('a key of another authority is refused', async () => {
    const other = await createAuthority({ clock: systemClock, random: systemRandom, tenant: 'local' });
    expect(() => new Authority({ certificate: authority.certificate, key: other.key })).toThrow(
      expect.objectContaining({ code: 'authority-invalid' }),
    );
    expect(() => new Authority({ certificate: 'nothing', key: other.key })).toThrow(
      expect.objectContaining({ code: 'authority-invalid' }),
    );
  });
});

describe('terminate', () => {
  const create = (clock: Clock = systemClock): Interception =>
    new Interception({ ...authority, clock, random: systemRandom });

  test.each([
    [['http/1.1'], 'http/1.1'],
    [['h2'], 'h2'],
    [['http/1.1', 'h2'], 'h2'],
  ])('a client that trusts the authority and offers %j speaks %s over TLS 1.3', async (ALPNProtocols, spoken) => {
    const { socket, answer } = await handshake(create(), 'api.github.com', {
      ca: authority.certificate,
      servername: 'api.github.com',
      ALPNProtocols,
    });
    expect(answer).toBe('hello');
    expect(socket.authorized).toBe(true);
    expect(socket.alpnProtocol).toBe(spoken);
    expect(socket.getProtocol()).toBe('TLSv1.3');
  });

  test('an IP literal is verified as such', async () => {
    const { answer } = await handshake(create(), '192.0.2.7', { ca: authority.certificate, host: '192.0.2.7' });
    expect(answer).toBe('hello');
  });

  test('a client that does not trust it, or expects another name, refuses', async () => {
    await expect(handshake(create(), 'a.example', { servername: 'a.example' })).rejects.toThrow(
      /unable to verify|self-signed/,
    );
    await expect(
      handshake(create(), 'a.example', { ca: authority.certificate, servername: 'b.example' }),
    ).rejects.toThrow(/does not match/);
  });

  test('TLS 1.1 is refused', async () => {
    await expect(
      handshake(create(), 'a.example', {
        ca: authority.certificate,
        servername: 'a.example',
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
      }),
    ).rejects.toThrow();
  });

  // Without a server name only the key of the tickets tells two hosts apart.
  test.each([
    ['TLSv1.3', 'a.example', 'b.example'],
    ['TLSv1.2', 'a.example', 'b.example'],
    ['TLSv1.3', '192.0.2.7', '192.0.2.8'],
    ['TLSv1.2', '192.0.2.7', '192.0.2.8'],
  ] as const)('%s: a ticket of %s does not resume at %s', async (maxVersion, host, otherHost) => {
    const interception = create();
    const client = (
      name: string,
    ): { ca: string; maxVersion: typeof maxVersion; servername?: string; host?: string } => ({
      ca: authority.certificate,
      maxVersion,
      ...(name.endsWith('example') ? { servername: name } : { host: name }),
    });
    const first = await handshake(interception, host, client(host));
    const ticket = first.tickets[0];
    if (ticket === undefined) throw new Error('no ticket came');
    const again = await handshake(interception, host, { ...client(host), session: ticket });
    expect(again.socket.isSessionReused()).toBe(true);
    const other = await handshake(interception, otherHost, { ...client(otherHost), session: ticket });
    expect(other.socket.isSessionReused()).toBe(false);
    expect(other.socket.authorized).toBe(true);
  });

  test('one context for many asks at once, another one before its certificate ends', async () => {
    const clock = movable();
    const interception = create(clock);
    const asked = await Promise.all(Array.from({ length: 100 }, () => interception.context('a.example', 'ses')));
    expect(new Set(asked).size).toBe(1);
    clock.ahead = limits.leafLifeMs;
    expect(await interception.context('a.example', 'ses')).not.toBe(asked[0]);
  });

  test('twenty new names a second and no more, per session; known names are free', async () => {
    const clock = movable();
    const interception = create({ now: () => clock.now(), monotonic: () => clock.ahead });
    for (let i = 0; i < 20; i++) await interception.context(`h${i}.example`, 'ses');
    await expect(interception.context('h20.example', 'ses')).rejects.toMatchObject({ code: 'tls-name-rate' });
    await expect(interception.context('h3.example', 'ses')).resolves.toBeDefined();
    await expect(interception.context('h20.example', 'other')).resolves.toBeDefined();
    clock.ahead = 100;
    await expect(interception.context('h21.example', 'ses')).resolves.toBeDefined();
  });

  test('only canonical hosts are minted', async () => {
    for (const host of [
      'A.example',
      'a.example.',
      '',
      '*.example',
      'a b',
      '0x7f.1',
      'a\0b.example',
      `${'a'.repeat(64)}.example`,
    ]) {
      await expect(create().context(host, 'ses')).rejects.toMatchObject({ code: 'tls-name-invalid' });
    }
  });

  test('a client that hangs up, or sends something else, is a refusal and not a crash', async () => {
    const interception = create();
    for (const behave of [
      (socket: Socket) => socket.destroy(),
      (socket: Socket) => socket.end('GET / HTTP/1.1\r\n\r\n'),
    ]) {
      const outcome = await new Promise((resolve) => {
        const server = createServer((socket) => {
          socket.on('error', () => undefined);
          interception
            .terminate(socket, 'a.example', 'ses', live)
            .then(
              () => 'secure',
              (error: { code: string }) => error.code,
            )
            .then((code) => {
              server.close();
              resolve(code);
            });
        });
        server.listen(0, '127.0.0.1', () => {
          const client = connectTcp((server.address() as { port: number }).port, '127.0.0.1', () => behave(client));
          client.on('error', () => undefined);
        });
      });
      expect(outcome).toBe('tls-client-refused');
    }
  });
});
