import type { LayerSource } from '@cordon/protocol';
import type { Digest } from '@cordon/protocol/digest';
import type { PolicyJson } from '../engine/answer.ts';
import type { PolicyDuties } from './annotation.ts';
import type { Reach } from './reach.ts';
import type { Reads } from './reads.ts';
import type { Sights } from './sights.ts';

/** A policy that has passed the load gate, with what was read out of it. */
export interface CompiledPolicy {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly text: string;
  /** Of the text: equal ones are the same policy. */
  readonly digest: string;
  readonly duties: PolicyDuties;
  readonly code: string | null;
  readonly source: string | null;
  readonly reads: Reads;
  readonly sights: Sights;
  readonly scope: Pick<PolicyJson, 'action' | 'resource'>;
  readonly reach: Reach | null;
}

/** A layer that has passed the load gate. */
export interface CompiledLayer {
  readonly name: LayerSource['name'];
  readonly digest: Digest;
  readonly policies: readonly CompiledPolicy[];
}
