import type { Person } from '@cordon/protocol';
import type { PolicyGeneration, PolicySource } from '@cordon/store';
import type { SourceFile, TenantLayers } from './compile.ts';

/** A bundle that has passed everything, about to be in force. */
export interface Admitted {
  readonly generation: number;
  readonly address: string;
  readonly layers: TenantLayers;
  readonly files: readonly SourceFile[];
  readonly expires: string | null;
  /** As people signed it, kept so that anybody can check it again. */
  readonly manifest: string;
  readonly envelope: string;
  readonly by: string;
  readonly signedBy: readonly Person[];
  readonly widening: boolean;
}

/** What is kept with a generation beside its files. No file of a folder or a bundle can be called so. */
export const compiledName = '/compiled';
const bundleName = '/bundle';

/** The bundle that is in force, as it was admitted. */
export type BundleInForce = Omit<Admitted, 'generation' | 'layers'>;

export function bundleSources(bundle: Omit<BundleInForce, 'files'> | null): PolicySource[] {
  if (bundle === null) return [];
  const { address, expires, manifest, envelope, by, signedBy, widening } = bundle;
  return [{ name: bundleName, text: JSON.stringify({ address, expires, manifest, envelope, by, signedBy, widening }) }];
}

/** Null for a generation that was made of the folder's files. */
export function bundleOf({ sources }: Pick<PolicyGeneration, 'sources'>): BundleInForce | null {
  const kept = sources.find((source) => source.name === bundleName);
  if (kept === undefined) return null;
  return { ...(JSON.parse(kept.text) as Omit<BundleInForce, 'files'>), files: filesOf(sources) };
}

/** The files alone, as a person wrote them. */
export function filesOf(sources: readonly PolicySource[]): SourceFile[] {
  return sources.filter((source) => !source.name.startsWith('/'));
}

/** A file of a bundle as the folder would have it; ids of policies are made of the name behind the folder. */
export function asTenantFile({ name, text }: SourceFile): SourceFile {
  return { name: name.replace(/^(policies|grants)\//, ''), text };
}

export function isPolicyFile({ name }: SourceFile): boolean {
  return /\.(cedar|ya?ml)$/.test(name) && !isTestFile({ name });
}

export function isTestFile({ name }: Pick<SourceFile, 'name'>): boolean {
  return name.startsWith('tests/') || name.endsWith('.tests.yaml');
}
