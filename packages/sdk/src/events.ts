import { CordonError } from '@cordon/protocol';
import type { SdkErrorCode } from './error.ts';
import { limits } from './limits.ts';

export interface ServerEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: string;
}

/** Server-sent events (WHATWG HTML §9.2) as our API writes them: one `data` line an event, comments as heartbeat. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const event = parseEvent(rest.slice(0, end));
      rest = rest.slice(end + 2);
      if (event !== null) yield event;
    }
    if (rest.length > limits.eventBytesMax) {
      throw new CordonError<SdkErrorCode>('answer-too-large', `an event is over ${limits.eventBytesMax} characters`, {
        expose: true,
      });
    }
  }
}

function parseEvent(block: string): ServerEvent | null {
  let event = 'message';
  let id: string | null = null;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7);
    else if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  return data.length === 0 ? null : { event, id, data: data.join('\n') };
}
