import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { currentInput, currentNumber } from './current.ts';
import type { Answer, Order } from './process.ts';

/**
 * No input takes longer than some milliseconds, so this long without a new one is a loop that does not end (or a wait
 * for nothing), whatever else the machine does meanwhile.
 */
const hangMs = 30_000;
const lookMs = 500;
const outputCharsMax = 8000;

/** Runs one target in a process of its own; whatever ends that process is a finding with the input that did. */
export function runTarget(order: Order): Promise<Answer> {
  const child = fork(path.join(import.meta.dirname, 'process.ts'), [], {
    execArgv: [
      '--conditions=cordon-source',
      '--expose-gc',
      '--max-old-space-size=1024',
      '--disable-warning=ExperimentalWarning',
      '--import',
      path.join(import.meta.dirname, 'instrument.ts'),
    ],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = `${output}${chunk.toString()}`.slice(-outputCharsMax);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  let answer: Answer | null = null;
  let hung = false;
  let last = { number: -1, look: 0 };
  const timer = setInterval(() => {
    const number = existsSync(order.current) ? currentNumber(order.current) : -1;
    last = number === last.number && number >= 0 ? { number, look: last.look + 1 } : { number, look: 0 };
    if (last.look * lookMs < hangMs || answer !== null) return;
    hung = true;
    child.kill('SIGKILL');
  }, lookMs);
  child.on('message', (message) => {
    answer = message as Answer;
  });
  child.send(order);
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      clearInterval(timer);
      resolve(answer ?? ended(order, hung ? `no end after ${hangMs} ms` : `ended with ${signal ?? status}`, output));
    });
  });
}

function ended(order: Order, how: string, output: string): Answer {
  const input = existsSync(order.current) ? currentInput(order.current) : new Uint8Array(0);
  return {
    kind: 'finding',
    message: `the process ${how}`,
    stack: output,
    input: Buffer.from(input).toString('base64'),
  };
}
