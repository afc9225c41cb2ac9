/**
 * What an agent prints is data. On the operator's own terminal, sequences that reach beyond the screen are dropped:
 * operating system commands (window title, clipboard by OSC 52, hyperlinks by OSC 8), device control strings,
 * privacy messages, application program commands, title stacks (CSI … t), answers on request (CSI c, CSI n, DECRQ…,
 * ENQ), which would type text into the operator's shell later. Colours, cursor and screen modes pass.
 *
 * A state machine over bytes (ECMA-48, and XTerm's control sequences), so that a sequence cut across chunks is one.
 */
type State = 'ground' | 'escape' | 'intermediate' | 'csi' | 'string' | 'string-escape';

const esc = 0x1b;
const bel = 0x07;
const enq = 0x05;
/** Longer than any sequence that a terminal acts on; what is longer is dropped whole. */
const csiBytesMax = 256;
/** Final bytes of CSI that make a terminal answer on its input, or move the title: c, n, t, x, and q with `>`. */
const droppedFinals = new Set(['c', 'n', 't', 'x', 'y'].map((letter) => letter.charCodeAt(0)));

export class TerminalFilter {
  #state: State = 'ground';
  #pending: number[] = [];

  push(chunk: Uint8Array): Uint8Array {
    // Most output has no control sequence at all, so it is passed on without a copy.
    if (
      this.#state === 'ground' &&
      !chunk.some((byte) => byte === esc || byte === enq || (byte >= 0x80 && byte < 0xa0))
    ) {
      return chunk;
    }
    const out: number[] = [];
    for (const byte of chunk) this.#step(byte, out);
    return Uint8Array.from(out);
  }

  #step(byte: number, out: number[]): void {
    switch (this.#state) {
      case 'ground':
        if (byte === esc) this.#enter('escape', byte);
        else if (byte !== enq) out.push(byte);
        return;
      case 'escape':
        this.#escape(byte, out);
        return;
      case 'intermediate':
        this.#pending.push(byte);
        if (byte >= 0x30) this.#flush(out);
        return;
      case 'csi':
        this.#csi(byte, out);
        return;
      case 'string':
        if (byte === esc) this.#state = 'string-escape';
        else if (byte === bel || byte === 0x18 || byte === 0x1a) this.#reset();
        return;
      case 'string-escape':
        // ESC \ ends the string; any other byte after ESC begins a new sequence.
        if (byte === 0x5c) this.#reset();
        else {
          this.#enter('escape', esc);
          this.#escape(byte, out);
        }
        return;
    }
  }

  #escape(byte: number, out: number[]): void {
    if (byte === 0x5b) {
      this.#pending.push(byte);
      this.#state = 'csi';
    } else if (byte === 0x5d || byte === 0x50 || byte === 0x58 || byte === 0x5e || byte === 0x5f) {
      this.#pending = [];
      this.#state = 'string';
    } else if (byte === esc) {
      this.#pending = [esc];
    } else if (byte === 0x5a || byte === 0x63) {
      // DECID makes the terminal answer; RIS clears what the operator has to be able to scroll back to.
      this.#reset();
    } else {
      this.#pending.push(byte);
      if (byte >= 0x20 && byte <= 0x2f) this.#state = 'intermediate';
      else this.#flush(out);
    }
  }

  #csi(byte: number, out: number[]): void {
    if (byte === esc) {
      this.#enter('escape', byte);
      return;
    }
    this.#pending.push(byte);
    if (byte >= 0x40 && byte <= 0x7e) {
      const query = this.#pending.includes(0x24) || (byte === 0x71 && this.#pending[2] === 0x3e);
      if (droppedFinals.has(byte) || query || this.#pending.length > csiBytesMax) this.#reset();
      else this.#flush(out);
    } else if (this.#pending.length > 4 * csiBytesMax) {
      this.#pending.length = csiBytesMax + 1;
    }
  }

  #enter(state: State, byte: number): void {
    this.#pending = [byte];
    this.#state = state;
  }

  #flush(out: number[]): void {
    out.push(...this.#pending);
    this.#reset();
  }

  #reset(): void {
    this.#pending = [];
    this.#state = 'ground';
  }
}
