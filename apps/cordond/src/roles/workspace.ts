import { runWorkspaceWorker } from '@cordon/sandbox';

/** One job of the supervisor on a workspace's hostile tree of files, in a process that ends with it. */
export async function runWorkspace(): Promise<void> {
  await runWorkspaceWorker({ stdin: process.stdin, stdout: process.stdout });
}
