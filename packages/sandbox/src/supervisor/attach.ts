import { encodeAttachFrames, isCordonError } from '@cordon/protocol';
import { supervisorLimits } from '../limits.ts';
import { parseAttachLine } from './attach-input.ts';
import type { CommandStream } from './command-stream.ts';
import type { UnixSocket } from './unix-socket.ts';

/** One connection of `stream.sock`: its first line names a stream, everything after it is that stream's. */
export function acceptAttach(
  socket: UnixSocket,
  find: (session: string, exec: string | null) => CommandStream | null,
): void {
  let early = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), supervisorLimits.attachLineTimeoutMs);
  const read = (chunk: Buffer): void => {
    early = Buffer.concat([early, chunk]);
    const end = early.indexOf(10);
    if (end < 0 && early.length <= supervisorLimits.attachLineBytesMax) return;
    clearTimeout(timer);
    socket.off('data', read);
    join(socket, early.toString('utf8', 0, Math.max(0, end)), early.subarray(end + 1), find);
  };
  socket.on('close', () => clearTimeout(timer));
  socket.on('data', read);
}

function join(socket: UnixSocket, line: string, rest: Buffer, find: Parameters<typeof acceptAttach>[1]): void {
  try {
    const { session, exec, offset } = parseAttachLine(line);
    const stream = find(session, exec);
    if (stream === null) refuse(socket, 'no-such-stream');
    else stream.attach(socket, offset, rest);
  } catch (error: unknown) {
    if (!isCordonError(error)) throw error;
    refuse(socket, error.code);
  }
}

function refuse(socket: UnixSocket, code: string): void {
  socket.end(Buffer.concat(encodeAttachFrames('notice', Buffer.from(JSON.stringify({ code })))));
}
