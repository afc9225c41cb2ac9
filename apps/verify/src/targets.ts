import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { listTenants, parseWitnessPolicy, type VerifyOptions } from '@cordon/ledger';
import type { Arguments } from './arguments.ts';
import { keptEngines } from './engines.ts';
import { findKeys, type KeysPlace } from './keys.ts';

export interface Target {
  readonly name: string;
  readonly options: VerifyOptions;
  /** Files of policy engines. */
  readonly engines: readonly string[];
  /** Keys of sealed bodies; without them decisions cannot be judged again. */
  readonly keys: KeysPlace | null;
}

/** What is to be verified, one target per tenant. Opens nothing but the key and the checkpoints that were named. */
export function targetsOf(given: Arguments): Target[] {
  const checkpoints = given.checkpoints.map((path) => readFileSync(path, 'utf8'));
  const witnessFile = given.witnesses ?? (given.home === null ? null : join(given.home, 'witnesses'));
  // A file that was named must be there; the home's own need not.
  const named = witnessFile !== null && (given.witnesses !== null || existsSync(witnessFile));
  const witnesses = named ? parseWitnessPolicy(readFileSync(witnessFile, 'utf8')) : null;
  const rest = { checkpoints, witnesses, ...(given.parts === null ? {} : { parts: given.parts }) };
  if (given.home === null) {
    const verifierKey = given.key === null ? null : readFileSync(given.key, 'utf8');
    const options = { journals: given.journal, tree: given.tree, verifierKey, ...rest };
    return [{ name: given.tree ?? given.journal ?? '', options, engines: given.engines, keys: keysOf(given) }];
  }
  const ledger = join(given.home, 'ledger');
  const engines = [...keptEngines(join(ledger, 'engines')), ...given.engines];
  const verifierKey = readFileSync(given.key ?? join(given.home, 'keys', 'ledger.vkey'), 'utf8');
  const keys = join(given.home, 'keys');
  const heads = new Map(readKeptHeads(keys));
  // A tenant of whom nothing but a signed head is left is the one to look at.
  const tenants = new Set([
    ...listTenants(join(ledger, 'journal')),
    ...listTenants(join(ledger, 'tree')),
    ...heads.keys(),
  ]);
  return [...tenants].sort().map((tenant) => ({
    name: tenant,
    engines,
    keys: findKeys(given.keys ?? keys, tenant),
    options: {
      // Both, even when one is missing: half a ledger is not a whole one.
      journals: join(ledger, 'journal', tenant),
      tree: join(ledger, 'tree', tenant),
      verifierKey,
      ...rest,
      // Read before the tree is, so that a living log is only ever ahead of it.
      checkpoints: [...checkpoints, ...(heads.get(tenant) ?? [])],
    },
  }));
}

/** A journal's folder is called like its tenant. */
function keysOf({ keys, journal }: Arguments): KeysPlace | null {
  return keys === null || journal === null ? null : findKeys(keys, basename(journal));
}

/** Per tenant the newest head that cordond signed, kept outside of the ledger's own folder. */
function readKeptHeads(keys: string): Array<[tenant: string, notes: string[]]> {
  const names = existsSync(keys) ? readdirSync(keys) : [];
  return names.flatMap((name): Array<[string, string[]]> => {
    const tenant = /^ledger-([a-z0-9][a-z0-9-]*)\.head$/.exec(name)?.[1];
    return tenant === undefined ? [] : [[tenant, [readFileSync(join(keys, name), 'utf8')]]];
  });
}
