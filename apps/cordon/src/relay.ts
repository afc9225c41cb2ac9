import { CordonError, type ExitReport, isCordonError } from '@cordon/protocol';
import type { Attachment } from '@cordon/sdk';
import { exitStatus } from './exit.ts';
import { enterRawMode } from './raw-mode.ts';
import type { Surroundings } from './surroundings.ts';
import { TerminalFilter } from './terminal-filter.ts';
import { visible } from './text.ts';

const forwardedSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
const reattachTries = 50;
const reattachDelayMs = 200;

export interface RelayOptions {
  readonly terminal: boolean;
  /** Writes Cordon's own words. */
  readonly say: (text: string, notice: Readonly<Record<string, unknown>>) => void;
  /** How to attach again at an output offset when the daemon was replaced under us; null: an exec, which is not kept. */
  readonly again: ((offset: number) => Promise<Attachment>) | null;
}

/** The size of the operator's terminal, or null where stdin and stdout are no terminal. */
export function terminalSize(at: Surroundings): { cols: number; rows: number } | null {
  if (at.stdin.isTTY !== true || at.stdout.isTTY !== true) return null;
  return { cols: at.stdout.columns || 80, rows: at.stdout.rows || 24 };
}

/** Connects this process's stdio, signals and window size with a command inside, until that ends. */
export async function relay(first: Attachment, at: Surroundings, options: RelayOptions): Promise<ExitReport> {
  let attachment = first;
  const failed = (): void => {}; // input to a command that has just ended is nobody's loss; its exit report follows
  const onData = (bytes: Buffer): void => {
    at.stdin.pause();
    attachment.write(bytes).then(() => at.stdin.resume(), failed);
  };
  const onEnd = (): void => void attachment.endInput().catch(failed);
  const onResize = (): void => {
    const size = terminalSize(at);
    if (size !== null) attachment.resize(size).catch(failed);
  };
  const signals = forwardedSignals.map((name) => ({
    name,
    listener: () => void attachment.signal(name).catch(failed),
  }));
  for (const { name, listener } of signals) process.on(name, listener);
  if (options.terminal) enterRawMode(at.stdin);
  at.stdin.on('data', onData).on('end', onEnd);
  at.stdout.on('resize', onResize);
  let offset = 0;
  // By where it goes, not by how it came: input from a pipe leaves the output on the operator's terminal.
  const filters = { stdout: filterFor(at.stdout), stderr: filterFor(at.stderr) };
  try {
    for (let tries = 0; ; ) {
      try {
        for await (const output of attachment) {
          tries = 0;
          if (output.type === 'exit') return output.exit;
          if (output.type === 'notice') {
            offset = typeof output.notice['offset'] === 'number' ? output.notice['offset'] : offset;
            options.say(noticeText(output.notice), output.notice);
            continue;
          }
          offset += output.bytes.length;
          const bytes = filters[output.type]?.push(output.bytes) ?? output.bytes;
          await write(at[output.type], bytes);
        }
      } catch (error) {
        if (options.again === null || !isCordonError(error) || error.code !== 'stream-lost' || tries >= reattachTries)
          throw error;
      }
      tries++;
      await new Promise((resolve) => setTimeout(resolve, reattachDelayMs));
      attachment = await reattach(options.again, offset, attachment, tries);
    }
  } finally {
    if (options.terminal) at.stdin.setRawMode(false);
    at.stdin.off('data', onData).off('end', onEnd);
    at.stdin.pause();
    at.stdin.unref?.();
    at.stdout.off('resize', onResize);
    for (const { name, listener } of signals) process.off(name, listener);
    attachment.detach();
  }
}

function filterFor(stream: NodeJS.WriteStream): TerminalFilter | null {
  return stream.isTTY === true ? new TerminalFilter() : null;
}

/** The daemon may be away for a moment; the session and its output are the supervisor's and still there. */
async function reattach(
  again: RelayOptions['again'],
  offset: number,
  last: Attachment,
  tries: number,
): Promise<Attachment> {
  try {
    return again === null ? last : await again(offset);
  } catch (error) {
    if (tries >= reattachTries || !isCordonError(error) || error.code !== 'unreachable') throw error;
    return last;
  }
}

function write(stream: NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => {
      // A closed pipe (| head) must not end the agent with a stack trace.
      if (error === null || error === undefined || (error as NodeJS.ErrnoException).code === 'EPIPE') resolve();
      else reject(new CordonError('internal', `cannot write output: ${error.message}`, { cause: error, expose: true }));
    });
  });
}

function noticeText(notice: Readonly<Record<string, unknown>>): string {
  const { code, detail, reason, path, bytes } = notice;
  const parts = [code, detail, reason, path].filter((part): part is string => typeof part === 'string' && part !== '');
  if (typeof bytes === 'number') parts.push(`${bytes} bytes`);
  return visible(parts.join(': '));
}

/** The status that `cordon run` ends with: the command's own, 137 when it was killed, 69 when it was lost. */
export function statusOf(exit: ExitReport): number {
  switch (exit.reason) {
    case 'exited':
    case 'signaled':
      return exit.status;
    case 'killed':
      return exitStatus.killed;
    case 'lost':
      return exitStatus.unavailable;
  }
}
