import { supervisorLimits } from '../limits.ts';

export type OutputKind = 'stdout' | 'stderr';

export interface OutputChunk {
  readonly kind: OutputKind;
  readonly bytes: Uint8Array;
  /** Of its first byte, counted over both kinds. */
  readonly offset: number;
}

const mergedBytesMax = 4096;

/** The last output of a command, by byte offset. Full: the oldest goes. */
export class OutputRing {
  readonly #chunks: OutputChunk[] = [];
  readonly #bytesMax: number;
  #cost = 0;
  #end = 0;

  constructor(bytesMax: number = supervisorLimits.ringBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** Offset of the next byte. */
  get end(): number {
    return this.#end;
  }

  /** Offset of the oldest byte that is still here. */
  get start(): number {
    return this.#chunks[0]?.offset ?? this.#end;
  }

  append(kind: OutputKind, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const last = this.#chunks.at(-1);
    // An agent that writes byte by byte must not cost a chunk's overhead each time.
    if (last !== undefined && last.kind === kind && last.bytes.length + bytes.length <= mergedBytesMax) {
      this.#chunks[this.#chunks.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, bytes]) };
      this.#cost += bytes.length;
    } else {
      // A copy: a small view would keep the whole buffer that it was read into.
      this.#chunks.push({ kind, bytes: Uint8Array.from(bytes), offset: this.#end });
      this.#cost += bytes.length + supervisorLimits.ringChunkCostBytes;
    }
    this.#end += bytes.length;
    while (this.#cost > this.#bytesMax && this.#chunks.length > 1) {
      this.#cost -= (this.#chunks.shift()?.bytes.length ?? 0) + supervisorLimits.ringChunkCostBytes;
    }
  }

  /** What is here from `offset` on. An offset before {@link start} or after {@link end} is moved there. */
  from(offset: number): OutputChunk[] {
    return this.#chunks.flatMap((chunk) => {
      const skip = offset - chunk.offset;
      if (skip >= chunk.bytes.length) return [];
      return skip <= 0 ? [chunk] : [{ ...chunk, bytes: chunk.bytes.subarray(skip), offset }];
    });
  }
}
