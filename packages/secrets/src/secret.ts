import { inspect } from 'node:util';
import { secretError } from './error.ts';

const redacted = '[redacted]';

/**
 * A value that prints as `[redacted]` and is wiped when its owner lets it go. It owns its buffer: what was given in is
 * copied, and the caller wipes its own. What `reveal` hands out is the buffer itself and ends with the call.
 */
export class Secret implements Disposable {
  #value: Buffer | null;

  private constructor(value: Buffer) {
    this.#value = value;
  }

  static from(value: string | Uint8Array): Secret {
    // Not from Node's shared pool: a wiped slice of the pool could have been copied with its neighbours.
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    const own = Buffer.alloc(bytes.length);
    own.set(bytes);
    if (typeof value === 'string') (bytes as Buffer).fill(0);
    return new Secret(own);
  }

  get bytes(): number {
    return this.#value?.length ?? 0;
  }

  get disposed(): boolean {
    return this.#value === null;
  }

  /** @throws CordonError `secret-disposed` */
  reveal<T>(use: (value: Buffer) => T): T {
    if (this.#value === null) throw secretError('secret-disposed', 'this secret was let go');
    return use(this.#value);
  }

  /** A second owner, with a buffer of its own. @throws CordonError `secret-disposed` */
  copy(): Secret {
    return this.reveal((value) => Secret.from(value));
  }

  [Symbol.dispose](): void {
    this.#value?.fill(0);
    this.#value = null;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}
