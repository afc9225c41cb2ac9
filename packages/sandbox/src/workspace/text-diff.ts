import { formatPatch, structuredPatch } from 'diff';
import { workspaceLimits } from '../limits.ts';

/** A unified diff, or null when a side is no text or it would take too many edits. `null` content means no such file. */
export function diffText(name: string, before: Buffer | null, after: Buffer | null): string | null {
  const old = readText(before);
  const now = readText(after);
  if (old === null || now === null) return null;
  const oldName = before === null ? '/dev/null' : `a/${name}`;
  const newName = after === null ? '/dev/null' : `b/${name}`;
  const patch = structuredPatch(oldName, newName, old, now, undefined, undefined, {
    context: 3,
    maxEditLength: workspaceLimits.diffEditsMax,
  });
  if (patch === undefined) return null;
  const text = formatPatch(patch);
  return text.slice(text.indexOf('--- '));
}

function readText(bytes: Buffer | null): string | null {
  if (bytes === null) return '';
  if (bytes.length > workspaceLimits.diffFileBytesMax || bytes.includes(0)) return null;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : null;
}
