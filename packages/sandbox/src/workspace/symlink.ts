import { workspaceLimits } from '../limits.ts';
import { type RawPath, splitPath } from './path.ts';

/**
 * Why a symlink would lead out of the workspace, or null. Judged by its text alone, so it must hold wherever other
 * links point: `..` may only stand at the start, where it climbs real folders. (`s/../../x` looks as if it stayed inside,
 * and leaves when `s` is itself a link to a folder higher up.)
 */
export function checkTarget(path: RawPath, target: Buffer, workspacePath: string): string | null {
  const text = target.toString('latin1');
  if (text === '' || target.length > workspaceLimits.symlinkTargetBytesMax) return 'a symlink without a usable target';
  const root = Buffer.from(workspacePath, 'utf8').toString('latin1');
  if (text === root) return null;
  const relative = text.startsWith(`${root}/`) ? text.slice(root.length + 1) : text;
  if (relative.startsWith('/')) return 'a symlink to a place outside the workspace';
  let depth = relative === text ? splitPath(path).length - 1 : 0;
  let descended = false;
  for (const part of relative.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') descended = true;
    else if (descended) return 'a symlink whose target climbs after it descended';
    else if (--depth < 0) return 'a symlink to a place outside the workspace';
  }
  return null;
}
