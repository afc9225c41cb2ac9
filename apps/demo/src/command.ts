import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { DemoError } from './error.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const program = path.join(root, 'apps/cordon/dist/cordon.mjs');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line, as a person would use it, on a state folder of the demo's own. */
export class CommandLine {
  readonly #env: Readonly<Record<string, string>>;
  readonly #cwd: string;

  constructor(env: Readonly<Record<string, string>>, cwd: string) {
    this.#env = env;
    this.#cwd = cwd;
  }

  start(args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [program, ...args], {
      cwd: this.#cwd,
      env: this.#env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  run(args: readonly string[], input = ''): Promise<Ended> {
    const child = this.start(args);
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    return endOf(child);
  }

  /** @throws DemoError `command-failed` with what the command said */
  async succeed(args: readonly string[], input = ''): Promise<Ended> {
    const ended = await this.run(args, input);
    if (ended.status !== 0)
      throw new DemoError(
        'command-failed',
        `cordon ${args.join(' ')} ended with ${ended.status}\n${ended.stdout}${ended.stderr}`,
      );
    return ended;
  }
}

export function endOf(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** Installs the demo's agent by its lockfile, once per machine, and answers its command. */
export async function installAgent(env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn('sh', [path.join(root, 'test/agents/install.sh'), path.join(root, 'apps/demo/agent')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { status, stdout } = await endOf(child);
  if (status !== 0)
    throw new DemoError('install-failed', 'the demo’s agent could not be installed from the npm registry', {
      nextSteps: ['check that npm reaches its registry, then run ./cordon demo again'],
    });
  return path.join(stdout.trim(), 'node_modules/.bin/pi');
}
