const blockBytes = 64 * 1024;

/**
 * A body in the making. What arrives is copied: a piece of one byte would otherwise cost a Buffer of its own and keep the
 * whole read alive that it came in, so that a body of small chunks took some four hundred times its size.
 */
export class Pieces {
  /** A body that comes at once is passed on as it is. */
  #only: Buffer | null = null;
  readonly #blocks: Buffer[] = [];
  #free = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(piece: Buffer): void {
    this.#count += 1;
    if (this.#count === 1) {
      this.#only = piece;
      return;
    }
    if (this.#only !== null) this.#copy(this.#only);
    this.#only = null;
    this.#copy(piece);
  }

  whole(): Buffer {
    if (this.#only !== null) return this.#only;
    const last = this.#blocks.at(-1);
    if (last === undefined) return Buffer.alloc(0);
    return Buffer.concat([...this.#blocks.slice(0, -1), last.subarray(0, blockBytes - this.#free)]);
  }

  #copy(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#free === 0) {
        this.#blocks.push(Buffer.allocUnsafeSlow(blockBytes));
        this.#free = blockBytes;
      }
      const block = this.#blocks.at(-1) as Buffer;
      const copied = piece.copy(block, blockBytes - this.#free, at);
      at += copied;
      this.#free -= copied;
    }
  }
}
