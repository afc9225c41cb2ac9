import { isDeepStrictEqual } from 'node:util';
import { AttachDecoder, type AttachFrame, encodeAttachFrames } from '../../packages/protocol/src/attach.ts';
import { parseAttachLine, parseResize, parseSignal } from '../../packages/sandbox/src/supervisor/attach-input.ts';
import { type Feedback, must, type Target } from '../engine/target.ts';

const refusedCode = 'attach-malformed';

export const target: Target = {
  name: 'attach',
  about: 'the byte stream of `cordon attach`: frames, and the words in them',
  oracle:
    'frames written again are the bytes that were read; the same frames wherever the bytes are cut; sizes and signals are ones that exist; nothing but `attach-malformed` is thrown',
  lengthMax: 512,
  shortRuns: 20_000,
  dictionary: ['{"session":"ses_1","exec":null,"offset":0}', '{"cols":80,"rows":24}', 'SIGINT', 'null', '\0\0\0\0'],
  seeds: () => [
    Buffer.concat([
      ...encodeAttachFrames('stdin', Buffer.from('ls\n')),
      ...encodeAttachFrames('stdin', Buffer.alloc(0)),
    ]),
    Buffer.concat(encodeAttachFrames('signal', Buffer.from('SIGTERM'))),
    Buffer.concat(encodeAttachFrames('resize', Buffer.from('{"cols":80,"rows":24}'))),
    Buffer.from('{"cols":80,"rows":24}'),
    Buffer.from('{"session":"ses_1","exec":null,"offset":12}'),
  ],
  run(input, feedback) {
    const whole = decode([input]);
    const cut = (input[0] ?? 0) % (input.length + 1);
    const parts = decode([input.subarray(0, cut), input.subarray(cut)]);
    must(isDeepStrictEqual(whole, parts), 'cut in two, other frames', whole, parts);
    const again = Buffer.concat(whole.frames.flatMap(({ type, payload }) => encodeAttachFrames(type, payload)));
    must(again.equals(Buffer.from(input).subarray(0, again.length)), 'written again, other bytes', again);
    for (const frame of whole.frames) readWords(frame, feedback);
    // The words also by themselves: no change of them has to fit a length then.
    for (const type of ['signal', 'resize'] as const) readWords({ type, payload: input }, feedback);
    readLine(Buffer.from(input).toString('utf8'), feedback);
  },
};

function decode(chunks: readonly Uint8Array[]): { frames: AttachFrame[]; refused: boolean } {
  const decoder = new AttachDecoder();
  const frames: AttachFrame[] = [];
  for (const chunk of chunks) {
    const read = tried(() => decoder.push(chunk));
    // What came whole before the broken frame is not given, so a cut behind it may give more; neither is served.
    if (read === null) return { frames: [], refused: true };
    frames.push(...read.map(({ type, payload }) => ({ type, payload: Uint8Array.from(payload) })));
  }
  return { frames, refused: false };
}

function readWords({ type, payload }: AttachFrame, feedback: Feedback): void {
  feedback.note(type);
  if (type === 'signal') {
    const signal = tried(() => parseSignal(payload));
    must(signal === null || /^SIG[A-Z0-9]+$/.test(signal), 'no signal', signal);
  }
  if (type === 'resize') {
    const size = tried(() => parseResize(payload));
    const sound = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 10_000;
    must(size === null || (sound(size.cols) && sound(size.rows)), 'no size of a terminal', size);
  }
}

function readLine(line: string, feedback: Feedback): void {
  const request = tried(() => parseAttachLine(line));
  feedback.note(request === null ? 'no line' : 'line');
  if (request === null) return;
  const { session, exec, offset } = request;
  must(typeof session === 'string' && (exec === null || typeof exec === 'string'), 'no names', request);
  must(Number.isSafeInteger(offset) && offset >= 0, 'no offset', request);
}

function tried<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error: unknown) {
    if ((error as { code?: string }).code === refusedCode) return null;
    throw error;
  }
}
