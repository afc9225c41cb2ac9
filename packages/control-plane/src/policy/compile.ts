import {
  ceilingFor,
  checkPolicyText,
  compileLayer,
  coreCeiling,
  type Engine,
  mergeLayer,
  openTenant,
} from '@cordon/policy';
import type {
  ApprovalSettings,
  Budgets,
  LayerSource,
  OriginRule,
  RecordValue,
  Rung,
  TenantPolicy,
} from '@cordon/protocol';
import { type Digest, digestRecord } from '@cordon/protocol/digest';
import { toBudget } from '../config/budget-file.ts';
import { type FileProblem, readYaml } from '../config/document.ts';
import { compileEntries } from '../config/grants.ts';
import { type TenantFile, tenantFile } from './tenant-file.ts';

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

export interface TenantLayers {
  readonly layers: readonly LayerSource[];
  readonly origins: readonly OriginRule[];
  readonly settings: TenantSettings;
  readonly digest: Digest;
}

/** How approvals are given in this tenant, what may be spent, what a breaker does; left out where no file says anything. */
type TenantSettings = Pick<TenantPolicy, 'rungs' | 'approvals' | 'budgets' | 'breakers'>;

export type CompiledTenant =
  | { readonly ok: true; readonly layers: TenantLayers; readonly policies: number }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/**
 * The tenant's files, compiled and through the load gate. All or nothing: one bad file keeps the whole generation out,
 * because what it would have forbidden is not known.
 */
export function compileTenant(engine: Engine, files: readonly SourceFile[]): CompiledTenant {
  const problems: FileProblem[] = [];
  const parts: Readonly<Record<string, string>>[] = [];
  const origins: OriginRule[] = [];
  let settings: TenantSettings = {};
  let open = true;
  for (const file of files) {
    if (file.name.endsWith('.cedar')) {
      const checked = checkPolicyText(engine, file, 'tenant');
      problems.push(...checked.problems);
      parts.push(checked.policies);
      continue;
    }
    const read = readYaml(file.name, file.text, tenantFile);
    if (!read.ok) {
      problems.push(...read.problems);
      continue;
    }
    open &&= read.value.default === 'allow';
    const { approvals, budgets, breakers } = read.value;
    if (approvals !== undefined) {
      if (settings.approvals !== undefined)
        problems.push(saidTwice(file.name, 'approvals', read.lineOf(['approvals'])));
      settings = { ...settings, ...toApprovals(approvals) };
      if (settings.rungs?.some(({ strong }) => strong) === true)
        problems.push(nobodyStrong(file.name, read.lineOf(['approvals', 'rungs'])));
    }
    if (budgets !== undefined) {
      if (settings.budgets !== undefined) problems.push(saidTwice(file.name, 'budgets', read.lineOf(['budgets'])));
      settings = { ...settings, budgets: toBudgets(budgets) };
    }
    if (breakers !== undefined) {
      if (settings.breakers !== undefined) problems.push(saidTwice(file.name, 'breakers', read.lineOf(['breakers'])));
      settings = { ...settings, breakers };
    }
    const compiled = compileEntries({ layer: 'tenant', source: file.name, ...read.value, lineOf: read.lineOf });
    if (compiled.ok) {
      parts.push(compiled.compiled.policies);
      origins.push(...compiled.compiled.origins);
    } else {
      problems.push(...compiled.problems);
    }
  }
  if (problems.length > 0) return { ok: false, problems };
  const merged = mergeLayer('tenant', open ? [openTenant.policies, ...parts] : parts);
  if (!merged.ok) return merged;
  const { layer: tenant } = merged;
  const gate = compileLayer(engine, tenant);
  if (!gate.ok) return gate;
  return {
    ok: true,
    // How many people can be asked decides which version of the core rules stands above.
    layers: withDigest([ceilingFor(settings.rungs), tenant], origins, settings),
    policies: parts.reduce((sum, part) => sum + Object.keys(part).length, 0),
  };
}

/** Nothing is permitted: what a tenant gets whose files were bad before there ever was a good generation. */
export function closedTenant(): TenantLayers {
  return withDigest([coreCeiling, { name: 'tenant', policies: {} }], [], {});
}

/** A tenant that has written nothing. */
export function openTenantLayers(): TenantLayers {
  return withDigest([coreCeiling, openTenant], [], {});
}

function toApprovals(said: NonNullable<TenantFile['approvals']>): Pick<TenantSettings, 'rungs' | 'approvals'> {
  const rungs = said.rungs.map(
    (rung): Rung =>
      typeof rung === 'number' ? { quorum: rung, strong: false } : { quorum: rung.people, strong: rung.strong },
  );
  const approvals: ApprovalSettings = { fourEyes: said.fourEyes, webhook: said.webhook ?? null };
  return { rungs, approvals };
}

function toBudgets(said: NonNullable<TenantFile['budgets']>): Budgets {
  return Object.fromEntries(
    Object.entries(said).flatMap(([holder, budget]) => (budget === undefined ? [] : [[holder, toBudget(budget)]])),
  );
}

/** What no key can give yet would hold for ever; so it is never in force. */
function nobodyStrong(file: string, line: number): FileProblem {
  const message =
    'approvals.rungs: `strong` asks for keys that no program can use alone, and none can be known here yet';
  return { file, line, column: null, code: 'rungs-invalid', message, mend: 'rungs: [1, 2], two different people' };
}

/** Which of the two holds would depend on the names of files. */
function saidTwice(file: string, what: string, line: number): FileProblem {
  const message = `${what}: stands in another file of this folder as well`;
  return { file, line, column: null, code: 'value-invalid', message, mend: null };
}

function withDigest(
  layers: readonly LayerSource[],
  origins: readonly OriginRule[],
  settings: TenantSettings,
): TenantLayers {
  const record = {
    layers: layers.map((layer) => ({ ...layer })),
    origins: origins.map((origin) => ({ ...origin })),
    ...settings,
  };
  return { layers, origins, settings, digest: digestRecord('bundle', record as unknown as RecordValue) };
}

export function toTenantPolicy(tenant: string, generation: number, layers: TenantLayers): TenantPolicy {
  return { tenant, generation, layers: layers.layers, origins: layers.origins, expires: null, ...layers.settings };
}
