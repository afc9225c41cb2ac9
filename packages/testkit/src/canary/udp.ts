import { createSocket, type Socket } from 'node:dgram';
import { limits } from '../limits.ts';

/** Receives any datagram. With `dns` the question names are read and answered with NXDOMAIN, so that clients give up at once. */
export class UdpSink {
  readonly #socket: Socket;
  readonly #received: Buffer[] = [];
  readonly #names: string[] = [];
  #datagrams = 0;

  private constructor(address: string, dns: boolean) {
    this.#socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.#socket.on('error', () => undefined);
    this.#socket.on('message', (message, peer) => {
      this.#datagrams += 1;
      if (this.#received.length < limits.recordsMax) this.#received.push(message.subarray(0, limits.sinkKeptBytesMax));
      if (!dns) return;
      this.#names.push(questionName(message));
      this.#socket.send(nameError(message), peer.port, peer.address);
    });
  }

  static start(options: { port?: number; address?: string; dns?: boolean } = {}): Promise<UdpSink> {
    const address = options.address ?? '127.0.0.1';
    const sink = new UdpSink(address, options.dns ?? false);
    return new Promise((resolve, reject) => {
      sink.#socket.once('error', reject);
      sink.#socket.bind(options.port ?? 0, address, () => resolve(sink));
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  get datagrams(): number {
    return this.#datagrams;
  }

  get received(): readonly Buffer[] {
    return this.#received;
  }

  /** Names asked for, when this is a name server; what could not be read is an empty string and still counts. */
  get names(): readonly string[] {
    return this.#names;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

/** The first question's name (RFC 1035 §4.1.2); questions carry no compression. */
function questionName(message: Buffer): string {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0 && length < 64; length = message[at] ?? 0) {
    if (at + 1 + length > message.length) return '';
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return labels.join('.');
}

function nameError(query: Buffer): Buffer {
  const answer = Buffer.from(query);
  if (answer.length < 4) return answer;
  answer[2] = (answer[2] ?? 0) | 0x80;
  answer[3] = 0x83;
  return answer;
}
