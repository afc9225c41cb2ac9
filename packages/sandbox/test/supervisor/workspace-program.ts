import { runWorkspaceWorker } from '../../src/workspace/worker.ts';

await runWorkspaceWorker({ stdin: process.stdin, stdout: process.stdout });
