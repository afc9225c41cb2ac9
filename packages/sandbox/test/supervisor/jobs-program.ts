// Has a workspace job under way that never ends, for a test that kills whoever waits for it.
import { WorkspaceJobs } from '../../src/supervisor/workspace-jobs.ts';

const [launch = ''] = process.argv.slice(2);
const jobs = new WorkspaceJobs({ file: '/bin/sleep', args: ['1000'], env: {} }, launch);
await jobs.run({ session: 'ses_test' } as Parameters<WorkspaceJobs['run']>[0]);
