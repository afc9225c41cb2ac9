import { spawn } from 'node:child_process';
import { CordonError } from '@cordon/protocol';
import { supervisorLimits } from '../limits.ts';
import type { WorkspaceAnswer, WorkspaceJob } from '../workspace/job.ts';
import type { SupervisorErrorCode } from './error.ts';
import type { Program } from './options.ts';

/**
 * Runs workspace jobs, each in a process of its own; a few at a time, and one at a time for each session. They end with
 * this process: the next supervisor recovers what was under way, and must find nobody who is still at it.
 */
export class WorkspaceJobs {
  readonly #program: Program;
  readonly #launch: string;
  readonly #bySession = new Map<string, Promise<unknown>>();
  #running = 0;

  constructor(program: Program, launch: string) {
    this.#program = program;
    this.#launch = launch;
  }

  /** @throws CordonError `workspace-busy`, `workspace-failed`, or the job's own code */
  async run(job: WorkspaceJob): Promise<Extract<WorkspaceAnswer, { ok: true }>> {
    const before = this.#bySession.get(job.session);
    const mine = (before ?? Promise.resolve()).catch(() => undefined).then(() => this.#start(job));
    this.#bySession.set(job.session, mine);
    try {
      const answer = await mine;
      if (answer.ok) return answer;
      throw new CordonError(answer.code, answer.message, { expose: true, nextSteps: answer.nextSteps });
    } finally {
      if (this.#bySession.get(job.session) === mine) this.#bySession.delete(job.session);
    }
  }

  async #start(job: WorkspaceJob): Promise<WorkspaceAnswer> {
    if (this.#running >= supervisorLimits.workspaceJobsMax) {
      throw new CordonError<SupervisorErrorCode>('workspace-busy', 'too many proposals are being read at once', {
        expose: true,
      });
    }
    this.#running += 1;
    try {
      return await runJob(this.#launch, this.#program, job);
    } finally {
      this.#running -= 1;
    }
  }
}

function runJob(launch: string, program: Program, job: WorkspaceJob): Promise<WorkspaceAnswer> {
  return new Promise((resolve, reject) => {
    const leashed = ['leash', String(process.pid), program.file, ...program.args];
    const child = spawn(launch, leashed, { env: program.env, stdio: ['pipe', 'pipe', 'inherit'] });
    child.on('error', (cause) => reject(failed('it could not be started', cause)));
    // Without a descriptor left there are no streams either; why is what 'error' says.
    if (child.pid === undefined) return;
    const timer = setTimeout(() => child.kill('SIGKILL'), supervisorLimits.workspaceJobTimeoutMs);
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > supervisorLimits.workspaceAnswerBytesMax) child.kill('SIGKILL');
      else chunks.push(chunk);
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (status !== 0) reject(failed(`it ended with ${signal ?? status}`));
      else resolve(parseAnswer(Buffer.concat(chunks).toString('utf8'), reject));
    });
    child.stdin.on('error', () => undefined); // its end is reported by 'close'
    child.stdin.end(JSON.stringify(job));
  });
}

/** From our own program, which was told to answer in this shape. */
function parseAnswer(text: string, reject: (error: CordonError) => void): WorkspaceAnswer {
  try {
    return JSON.parse(text) as WorkspaceAnswer;
  } catch (cause: unknown) {
    const error = failed('it gave no answer', cause);
    reject(error);
    return { ok: false, code: error.code, message: error.message, nextSteps: [] };
  }
}

function failed(why: string, cause?: unknown): CordonError {
  return new CordonError<SupervisorErrorCode>('workspace-failed', `the workspace process failed: ${why}`, { cause });
}
