import { createSocket, type Socket } from 'node:dgram';
import { limits } from '../limits.ts';

/** What one name answers; a CNAME is followed inside the same answer, as a recursive server does. */
export interface Zone {
  [name: string]: { a?: string[]; aaaa?: string[]; cname?: string; ttl?: number; rcode?: number; silent?: boolean };
}

/** A name server on loopback for tests: `zone` may be changed between queries, `queries` counts them. */
export class DnsServer implements AsyncDisposable {
  readonly zone: Zone;
  readonly queries: string[] = [];
  readonly #socket: Socket;

  private constructor(zone: Zone, socket: Socket) {
    this.zone = zone;
    this.#socket = socket;
    socket.on('message', (message, peer) => {
      const answer = this.#answer(message);
      if (answer !== null) socket.send(answer, peer.port, peer.address);
    });
  }

  static async start(zone: Zone): Promise<DnsServer> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new DnsServer(zone, socket);
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #answer(query: Buffer): Buffer | null {
    let at = 12;
    const labels: string[] = [];
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.subarray(at + 1, at + 1 + length).toString('latin1'));
      at += 1 + length;
    }
    const question = query.subarray(12, at + 5);
    const type = query.readUInt16BE(at + 1);
    const asked = labels.join('.').toLowerCase();
    if (this.queries.length < limits.recordsMax)
      this.queries.push(`${type === 1 ? 'A' : type === 28 ? 'AAAA' : type} ${asked}`);
    const records: Buffer[] = [];
    let name = asked;
    let entry = this.zone[name];
    if (entry?.silent) return null;
    while (entry?.cname !== undefined) {
      records.push(record(name, 5, entry.ttl ?? 60, encodeName(entry.cname)));
      name = entry.cname;
      entry = this.zone[name];
    }
    const ttl = entry?.ttl ?? 60;
    if (type === 1)
      for (const ip of entry?.a ?? []) records.push(record(name, 1, ttl, Buffer.from(ip.split('.').map(Number))));
    if (type === 28) for (const ip of entry?.aaaa ?? []) records.push(record(name, 28, ttl, sixteen(ip)));
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (entry === undefined ? 3 : (entry.rcode ?? 0)), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, question, ...records]);
  }
}

function record(name: string, type: number, ttl: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(name), fixed, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function sixteen(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(8 - left.length - right.length).fill('0');
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...left, ...zeros, ...right].entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  }
  return bytes;
}
