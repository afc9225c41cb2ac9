import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Configuration } from './configuration.ts';

/**
 * What Node is told per role. Idle memory is what a developer's machine pays all day: a small young generation and one
 * helper thread cost the quiet roles nothing; the gateway, which allocates for every request, keeps a larger one.
 */
const memoryOptions: Readonly<Record<Configuration['role'], readonly string[]>> = {
  control: ['--max-semi-space-size=2', '--v8-pool-size=1'],
  supervisor: ['--max-semi-space-size=1', '--v8-pool-size=1'],
  gateway: ['--max-semi-space-size=8', '--v8-pool-size=1'],
  workspace: ['--max-semi-space-size=2', '--v8-pool-size=1'],
};

/** Arguments of this very program in another role, with the same installation, state and test overrides. */
export function roleArguments(
  configuration: Configuration,
  role: Configuration['role'],
  tenant = configuration.tenant,
): string[] {
  const { nodeOptions, program, testingDestinations } = configuration;
  return [
    ...nodeOptions,
    ...memoryOptions[role],
    // No debugger by signal: it would open a port from which all of this process could be read.
    '--disable-sigusr1',
    program,
    '--role',
    role,
    '--tenant',
    tenant,
    ...(testingDestinations === null ? [] : ['--testing-destinations', testingDestinations]),
  ];
}

/** The whole environment of a role; nothing else of ours is inherited. */
export function roleEnvironment({ home, runtime, path: pathVariable }: Configuration): Record<string, string> {
  return { CORDON_HOME: home, CORDON_RUNTIME_DIR: runtime, PATH: pathVariable, LANG: 'C.UTF-8' };
}

/**
 * Starts the supervisor in a session of its own, so that it outlives us: a dead control plane must not end anybody's
 * work, and the next one takes it over. What it prints goes to a file.
 * @returns what became of it: null while it lives, else why it ended
 */
export function spawnSupervisor(configuration: Configuration, logFolder: string): () => string | null {
  const file = path.join(logFolder, 'supervisor.log');
  const log = openSync(file, 'a', 0o600);
  let ended: string | null = null;
  try {
    const child = spawn(configuration.node, roleArguments(configuration, 'supervisor'), {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: roleEnvironment(configuration),
    });
    child.on('error', (error) => {
      ended = `the supervisor could not be started: ${error.message}`;
    });
    child.on('exit', (status, signal) => {
      ended = `the supervisor ended with ${status ?? signal}: ${lastLine(file)}`;
    });
    child.unref();
  } finally {
    closeSync(log);
  }
  return () => ended;
}

/** Its guards notice, and the kernel ends every sandbox. A number that means another process by now is left alone. */
export function endSupervisor(pid: number): void {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (command[command.indexOf('--role') + 1] === 'supervisor') process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

function lastLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)?.slice(0, 500) ?? '';
  } catch {
    return `see ${file}`;
  }
}
