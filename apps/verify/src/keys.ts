import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KeyFiles } from '@cordon/ledger';

/** The keys of one tenant's bodies, as `$CORDON_HOME/keys` holds them. */
export interface KeysPlace {
  readonly tenant: string;
  readonly tenantKey: string;
  readonly directory: string;
}

/** Null when this folder has no keys of the tenant. */
export function findKeys(folder: string, tenant: string): KeysPlace | null {
  const tenantKey = join(folder, `bodies-${tenant}.key`);
  return existsSync(tenantKey) ? { tenant, tenantKey, directory: join(folder, 'bodies', tenant) } : null;
}

export function openKeys({ tenant, tenantKey, directory }: KeysPlace): KeyFiles {
  return new KeyFiles({ tenant, directory, tenantKey: readFileSync(tenantKey) });
}
