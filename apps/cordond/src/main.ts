import { fileURLToPath } from 'node:url';
import { isCordonError } from '@cordon/protocol';
import { type Configuration, readConfiguration } from './configuration.ts';
import { dropFetchClient } from './lean.ts';
import { writeLog } from './log-line.ts';

/** Exit status of Cordon's own failures (contracts.md). */
const exitStatus = { unavailable: 69, internal: 70, configuration: 78 } as const;

/** Each role loads only what it needs: a gateway holds no database driver, a supervisor no parser of hostile bytes. */
async function run(configuration: Configuration): Promise<void> {
  switch (configuration.role) {
    case 'control':
      return await (await import('./roles/control.ts')).runControl(configuration);
    case 'supervisor':
      return await (await import('./roles/supervisor.ts')).runSupervisor(configuration);
    case 'gateway':
      return await (await import('./roles/gateway.ts')).runGateway(configuration);
    case 'workspace':
      return await (await import('./roles/workspace.ts')).runWorkspace();
  }
}

function statusOf(error: unknown): number {
  if (!isCordonError(error)) return exitStatus.internal;
  switch (error.code) {
    case 'configuration':
    case 'profile-invalid':
    case 'store-permission':
    case 'store-version':
      return exitStatus.configuration;
    case 'unavailable':
    case 'store-locked':
    case 'ledger-locked':
    case 'supervisor-running':
      return exitStatus.unavailable;
    default:
      return exitStatus.internal;
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const steps = isCordonError(error)
    ? error.nextSteps.map((step) => `\n  next: ${step}`).join('')
    : `\n${error.stack ?? ''}`;
  const cause = error.cause === undefined ? '' : `\n  because: ${explain(error.cause)}`;
  return `${error.message}${steps}${cause}`;
}

dropFetchClient();
// Whatever is made from here on is ours alone, sockets included.
process.umask(0o077);
try {
  await run(readConfiguration(process, fileURLToPath(import.meta.url)));
  process.exit(0);
} catch (error: unknown) {
  writeLog(`cordond: ${explain(error)}\n`);
  process.exit(statusOf(error));
}
