import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Change } from '@cordon/protocol';
import type { ApplyAnswer, WorkspaceJob } from '../../src/workspace/job.ts';
import { runWorkspaceJob } from '../../src/workspace/worker.ts';

const native = join(import.meta.dirname, '../../../../native/launch');
export const launchBinary = join(native, 'build/launch');

export function buildLaunch(): void {
  execFileSync('sh', [join(native, 'build.sh')]);
}

/** A workspace on the host and a session whose upper layer a real overlay writes. */
export class Fixture implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'cordon-workspace-'));
  readonly workspace = join(this.root, 'workspace');
  readonly sessionDir = join(this.root, 'session');
  readonly upper = join(this.sessionDir, 'upper');
  beganNs = 0n;
  extraProtected: string[] = [];

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const folder of [this.workspace, this.upper, join(this.sessionDir, 'work'), join(this.root, 'merged')]) {
      mkdirSync(folder, { recursive: true });
    }
    for (const [path, text] of Object.entries(files)) this.write(path, text);
    this.begin();
  }

  /** The session begins: what the host changes from now on is a conflict. */
  begin(): void {
    // The file system's own clock, with its coarse grain: the marker's time is later than that of every file above.
    execFileSync('sleep', ['0.02']);
    const marker = join(this.root, 'began');
    writeFileSync(marker, '');
    this.beganNs = statSync(marker, { bigint: true }).ctimeNs;
    execFileSync('sleep', ['0.02']);
  }

  write(path: string, text: string | Buffer): void {
    mkdirSync(dirname(join(this.workspace, path)), { recursive: true });
    writeFileSync(join(this.workspace, path), text);
  }

  /** What an agent does, through a real overlay in a mount namespace of its own. */
  agent(script: string): void {
    const root = process.getuid?.() === 0;
    const marks = root ? 'redirect_dir=off,metacopy=off' : 'userxattr';
    const options = `lowerdir=${this.workspace},upperdir=${this.upper},workdir=${this.sessionDir}/work,${marks}`;
    const mount = `mount -t overlay overlay -o ${options} "${this.root}/merged"`;
    execFileSync('unshare', [root ? '-m' : '-rm', 'sh', '-ec', `${mount}\ncd "${this.root}/merged"\n${script}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  async changes(): Promise<Change[]> {
    const answer = await runWorkspaceJob(this.#job('changes', null, []));
    if (!answer.ok || !('changes' in answer)) throw new Error('no changes');
    return answer.changes;
  }

  async apply(paths: string[] | null = null, named: string[] = [], running = false): Promise<ApplyAnswer> {
    const answer = await runWorkspaceJob({ ...this.#job('apply', paths, named), running });
    if (!answer.ok || !('outcome' in answer)) throw new Error('no outcome');
    return answer.outcome;
  }

  [Symbol.dispose](): void {
    // Also what an overlay of an ordinary user leaves without any permission.
    execFileSync(launchBinary, ['tree', 'remove', this.root]);
  }

  #job(kind: WorkspaceJob['kind'], chosen: string[] | null, named: string[]): WorkspaceJob {
    return {
      kind,
      launch: launchBinary,
      sessionDir: this.sessionDir,
      session: 'ses_test',
      workspace: this.workspace,
      beganNs: String(this.beganNs),
      protectedPaths: this.extraProtected,
      chosen,
      named,
      running: false,
    };
  }
}
