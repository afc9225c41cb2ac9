/**
 * What an agent prints is data. On the operator's own terminal, sequences that reach beyond the screen are dropped:
 * operating system commands (window title, clipboard by OSC 52, hyperlinks by OSC 8), device control strings,
 * privacy messages, application program commands, title strings of screen and tmux, title stacks (CSI … t), printing
 * (CSI i), answers on request (CSI c, CSI n, DECRQ…, ENQ), which would type text into the operator's shell later.
 * Colours, cursor and screen modes pass.
 *
 * A state machine over bytes, so that a sequence cut across chunks is one. It takes the same turns as a terminal does
 * (ECMA-48, and the parser of the VT500 series that XTerm and its likes follow): a control inside of a sequence is
 * acted on while the sequence goes on, ESC begins a new one wherever it stands, CAN and SUB end one, and a C1 control is
 * its two-byte form, also when it comes as UTF-8. A turn that we took otherwise would be a way past us.
 */
type State = 'ground' | 'escape' | 'intermediate' | 'csi' | 'string' | 'string-escape';

const esc = 0x1b;
const bel = 0x07;
const enq = 0x05;
const can = 0x18;
const sub = 0x1a;
const del = 0x7f;
/** First byte of U+0080 to U+00BF in UTF-8; the C1 controls are below U+00A0. */
const lead = 0xc2;
/** Longer than any sequence that a terminal acts on; what is longer is dropped whole. */
const csiBytesMax = 256;

const codesOf = (letters: string): ReadonlySet<number> => new Set([...letters].map((letter) => letter.charCodeAt(0)));
/** Final bytes of CSI that make a terminal answer on its input, print, or move the title. */
const droppedFinals = codesOf('cnitxy');
/** These ask with `?` in front (graphics, keyboard) or `>` (version), and are ordinary without. */
const droppedBehindQuestion = codesOf('Sumg');
const droppedBehindGreater = codesOf('q');
/** Cursor style, soft reset. Behind any other intermediate byte stand requests, reports and what nobody uses. */
const passedIntermediates = codesOf(' !');
/** Behind ESC: DCS, SOS, OSC, PM, APC, and the title of screen and tmux. All run to a string terminator. */
const stringIntroducers = codesOf('PX]^_k');
/** DECID makes the terminal answer; RIS clears what the operator has to be able to scroll back to. */
const droppedEscapes = codesOf('Zc');

export class TerminalFilter {
  #state: State = 'ground';
  #pending: number[] = [];
  /** Bytes that the character of UTF-8 under way still needs. */
  #continuations = 0;
  /** A lead byte that is kept back, because with the next byte it may be a C1 control. */
  #leadHeld = false;

  push(chunk: Uint8Array): Uint8Array {
    // Most output has no control sequence at all, so it is passed on without a copy.
    const plain = this.#state === 'ground' && !this.#leadHeld && this.#continuations === 0;
    if (plain && !chunk.some((byte) => byte === esc || byte === enq || byte >= 0x80)) return chunk;
    const out: number[] = [];
    for (const byte of chunk) this.#step(byte, out);
    return Uint8Array.from(out);
  }

  #step(byte: number, out: number[]): void {
    switch (this.#state) {
      case 'ground':
        this.#ground(byte, out);
        return;
      case 'string':
        if (byte === esc) this.#state = 'string-escape';
        else if (byte === bel || byte === can || byte === sub) this.#reset();
        return;
      case 'string-escape':
        // ESC \ ends the string; any other byte after ESC begins a new sequence.
        if (byte === 0x5c) {
          this.#reset();
          return;
        }
        this.#enterEscape();
        break;
      case 'escape':
      case 'intermediate':
      case 'csi':
        break;
    }
    if (!this.#interrupts(byte, out)) this.#inSequence(byte, out);
  }

  #ground(byte: number, out: number[]): void {
    if (this.#leadHeld) {
      this.#leadHeld = false;
      if (byte >= 0x80 && byte < 0xa0) {
        this.#c1(byte, out);
        return;
      }
      out.push(lead);
      this.#continuations = 1;
    }
    if (byte >= 0x80) this.#high(byte, out);
    else {
      this.#continuations = 0;
      if (byte === esc) this.#enterEscape();
      else if (byte !== enq) out.push(byte);
    }
  }

  /** A byte of a character of more than one; or a C1 control, which a terminal without UTF-8 takes it for. */
  #high(byte: number, out: number[]): void {
    if (byte < 0xc0 && this.#continuations > 0) {
      this.#continuations -= 1;
      out.push(byte);
      return;
    }
    this.#continuations = byte < 0xc0 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte === lead) {
      this.#leadHeld = true;
      this.#continuations = 0;
    } else if (byte < 0xa0) this.#c1(byte, out);
    else out.push(byte);
  }

  /** ECMA-48 §5.3: the same as ESC and a byte that is less by 0x40. */
  #c1(byte: number, out: number[]): void {
    this.#enterEscape();
    this.#inSequence(byte - 0x40, out);
  }

  /** What a terminal does not take as a part of a sequence. */
  #interrupts(byte: number, out: number[]): boolean {
    if (byte === esc) this.#enterEscape();
    else if (byte === can || byte === sub) this.#reset();
    else if (byte >= 0x80) {
      this.#reset();
      this.#ground(byte, out);
    } else if (byte < 0x20) {
      // Acted on at once, and the sequence goes on behind it.
      if (byte !== enq) out.push(byte);
    } else if (byte !== del) return false;
    return true;
  }

  /** `byte` is from space to `~`. */
  #inSequence(byte: number, out: number[]): void {
    if (this.#state === 'csi') this.#csi(byte, out);
    else if (this.#state === 'escape' && byte === 0x5b) {
      this.#pending.push(byte);
      this.#state = 'csi';
    } else if (this.#state === 'escape' && stringIntroducers.has(byte)) {
      this.#pending = [];
      this.#state = 'string';
    } else if (this.#state === 'escape' && droppedEscapes.has(byte)) this.#reset();
    else {
      this.#pending.push(byte);
      if (byte <= 0x2f) this.#state = 'intermediate';
      else this.#flush(out);
      if (this.#pending.length > csiBytesMax) this.#pending.length = csiBytesMax;
    }
  }

  #csi(byte: number, out: number[]): void {
    this.#pending.push(byte);
    if (byte >= 0x40) {
      if (asks(this.#pending, byte) || this.#pending.length > csiBytesMax) this.#reset();
      else this.#flush(out);
    } else if (this.#pending.length > 4 * csiBytesMax) {
      this.#pending.length = csiBytesMax + 1;
    }
  }

  #enterEscape(): void {
    this.#pending = [esc];
    this.#state = 'escape';
    this.#continuations = 0;
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

function asks(sequence: readonly number[], final: number): boolean {
  if (droppedFinals.has(final)) return true;
  if (sequence.includes(0x3f) && droppedBehindQuestion.has(final)) return true;
  if (sequence.includes(0x3e) && droppedBehindGreater.has(final)) return true;
  return sequence.slice(2).some((byte) => byte <= 0x2f && !passedIntermediates.has(byte));
}
