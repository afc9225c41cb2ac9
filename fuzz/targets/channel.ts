import { EventEmitter } from 'node:events';
import { Channel, type ChannelStream } from '../../packages/protocol/src/channel.ts';
import { limits } from '../../packages/protocol/src/limits.ts';
import { must, type Target, text } from '../engine/target.ts';

type Methods = { echo: { params: unknown; result: unknown } };

export const target: Target = {
  name: 'channel',
  about: "the private channel between Cordon's processes: lines of JSON, calls and answers",
  oracle:
    'a handler sees exactly the calls that stand in whole lines, in order, wherever the bytes are cut; each call that wants one gets one answer, in JSON lines; what is no message closes the channel; our own open call is settled by its answer or by the end',
  lengthMax: 1024,
  shortRuns: 10_000,
  dictionary: [
    '{"id":1,"method":"echo","params":',
    '{"method":"echo","params":1}\n',
    '{"id":1,"result":',
    '}\n',
    '"__proto__"',
    'null',
    '{"id":1,"error":{"code":"a","message":"b","nextSteps":[]}}\n',
  ],
  seeds: () =>
    [
      '{"id":7,"method":"echo","params":{"a":1}}\n{"method":"echo","params":2}\n',
      '{"id":1,"result":3}\n{"id":9,"method":"none","params":null}\n',
      '{"id":1,"error":{"code":"x","message":"y","nextSteps":[]}}\n',
    ].map(text),
  async run(input, feedback) {
    const whole = await talk([input]);
    const at = (input[0] ?? 0) % (input.length + 1);
    const parts = await talk([input.subarray(0, at), input.subarray(at)]);
    feedback.note(`${whole.closed} ${whole.settled}`);
    must(JSON.stringify(whole) === JSON.stringify(parts), 'cut in two, another conversation', whole, parts);
    const calls = callsIn(Buffer.from(input));
    must(whole.seen.length <= calls.length, 'a call that does not stand there', whole, calls);
    for (const [i, one] of whole.seen.entries()) must(one === calls[i], 'another call', one, calls[i]);
    if (!whole.closed) must(whole.seen.length === calls.length, 'a call was lost', whole, calls);
    for (const line of whole.sent) JSON.parse(line);
  },
};

interface Talk {
  readonly seen: string[];
  readonly sent: string[];
  readonly closed: boolean;
  readonly settled: string;
}

class Wire extends EventEmitter {
  readonly sent: string[] = [];
  write(line: string): boolean {
    must(line.endsWith('\n') && line.indexOf('\n') === line.length - 1, 'what is sent is not one line', line);
    this.sent.push(line.slice(0, -1));
    return true;
  }
  destroy(): void {
    this.emit('close');
  }
}

async function talk(chunks: readonly Uint8Array[]): Promise<Talk> {
  const wire = new Wire();
  const seen: string[] = [];
  const channel = new Channel<Methods, Methods>(wire as unknown as ChannelStream, {
    echo: (params) => {
      seen.push(JSON.stringify(params) ?? 'undefined');
      return null;
    },
  });
  let settled = 'open';
  const call = channel.call('echo', 1, limits.channelCallTimeoutMs).then(
    () => {
      settled = 'answered';
    },
    (error: unknown) => {
      settled = `failed ${error instanceof Error}`;
    },
  );
  for (const chunk of chunks) wire.emit('data', chunk);
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  const talked = { seen, sent: wire.sent.slice(1), closed: channel.closed, settled };
  channel.close();
  await call;
  return talked;
}

/** Parameters of the calls of `echo` in whole lines, up to the first line that is no message. */
function callsIn(bytes: Buffer): string[] {
  const calls: string[] = [];
  for (const line of bytes.toString('latin1').split('\n').slice(0, -1)) {
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(line, 'latin1'));
      const message = JSON.parse(text) as { method?: unknown; params?: unknown } | null;
      if (typeof message !== 'object' || message === null) return calls;
      if ('method' in message && String(message.method) === 'echo')
        calls.push(JSON.stringify(message.params) ?? 'undefined');
    } catch {
      return calls;
    }
  }
  return calls;
}
