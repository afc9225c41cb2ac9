import type { TLSSocket } from 'node:tls';
import type { Clock } from '@cordon/protocol';
import { H2Upstream } from './h2-upstream.ts';
import type { Pin } from './pin.ts';

export interface H2LineOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly open: (pin: Pin) => Promise<TLSSocket>;
  /** The same text for pins whose connections may be shared. */
  readonly nameOf: (pin: Pin) => string;
  /** Takes a connection on which the server chose HTTP/1.1. */
  readonly offer: (pin: Pin, socket: TLSSocket) => void;
}

interface Known {
  readonly opening: Promise<H2Upstream | null>;
  /** undefined while it opens; null: this server speaks HTTP/1.1. */
  upstream: H2Upstream | null | undefined;
}

/** HTTP/2 to one origin with one credential: one session at a time, or the memory that the server has none. */
export class H2Line {
  readonly #options: H2LineOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: H2LineOptions) {
    this.#options = options;
  }

  /** What is known without waiting; undefined: ask {@link get}. */
  now(pin: Pin): H2Upstream | null | undefined {
    const upstream = this.#known.get(this.#options.nameOf(pin))?.upstream;
    return upstream?.usable === false ? undefined : upstream;
  }

  /** null: this server speaks HTTP/1.1. One connection is opened, however many ask at once. @throws as `open` */
  get(pin: Pin): Promise<H2Upstream | null> {
    const known = this.#known.get(this.#options.nameOf(pin));
    if (known !== undefined && known.upstream?.usable !== false) return known.opening;
    return this.#open(pin).opening;
  }

  /** The server asks for HTTP/1.1 (RFC 9113 §7, HTTP_1_1_REQUIRED). */
  avoid(pin: Pin): void {
    this.#known.set(this.#options.nameOf(pin), { opening: Promise.resolve(null), upstream: null });
  }

  destroy(): void {
    for (const known of this.#known.values()) this.#end(known, (upstream) => upstream.destroy());
    this.#known.clear();
  }

  #open(pin: Pin): Known {
    // After a rebinding the name is another one; sessions to the old addresses end with their last answer.
    for (const known of this.#known.values()) this.#end(known, (upstream) => upstream.retire());
    this.#known.clear();
    const name = this.#options.nameOf(pin);
    const known: Known = { opening: this.#negotiate(pin), upstream: undefined };
    this.#known.set(name, known);
    known.opening.then(
      (upstream) => {
        known.upstream = upstream;
      },
      () => {
        if (this.#known.get(name) === known) this.#known.delete(name);
      },
    );
    return known;
  }

  #end(known: Known, how: (upstream: H2Upstream) => void): void {
    if (known.upstream === undefined) {
      known.opening.then(
        (upstream) => upstream !== null && how(upstream),
        () => undefined,
      );
    } else if (known.upstream !== null) how(known.upstream);
  }

  async #negotiate(pin: Pin): Promise<H2Upstream | null> {
    const socket = await this.#options.open(pin);
    if (socket.alpnProtocol === 'h2') return new H2Upstream(socket, pin, this.#options.clock);
    this.#options.offer(pin, socket);
    return null;
  }
}
