import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import path from 'node:path';
import { type Feedback, PropertyBroken } from '../engine/target.ts';

const folder = path.resolve(import.meta.dirname, '../../native/launch');
/** What the harness may run on: guard order, launch order, command, bytes of the control socket. */
export type NativeKind = 'g' | 'l' | 'c' | 'f';

/** The parsers of the native program under sanitizers (native/launch/fuzz), asked again and again. */
export class NativeParsers {
  #process: HarnessProcess | null = null;

  constructor() {
    execFileSync('sh', [path.join(folder, 'fuzz/build.sh')], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** Why it was refused; null when it was accepted. @throws PropertyBroken, also when a sanitizer ended the process */
  async ask(kind: NativeKind, input: Uint8Array, feedback: Feedback): Promise<string | null> {
    // One that a sanitizer has ended is started anew, so that the input that did it can be made smaller.
    if (this.#process === null || this.#process.ended) this.#process = new HarnessProcess();
    return this.#process.ask(kind, input, feedback);
  }

  async close(): Promise<void> {
    await this.#process?.close();
  }
}

class HarnessProcess {
  readonly #child: ChildProcess;
  #received: Buffer = Buffer.alloc(0);
  #words = '';
  #wake: () => void = () => undefined;
  ended = false;

  constructor() {
    this.#child = spawn(path.join(folder, 'build/fuzz/harness'), [], { stdio: ['pipe', 'pipe', 'pipe'], env: {} });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString()).slice(0, 4000);
    });
    // The pipe of a process that a sanitizer has ended.
    this.#child.stdin?.on('error', () => undefined);
    this.#child.on('close', () => {
      this.ended = true;
      this.#wake();
    });
  }

  async ask(kind: NativeKind, input: Uint8Array, feedback: Feedback): Promise<string | null> {
    const head = Buffer.alloc(5);
    head.write(kind, 0, 'latin1');
    head.writeUInt32LE(input.length, 1);
    this.#child.stdin?.write(Buffer.concat([head, input]));
    const [outcome = 0, length = 0] = await this.#take(2);
    const words = (await this.#take(length)).toString('latin1');
    const places = await this.#take((await this.#take(2)).readUInt16LE() * 2);
    for (let at = 0; at < places.length; at += 2) feedback.reached(places.readUInt16LE(at));
    if (outcome === 2) throw new PropertyBroken(words);
    return outcome === 0 ? null : words;
  }

  async close(): Promise<void> {
    const closed = this.ended ? null : new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin?.end();
    await closed;
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#received.length < count) {
      if (this.ended) throw new PropertyBroken(`the native program ended: ${summary(this.#words)}\n${this.#words}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const part = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return part;
  }
}

/** The line in which a sanitizer says what it found. */
function summary(words: string): string {
  return words.split('\n').find((line) => /ERROR: |runtime error: /.test(line)) ?? 'without a word';
}
