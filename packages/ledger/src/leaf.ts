import { hash } from 'node:crypto';

const leafPrefix = Buffer.from([0]);

/** RFC 6962 §2.1: `SHA-256(0x00 ‖ entry)`, so that no entry can pass for an inner node. */
export function hashLeaf(entry: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([leafPrefix, entry]), 'buffer');
}

/** The same of an entry's text, as entries write it in `prev`; U+0000 is the zero byte in front. */
export function leafTextOf(entry: string): string {
  return `sha256:${hash('sha256', `\0${entry}`)}`;
}

/** A leaf hash as entries write it in `prev`. */
export function toLeafText(leaf: Uint8Array): string {
  return `sha256:${Buffer.from(leaf.buffer, leaf.byteOffset, leaf.byteLength).toString('hex')}`;
}

/** `prev` of a writer's first entry. */
export const noLeaf = `sha256:${'0'.repeat(64)}`;
