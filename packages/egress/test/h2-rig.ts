import { createServer as createTls, type Server, type TLSSocket } from 'node:tls';
import { TestCa } from '@cordon/testkit';
import { h2 } from '@cordon/testkit/hostile';
import type { Pin, UpstreamRequest } from '../src/index.ts';

export const ca = new TestCa('Upstream of the tests');
export const leaf = ca.issue(['a.example']);

export function pinTo(port: number, change: Partial<Pin> = {}): Pin {
  return {
    scheme: 'https',
    host: 'a.example',
    port: 443,
    origin: 'https://a.example:443',
    literal: false,
    addresses: ['127.0.0.1'],
    classes: ['loopback'],
    connectPort: port,
    expiresAt: Number.POSITIVE_INFINITY,
    override: false,
    ...change,
  } as Pin;
}

export function get(pin: Pin, change: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return {
    ...{ session: 'ses', pin, credential: null, method: 'GET', target: '/' },
    ...{ headers: [], body: null, retry: false, h2: true },
    ...change,
  };
}

/** A server that answers each request with frames of the test's, byte for byte. */
export class FrameServer {
  readonly server: Server;
  /** Streams that were opened, over all connections. */
  readonly streams: number[] = [];
  connections = 0;
  /** Of them, those that are over on both sides. */
  closed = 0;
  readonly #open = new Set<TLSSocket>();

  constructor(answer: (stream: number, socket: TLSSocket, nth: number) => Buffer | null) {
    this.server = createTls({ key: leaf.key, cert: leaf.cert, ALPNProtocols: ['h2'] }, (socket) => {
      this.connections += 1;
      this.#open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.closed += 1;
        this.#open.delete(socket);
      });
      let bytes = Buffer.alloc(0);
      let skip = h2.preface.length;
      socket.write(h2.settings());
      socket.on('data', (chunk: Buffer) => {
        const skipped = Math.min(skip, chunk.length);
        skip -= skipped;
        bytes = Buffer.concat([bytes, chunk.subarray(skipped)]);
        const { frames, length } = h2.readFrames(bytes);
        bytes = bytes.subarray(length);
        for (const { type, stream } of frames) {
          if (type !== h2.frameType.headers) continue;
          this.streams.push(stream);
          const out = answer(stream, socket, this.streams.length);
          if (out !== null) socket.write(out);
        }
      });
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return (this.server.address() as { port: number }).port;
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
    this.server.close();
  }
}
