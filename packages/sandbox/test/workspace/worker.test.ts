import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const program = join(import.meta.dirname, '../supervisor/workspace-program.ts');

test('a supervisor that is gone before the answer leaves a process that ends quietly', async () => {
  const child = spawn(
    process.execPath,
    ['--conditions=cordon-source', '--disable-warning=ExperimentalWarning', program],
    { env: {}, stdio: ['pipe', 'pipe', 'pipe'] },
  );
  const ended = once(child, 'close');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  // What is left of a pipe whose reader was killed: writing to it is EPIPE.
  child.stdout.destroy();
  await once(child.stdout, 'close');
  child.stdin.end('{}');
  expect([await ended, said]).toEqual([[0, null], '']);
});
