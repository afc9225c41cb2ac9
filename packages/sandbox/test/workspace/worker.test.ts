import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { isAlive, until } from '../supervisor/support.ts';
import { buildLaunch, launchBinary } from './support.ts';

const programs = join(import.meta.dirname, '../supervisor');
const start = (name: string, ...args: string[]): ChildProcessWithoutNullStreams =>
  spawn(
    process.execPath,
    ['--conditions=cordon-source', '--disable-warning=ExperimentalWarning', join(programs, name), ...args],
    { env: {} },
  );

beforeAll(buildLaunch);

/** The process below `parent` that has become `name`. */
function childOf(parent: number | undefined, name: string): number | undefined {
  const found = readdirSync('/proc').find((pid) => {
    try {
      const [, comm, fields = ''] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return comm === name && Number(fields.split(' ')[1]) === parent;
    } catch {
      return false;
    }
  });
  return found === undefined ? undefined : Number(found);
}

test('a supervisor that is gone before the answer leaves a process that ends quietly', async () => {
  const child = start('workspace-program.ts');
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

test('a process that changes files does not outlive the supervisor that it works for', async () => {
  const supervisor = start('jobs-program.ts', launchBinary);
  const job = await until(() => childOf(supervisor.pid, 'sleep'), 'the job to begin');
  try {
    supervisor.kill('SIGKILL');
    await once(supervisor, 'exit');
    await until(() => !isAlive(job), 'the job to end');
  } finally {
    if (isAlive(job)) process.kill(job, 'SIGKILL');
  }
});
