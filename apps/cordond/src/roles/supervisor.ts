import { createId, systemClock, systemRandom, timestamp } from '@cordon/protocol';
import { createProcessDriver, createSupervisor, sessionUids } from '@cordon/sandbox';
import type { Configuration } from '../configuration.ts';
import { layoutOf } from '../layout.ts';
import { logLine } from '../log-line.ts';
import { rotateLog } from '../log-rotation.ts';
import { readPermitKey } from '../permit-key.ts';
import { onStop } from '../signals.ts';
import { roleArguments, roleEnvironment } from '../supervisor-process.ts';

/** Zone 2: starts sandboxes and gateways, parses nothing hostile. What it dies of, its sandboxes die of too. */
export async function runSupervisor(configuration: Configuration): Promise<void> {
  using _log = rotateLog();
  const clock = systemClock;
  const env = roleEnvironment(configuration);
  const { launch, relays, keys } = layoutOf(configuration);
  const program = (role: 'gateway' | 'workspace', tenant?: string) => ({
    file: configuration.node,
    args: roleArguments(configuration, role, tenant),
    env,
  });
  const supervisor = await createSupervisor({
    home: configuration.home,
    runtime: configuration.runtime,
    boot: createId('boot', clock, systemRandom),
    drivers: { process: createProcessDriver({ clock, random: systemRandom, relays, launchBinary: launch }) },
    programs: {
      gateway: (tenant) => program('gateway', tenant),
      workspace: program('workspace'),
      launch,
    },
    warmTenants: [configuration.tenant],
    uids: configuration.uid === 0 ? sessionUids : null,
    permitKey: await readPermitKey(keys),
    clock,
    random: systemRandom,
    log: (event) => logLine(timestamp(clock), event),
  });
  const stop = onStop();
  await Promise.race([supervisor.done, stop.requested]);
  await supervisor.shutdown();
}
