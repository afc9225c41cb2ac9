import { encodeCommand } from '../../packages/sandbox/src/process/description.ts';
import { encodeFrame, type Frame, FrameDecoder, frameTypes } from '../../packages/sandbox/src/process/frame.ts';
import { must, type Target } from '../engine/target.ts';
import { NativeParsers } from '../readers/native.ts';

let native: NativeParsers;

export const target: Target = {
  name: 'control-frames',
  about:
    'control frames: what the launcher does with them (the real launch.c under ASan and UBSan), and how TypeScript cuts its answers',
  oracle:
    'no sanitizer speaks; every answer is a whole frame about a command that may be; the same frames wherever the bytes are cut; written again they are the bytes that were read',
  lengthMax: 1024,
  shortRuns: 4000,
  dictionary: Object.values(frameTypes).map((type) => Buffer.from(encodeFrame(type)).toString('latin1')),
  seeds,
  async open() {
    native = new NativeParsers();
  },
  async close() {
    await native.close();
  },
  async run(input, feedback) {
    feedback.note((await native.ask('f', input, feedback)) ?? 'all read');
    const whole = decode([input]);
    const at = (input[0] ?? 0) % (input.length + 1);
    const parts = decode([input.subarray(0, at), input.subarray(at)]);
    feedback.note(whole === null ? 'unknown type' : 'frames');
    must((whole === null) === (parts === null), 'cut in two, refused or not');
    must(JSON.stringify(whole) === JSON.stringify(parts), 'cut in two, other frames', whole, parts);
    const again = Buffer.concat((whole ?? []).map(({ type, a, b, c }) => encodeFrame(type, a, b, c)));
    must(again.equals(Buffer.from(input).subarray(0, again.length)), 'written again, other bytes', again);
    must(whole === null || input.length - again.length < 16, 'a whole frame was left over', whole);
  },
};

function decode(chunks: readonly Uint8Array[]): Frame[] | null {
  const decoder = new FrameDecoder();
  try {
    return chunks.flatMap((chunk) => decoder.push(chunk));
  } catch (error: unknown) {
    if ((error as { code?: string }).code === 'launch-protocol') return null;
    throw error;
  }
}

function seeds(): readonly Uint8Array[] {
  const command = encodeCommand({ command: ['ls', '-l'], env: { A: 'b' }, cwd: '/', terminal: null });
  const started = (id: number): number[] => [3, id, 9, 0];
  const ended = (id: number): number[] => [6, id, 0, 0];
  const open = encodeFrame(frameTypes.open);
  const exec = Buffer.concat([encodeFrame(frameTypes.exec, 1, 2, command.length), command]);
  const failed = [4, 1, 2, 4];
  return [
    Buffer.concat([Buffer.from([1, ...started(0)]), open, encodeFrame(frameTypes.signal, 0, 15)]),
    Buffer.concat([
      Buffer.from([3, ...started(0), ...ended(0), ...started(1)]),
      open,
      exec,
      encodeFrame(frameTypes.resize, 1, 80, 24),
    ]),
    Buffer.concat([Buffer.from([2, ...started(0), ...failed]), open, exec, exec]),
    Buffer.concat([
      encodeFrame(frameTypes.ready, 7, 0, 1),
      encodeFrame(frameTypes.started, 0, 9),
      encodeFrame(frameTypes.exit, 0, 1, 0),
    ]),
  ];
}
