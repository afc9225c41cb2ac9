import type { Duplex } from 'node:stream';
import { refusal } from '../error.ts';
import { limits } from '../limits.ts';
import { connectSocket } from '../supervisor/socket.ts';

/**
 * The supervisor's stream of a session (or of one `exec`), from an offset on. After the one line that says which,
 * the bytes are attach frames both ways and pass through the control plane unread.
 * @throws CordonError `supervisor-unavailable`
 */
export async function openStream(
  socketPath: string,
  session: string,
  exec: string | null,
  offset: number,
): Promise<Duplex> {
  try {
    const socket = await connectSocket(socketPath, limits.supervisorHelloTimeoutMs);
    socket.setNoDelay(true);
    socket.write(`${JSON.stringify({ session, exec, offset })}\n`);
    return socket;
  } catch (cause) {
    throw refusal('supervisor-unavailable', 'the supervisor does not answer', ['cordon status'], cause);
  }
}
