import type { Entry } from '@cordon/protocol';
import { hashLeaf, toLeafText } from '../leaf.ts';

/** How far each writer's journal is in the tree. */
export type Positions = Map<string, { readonly wseq: number; readonly leaf: string }>;

/** One small file per committed size; only the one that the checkpoint names counts. */
export function positionsPath(size: number): string {
  return `positions/${size}.json`;
}

export function encodePositions(positions: Positions): Buffer {
  return Buffer.from(JSON.stringify({ v: 'positions/1', writers: [...positions] }));
}

/** Null when the file is not usable; {@link positionsFrom} then reads the tree itself. */
export function parsePositions(bytes: Buffer): Positions | null {
  try {
    const value = JSON.parse(bytes.toString()) as { v: string; writers: [string, { wseq: number; leaf: string }][] };
    return value.v === 'positions/1' ? new Map(value.writers) : null;
  } catch {
    return null;
  }
}

export function positionsFrom(entries: Iterable<{ readonly entry: Entry; readonly bytes: Buffer }>): Positions {
  const positions: Positions = new Map();
  for (const { entry, bytes } of entries) {
    positions.set(entry.writer, { wseq: entry.wseq, leaf: toLeafText(hashLeaf(bytes)) });
  }
  return positions;
}
