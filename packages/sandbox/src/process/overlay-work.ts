import { chmodSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

/** Removes an overlay's work folder. The kernel's own folders in it have mode 0, which keeps an ordinary user from emptying them. */
export function removeOverlayWork(work: string): void {
  open(work);
  rmSync(work, { recursive: true, force: true });
}

function open(folder: string): void {
  try {
    chmodSync(folder, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) open(path.join(folder, entry.name));
  }
}
