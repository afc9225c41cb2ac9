import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  type InfrastructureOptions,
  infrastructureName,
  listTenants,
  parseWitnessPolicy,
  type VerifyOptions,
  type VerifyPart,
} from '@cordon/ledger';
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
    const infrastructure = given.infrastructure === null ? {} : { infrastructure: infrastructureOf(given) };
    const options = { journals: given.journal, tree: given.tree, verifierKey, ...rest, ...infrastructure };
    return [{ name: given.tree ?? given.journal ?? '', options, engines: given.engines, keys: keysOf(given) }];
  }
  const ledger = join(given.home, 'ledger');
  const engines = [...keptEngines(join(ledger, 'engines')), ...given.engines];
  const verifierKey = readFileSync(given.key ?? join(given.home, 'keys', 'ledger.vkey'), 'utf8');
  const keys = join(given.home, 'keys');
  const heads = new Map(readKeptHeads(keys));
  const host = hostOf(given.home, given.infrastructureKey);
  // A tenant of whom nothing but a signed head is left is the one to look at.
  const tenants = new Set([
    ...listTenants(join(ledger, 'journal')),
    ...listTenants(join(ledger, 'tree')),
    ...heads.keys(),
  ]);
  tenants.delete(infrastructureName);
  const targets = [...tenants].sort().map((tenant) => ({
    name: tenant,
    engines,
    keys: findKeys(given.keys ?? keys, tenant),
    options: {
      // Both, even when one is missing: half a ledger is not a whole one.
      journals: join(ledger, 'journal', tenant),
      tree: join(ledger, 'tree', tenant),
      verifierKey,
      ...rest,
      infrastructure: host,
      // Read before the tree is, so that a living log is only ever ahead of it.
      checkpoints: [...checkpoints, ...(heads.get(tenant) ?? [])],
    },
  }));
  return [...targets, ...(host === null ? [] : hostTarget(given.home, host, rest))];
}

function infrastructureOf({ infrastructure, infrastructureKey }: Arguments): InfrastructureOptions {
  return { tree: infrastructure ?? '', verifierKey: readFileSync(infrastructureKey ?? '', 'utf8') };
}

/** The tree that logs the tenants' heads; null when nothing at all is left of it, or never was. */
function hostOf(home: string, given: string | null): InfrastructureOptions | null {
  const tree = join(home, 'ledger/tree', infrastructureName);
  const key = join(home, 'keys/infrastructure.vkey');
  const traces = [key, tree, join(home, 'ledger/journal', infrastructureName), join(home, 'keys/infrastructure.head')];
  return given !== null || traces.some(existsSync) ? { tree, verifierKey: readFileSync(given ?? key, 'utf8') } : null;
}

const hostParts: readonly VerifyPart[] = ['entries', 'complete', 'tree', 'witnesses'];

/** The host's own ledger: it has no sessions, so nothing to judge again. */
function hostTarget(
  home: string,
  { tree, verifierKey }: InfrastructureOptions,
  { witnesses, parts }: Pick<VerifyOptions, 'witnesses' | 'parts'>,
): Target[] {
  const own = hostParts.filter((part) => parts === undefined || parts.includes(part));
  const head = join(home, 'keys/infrastructure.head');
  const options = {
    ...{ journals: join(home, 'ledger/journal', infrastructureName), tree, verifierKey, parts: own },
    checkpoints: existsSync(head) ? [readFileSync(head, 'utf8')] : [],
    // Witnesses that follow the tenants' trees need not follow this; if no one follows either, the tenants' say so.
    witnesses: existsSync(join(tree, 'cosigned')) ? (witnesses ?? null) : null,
  };
  return own.length === 0 ? [] : [{ name: infrastructureName, options, engines: [], keys: null }];
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
