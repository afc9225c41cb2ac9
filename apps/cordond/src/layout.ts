import path from 'node:path';
import { infrastructureName } from '@cordon/ledger';
import type { Configuration } from './configuration.ts';

/** Where everything of one deployment lies; the one place that knows. */
export interface Layout {
  readonly database: string;
  readonly keys: string;
  readonly secrets: string;
  readonly people: string;
  readonly log: string;
  readonly policy: string;
  readonly journals: string;
  readonly tree: string;
  /** Journal and tree of the host itself; no tenant can have this name. */
  readonly infrastructure: { readonly name: string; readonly journals: string; readonly tree: string };
  readonly engines: string;
  readonly witnesses: string;
  readonly apiSocket: string;
  readonly controlSocket: string;
  readonly supervisorSocket: string;
  readonly streamSocket: string;
  readonly relays: string;
  readonly profiles: string;
  readonly launch: string;
}

export function layoutOf({ home, runtime, tenant, installation }: Configuration): Layout {
  return {
    database: path.join(home, 'cordon.db'),
    keys: path.join(home, 'keys'),
    secrets: path.join(home, 'secrets'),
    people: path.join(home, 'people'),
    log: path.join(home, 'log'),
    policy: path.join(home, 'policy'),
    journals: path.join(home, 'ledger/journal', tenant),
    tree: path.join(home, 'ledger/tree', tenant),
    infrastructure: {
      name: infrastructureName,
      journals: path.join(home, 'ledger/journal', infrastructureName),
      tree: path.join(home, 'ledger/tree', infrastructureName),
    },
    witnesses: path.join(home, 'witnesses'),
    engines: path.join(home, 'ledger/engines'),
    apiSocket: path.join(runtime, 'api.sock'),
    controlSocket: path.join(runtime, 'control.sock'),
    supervisorSocket: path.join(runtime, 'supervisor.sock'),
    streamSocket: path.join(runtime, 'stream.sock'),
    relays: path.join(runtime, 'relays'),
    profiles: path.join(installation, 'profiles'),
    launch: path.join(installation, 'native/launch/build/launch'),
  };
}
