/** Writers of a ClientHello (RFC 8446 §4.1.2), each free to write what no client would. */
export const u8 = (value: number): Buffer => Buffer.from([value]);
export const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
export const v8 = (...parts: Buffer[]): Buffer => Buffer.concat([u8(Buffer.concat(parts).length), ...parts]);
export const v16 = (...parts: Buffer[]): Buffer => Buffer.concat([u16(Buffer.concat(parts).length), ...parts]);

export function helloExtension(type: number, data: Buffer): Buffer {
  return Buffer.concat([u16(type), v16(data)]);
}

/** One name of a server name list (RFC 6066 §3). */
export function serverName(host: string, type = 0): Buffer {
  return Buffer.concat([u8(type), v16(Buffer.from(host, 'latin1'))]);
}

export function serverNames(...names: Buffer[]): Buffer {
  return helloExtension(0, v16(...names));
}

export function alpnOffer(...names: string[]): Buffer {
  return helloExtension(16, v16(...names.map((text) => v8(Buffer.from(text)))));
}

/** Encrypted ClientHello, outer form: the name that is meant is in here, unreadable. */
export const echExtension = helloExtension(0xfe0d, Buffer.alloc(200));

export interface HelloChange {
  readonly type?: number;
  readonly suites?: Buffer;
  readonly tail?: Buffer;
  readonly session?: number;
}

export function clientHello(extensions: readonly Buffer[], change: HelloChange = {}): Buffer {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32),
    v8(Buffer.alloc(change.session ?? 32)),
    v16(change.suites ?? u16(0x1301)),
    v8(u8(0)),
    v16(...extensions),
    change.tail ?? Buffer.alloc(0),
  ]);
  return Buffer.concat([u8(change.type ?? 1), u8(0), u16(body.length), body]);
}

/** The message in handshake records of at most `size` bytes. */
export function helloRecords(message: Buffer, size = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size)
    parts.push(u8(22), u16(0x0301), v16(message.subarray(at, at + size)));
  return Buffer.concat(parts);
}

/** A whole hello of a client, with one extension more. */
export function withExtension(records: Buffer, extension: Buffer): Buffer {
  const message = Buffer.from(records.subarray(5));
  let at = 4 + 2 + 32;
  at += 1 + (message[at] ?? 0);
  at += 2 + message.readUInt16BE(at);
  at += 1 + (message[at] ?? 0);
  const extensions = v16(message.subarray(at + 2), extension);
  const body = Buffer.concat([message.subarray(4, at), extensions]);
  return helloRecords(Buffer.concat([u8(1), u8(0), u16(body.length), body]));
}

export interface HostileHello {
  readonly name: string;
  readonly bytes: Buffer;
}

const named = (name: string, ...extensions: Buffer[]): HostileHello => {
  return { name, bytes: helloRecords(clientHello(extensions)) };
};
const a = serverName('a.example');
const longName = (length: number): string => `${'a.'.repeat(length)}`.slice(0, length - 1).concat('a');

/** Two names, no name that is one, lengths that lie: closed before a byte of TLS is answered. */
export const malformedHellos: readonly HostileHello[] = [
  named('two names', serverNames(a, serverName('b.example'))),
  named('two extensions with a name', serverNames(a), serverNames(serverName('b.example'))),
  named('any extension twice', alpnOffer('h2'), alpnOffer('http/1.1')),
  named('a name of another type', serverNames(serverName('a.example', 1))),
  named('an empty list', serverNames()),
  named('an empty name', serverNames(serverName(''))),
  named('NUL in the name', serverNames(serverName('a.example\0.evil'))),
  named('a space in the name', serverNames(serverName('a example'))),
  named('bytes over 0x7f', serverNames(serverName('b\xfccher.example'))),
  named('a final dot', serverNames(serverName('a.example.'))),
  named('a name of 254 bytes', serverNames(serverName(longName(254)))),
  named('a name of 255 bytes', serverNames(serverName(longName(255)))),
  named('a name of 1,000 bytes', serverNames(serverName(longName(1000)))),
  named('bytes after the list', helloExtension(0, Buffer.concat([v16(a), u8(0)]))),
  named('a list longer than its extension', helloExtension(0, Buffer.concat([u16(100), a]))),
  named(
    'a name longer than its list',
    helloExtension(0, v16(Buffer.concat([u8(0), u16(100), Buffer.from('a.example')]))),
  ),
  named('an empty ALPN name', helloExtension(16, v16(v8()))),
  named('an ALPN name that runs over', helloExtension(16, v16(u8(200)))),
  named('an extension that runs over', Buffer.concat([u16(5), u16(500)])),
  named('half an extension', u8(0)),
  { name: 'another handshake message', bytes: helloRecords(clientHello([], { type: 2 })) },
  { name: 'bytes after the extensions', bytes: helloRecords(clientHello([], { tail: u8(0) })) },
  { name: 'bytes after the hello', bytes: helloRecords(Buffer.concat([clientHello([]), u8(0)])) },
  { name: 'a session id of 33 bytes', bytes: helloRecords(clientHello([], { session: 33 })) },
  { name: 'no cipher suites', bytes: helloRecords(clientHello([], { suites: Buffer.alloc(0) })) },
  { name: 'half a cipher suite', bytes: helloRecords(clientHello([], { suites: u8(1) })) },
  { name: 'an empty record', bytes: Buffer.concat([u8(22), u16(0x0301), v16()]) },
  { name: 'a record that is too long', bytes: Buffer.concat([u8(22), u16(0x0301), u16(16_385), Buffer.alloc(10)]) },
  { name: 'SSL 2', bytes: Buffer.concat([u8(22), u16(0x0200), v16(clientHello([]))]) },
  {
    name: 'an alert in between',
    bytes: Buffer.concat([
      helloRecords(clientHello([serverNames(a)]))
        .subarray(0, 5 + 20)
        .fill(20, 4, 5),
      Buffer.from([21, 3, 3, 0, 2, 1, 0]),
    ]),
  },
  {
    name: 'a message that says it is huge',
    bytes: Buffer.concat([u8(22), u16(0x0301), v16(Buffer.from([1, 0xff, 0xff, 0xff]))]),
  },
];
