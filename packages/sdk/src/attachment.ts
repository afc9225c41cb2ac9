import { AttachDecoder, type AttachFrame, CordonError, type ExitReport, encodeAttachFrames } from '@cordon/protocol';
import type { SdkErrorCode } from './error.ts';
import type { ByteStream } from './transport.ts';

export type Output =
  | { readonly type: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  /** Cordon's own words about the session (frozen, thawed, output lost …), never the agent's. */
  | { readonly type: 'notice'; readonly notice: Readonly<Record<string, unknown>> }
  | { readonly type: 'exit'; readonly exit: ExitReport };

/**
 * A command's terminal or pipes. Iterate it for output (what is not read backpressures the command); the last item
 * is always `exit`, and a stream that ends without it throws `stream-lost`, so an ended loop means an ended command.
 */
export class Attachment implements AsyncIterable<Output>, Disposable {
  readonly #stream: ByteStream;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  write(bytes: Uint8Array): Promise<void> {
    // An empty `stdin` frame means end of input, so an empty write must not become one.
    return bytes.length === 0 ? Promise.resolve() : this.#send('stdin', bytes);
  }

  endInput(): Promise<void> {
    return this.#send('stdin', new Uint8Array(0));
  }

  /** @param name a POSIX name such as `SIGINT` */
  signal(name: string): Promise<void> {
    return this.#send('signal', new TextEncoder().encode(name));
  }

  resize(size: { cols: number; rows: number }): Promise<void> {
    return this.#send('resize', new TextEncoder().encode(JSON.stringify(size)));
  }

  /** Lets go; the command runs on. */
  detach(): void {
    this.#stream.close();
  }

  [Symbol.dispose](): void {
    this.detach();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Output> {
    const decoder = new AttachDecoder();
    try {
      for await (const chunk of this.#stream.input) {
        for (const frame of decoder.push(chunk)) {
          const output = outputOf(frame);
          yield output;
          if (output.type === 'exit') return;
        }
      }
    } catch (cause) {
      throw lost(cause);
    }
    throw lost(undefined);
  }

  async #send(type: 'stdin' | 'signal' | 'resize', payload: Uint8Array): Promise<void> {
    for (const frame of encodeAttachFrames(type, payload)) await this.#stream.write(frame);
  }
}

function outputOf(frame: AttachFrame): Output {
  switch (frame.type) {
    case 'stdout':
    case 'stderr':
      return { type: frame.type, bytes: frame.payload };
    case 'notice':
      return { type: 'notice', notice: JSON.parse(new TextDecoder().decode(frame.payload)) as Record<string, unknown> };
    case 'exit':
      return { type: 'exit', exit: JSON.parse(new TextDecoder().decode(frame.payload)) as ExitReport };
    default:
      throw new CordonError<SdkErrorCode>(
        'stream-lost',
        `the daemon sent a ${frame.type} frame, which only clients send`,
      );
  }
}

function lost(cause: unknown): CordonError {
  return new CordonError<SdkErrorCode>(
    'stream-lost',
    'the connection to the session was lost before the command ended',
    {
      cause,
      expose: true,
      nextSteps: ['cordon ps', 'cordon status'],
    },
  );
}
