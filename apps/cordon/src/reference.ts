import type { Session } from '@cordon/protocol';
import type { Cordon, SessionHandle } from '@cordon/sdk';
import { usageError } from './exit.ts';

const shortestReference = 4;

/** A session by its id, or by any ending of it that only one session has (the end is the random part). */
export async function findSession(cordon: Cordon, text: string): Promise<{ session: Session; handle: SessionHandle }> {
  if (/^ses_[0-9a-z]{26}$/.test(text)) {
    const handle = cordon.sessions.handle(text);
    return { session: await handle.get(), handle };
  }
  if (text.length < shortestReference) {
    throw usageError(
      `${text} is too short to name a session`,
      `give at least ${shortestReference} characters of the end of its id`,
      'cordon ps',
    );
  }
  const found: Session[] = [];
  for await (const session of cordon.sessions.list()) {
    if (session.id.endsWith(text)) found.push(session);
  }
  const [session] = found;
  if (session === undefined) throw usageError(`there is no session ${text}`, 'cordon ps --all');
  if (found.length > 1) throw usageError(`${text} fits ${found.length} sessions`, 'give more of the id');
  return { session, handle: cordon.sessions.handle(session.id) };
}
