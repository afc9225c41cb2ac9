// A supervisor as cordond composes it, for tests that kill it.
import { join } from 'node:path';
import { createId, isCordonError, systemClock, systemRandom } from '@cordon/protocol';
import { createProcessDriver, createSupervisor, sessionUids } from '../../src/index.ts';

const [home = '', runtime = '', launch = ''] = process.argv.slice(2);
const program = (name: string) => ({
  file: process.execPath,
  args: ['--conditions=cordon-source', '--disable-warning=ExperimentalWarning', join(import.meta.dirname, name)],
  env: {},
});
try {
  const supervisor = await createSupervisor({
    home,
    runtime,
    boot: createId('boot', systemClock, systemRandom),
    drivers: {
      process: createProcessDriver({
        clock: systemClock,
        random: systemRandom,
        relays: join(runtime, 'relays'),
        launchBinary: launch,
      }),
    },
    programs: { gateway: () => program('gateway-program.ts'), workspace: program('workspace-program.ts'), launch },
    warmTenants: ['local'],
    permitKey: null,
    uids: process.getuid?.() === 0 ? sessionUids : null,
    clock: systemClock,
    random: systemRandom,
    log: (event) => console.error(JSON.stringify(event)),
  });
  process.on('SIGTERM', () => void supervisor.shutdown());
  console.log('listening');
  await supervisor.done;
  process.exit(0);
} catch (error: unknown) {
  console.error(error);
  console.log(isCordonError(error) ? error.code : 'fault');
  process.exit(69);
}
