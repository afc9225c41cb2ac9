import { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { type ClientHello, parseClientHello } from '../../packages/egress/src/clienthello.ts';
import { TestCa } from '../../packages/testkit/src/tls/ca.ts';
import { must, type Target, text } from '../engine/target.ts';

let context: SecureContext;

export const target: Target = {
  name: 'client-hello',
  about: 'the first flight of a TLS client, from which the gateway takes the server name',
  oracle:
    'where OpenSSL answers with a ServerHello, the server name and the protocols that it read are those that we read; every prefix of a hello needs more',
  lengthMax: 2048,
  shortRuns: 4000,
  seeds,
  async open() {
    const { cert, key } = new TestCa('fuzz').issue(['a.example']);
    context = createSecureContext({ cert, key });
  },
  async run(input, feedback) {
    const hello = parseClientHello(input);
    feedback.note(hello.kind === 'malformed' ? hello.why : hello.kind);
    checkPrefixes(input, hello);
    if (hello.kind !== 'hello') return;
    const seen = await openssl(input);
    feedback.note(`openssl ${seen.answered} ${seen.serverName === null}`);
    // Names compare without case; ours are lower-cased.
    if (seen.serverName !== null) {
      must(seen.serverName.toLowerCase() === hello.serverName, 'OpenSSL reads another name', seen.serverName, hello);
    } else if (seen.answered) {
      must(hello.serverName === null, 'OpenSSL reads no name', hello);
    }
    // node hands names of protocols over as ASCII, which drops the highest bit.
    if (seen.protocols !== null && [...hello.alpn.join('')].every((character) => character < '\u0080')) {
      must(seen.protocols.join() === hello.alpn.join(), 'OpenSSL reads other protocols', seen.protocols, hello);
    }
  },
};

/** What is read does not depend on where the stream was cut: a prefix is never read as a different whole. */
function checkPrefixes(input: Uint8Array, whole: ClientHello): void {
  for (let end = 0; end < input.length; end += 1 + (input.length >> 4)) {
    const part = parseClientHello(input.subarray(0, end));
    const same = part.kind === 'need-more' || JSON.stringify(part) === JSON.stringify(whole);
    // Only bytes behind a whole hello change it, into one that is refused.
    must(same || (part.kind === 'hello' && whole.kind === 'malformed'), 'a prefix is read otherwise', part, whole);
  }
}

interface Seen {
  readonly serverName: string | null;
  readonly protocols: readonly string[] | null;
  /** A record of a handshake came back, no alert. */
  readonly answered: boolean;
}

/** A real server on a connection in memory, up to its first flight. */
async function openssl(bytes: Uint8Array): Promise<Seen> {
  let serverName: string | null = null;
  let protocols: readonly string[] | null = null;
  let first: number | undefined;
  const wire = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      first ??= chunk[0];
      done();
    },
  });
  const socket = new TLSSocket(wire, {
    isServer: true,
    secureContext: context,
    SNICallback: (name, done) => {
      serverName = name;
      done(null, context);
    },
    ALPNCallback: (offered) => {
      protocols = offered.protocols;
      return offered.protocols[0];
    },
  });
  socket.on('error', () => undefined);
  wire.on('error', () => undefined);
  wire.push(Buffer.from(bytes));
  for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
  socket.destroy();
  wire.destroy();
  return { serverName, protocols, answered: first === 22 };
}

function seeds(): readonly Uint8Array[] {
  const v8 = (...parts: Buffer[]): Buffer => Buffer.concat([u8(Buffer.concat(parts).length), ...parts]);
  const v16 = (...parts: Buffer[]): Buffer => Buffer.concat([u16(Buffer.concat(parts).length), ...parts]);
  const u8 = (value: number): Buffer => Buffer.from([value]);
  const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
  const extension = (type: number, ...data: Buffer[]): Buffer => Buffer.concat([u16(type), v16(...data)]);
  const name = extension(0, v16(u8(0), v16(Buffer.from('a.example'))));
  const alpn = extension(16, v16(v8(Buffer.from('h2')), v8(Buffer.from('http/1.1'))));
  const groups = extension(10, v16(u16(0x001d), u16(0x0017)));
  const schemes = extension(13, v16(u16(0x0403), u16(0x0804)));
  const versions = extension(43, v8(u16(0x0304), u16(0x0303)));
  // The base point of X25519: a key share that is no secret to anybody.
  const share = extension(51, v16(u16(0x001d), v16(Buffer.concat([u8(9), Buffer.alloc(31)]))));
  const whole = (suites: number[], extensions: Buffer[]): Buffer => {
    const body = Buffer.concat([
      ...[u16(0x0303), Buffer.alloc(32, 7), v8(Buffer.alloc(32, 1)), v16(...suites.map(u16)), v8(u8(0))],
      v16(...extensions),
    ]);
    return Buffer.concat([u8(1), u8(0), u16(body.length), body]);
  };
  const record = (part: Buffer): Buffer => Buffer.concat([u8(22), u16(0x0301), v16(part)]);
  const modern = whole([0x1301, 0xc02b], [name, groups, schemes, alpn, versions, share]);
  const old = whole([0xc02b, 0xc02f], [groups, schemes, alpn, name]);
  const ech = whole([0x1301], [extension(0xfe0d, Buffer.alloc(40)), groups, schemes, versions, share]);
  return [
    record(modern),
    record(old),
    record(ech),
    Buffer.concat([record(modern.subarray(0, 50)), record(modern.subarray(50))]),
    text('GET / HTTP/1.1\r\n\r\n'),
  ];
}
