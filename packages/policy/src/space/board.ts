import type { PolicySnapshot } from '../snapshot.ts';
import { type ReadPolicy, readPolicy } from './read.ts';
import type { Scene } from './scene.ts';
import type { Board } from './search.ts';
import type { Table, Tables } from './table.ts';

/** The policies of a snapshot, layer by layer, as the proof reads them. */
export interface ReadSnapshot {
  readonly snapshot: PolicySnapshot;
  readonly layers: readonly (readonly ReadPolicy[])[];
  readonly all: readonly ReadPolicy[];
}

/** @throws PolicyError `engine-failed` */
export function readSnapshot(snapshot: PolicySnapshot): ReadSnapshot {
  const layers = snapshot.layers.map((layer) =>
    layer.policies.map((policy) => readPolicy(snapshot.engine, layer.name, policy)).filter((policy) => policy !== null),
  );
  return { snapshot, layers, all: layers.flat() };
}

/** Tables that say nothing in this scene are left out: a policy that never holds, and what a constant settles. */
export function* boardOf(tables: Tables, { layers }: ReadSnapshot, scene: Scene): Generator<number, Board> {
  const permits: Table[][] = [];
  const forbids: Table[] = [];
  for (const layer of layers) {
    const own: Table[] = [];
    for (const read of layer) {
      const table = yield* tables.of(read, scene);
      if (table === null || !table.truth.includes(1)) continue;
      if (read.policy.effect === 'forbid') forbids.push(table);
      else own.push(table);
    }
    const always = own.find((table) => !table.truth.includes(0));
    permits.push(always === undefined ? own : [always]);
  }
  return { layers: permits, forbids };
}

/** Two scenes with the same tables are the same to every policy. */
export function signatureOf(board: Board, ids: Map<Table, number>): string {
  const id = (table: Table): number => {
    const known = ids.get(table) ?? ids.size;
    ids.set(table, known);
    return known;
  };
  return JSON.stringify([board.layers.map((layer) => layer.map(id)), board.forbids.map(id)]);
}

/** Whether any of these policies reads this part of the context. */
export function readerOf(policies: readonly ReadPolicy[]): (path: string) => boolean {
  return (path) => policies.some(({ paths }) => paths.has(path));
}
