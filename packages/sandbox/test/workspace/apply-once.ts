// One apply in a process of its own, for a test that needs its own mounts.
import { join } from 'node:path';
import { runWorkspaceJob } from '../../src/workspace/worker.ts';
import { launchBinary } from './support.ts';

const [workspace = '', sessionDir = ''] = process.argv.slice(2);
try {
  await runWorkspaceJob({
    kind: 'apply',
    launch: launchBinary,
    sessionDir,
    session: 'ses_test',
    workspace,
    beganNs: String(2n ** 62n),
    protectedPaths: [],
    chosen: null,
    named: [],
    running: false,
  });
  console.log(`applied below ${join(workspace)}`);
} catch (error: unknown) {
  console.log(error instanceof Error ? error.message.split('\n')[0] : error);
}
