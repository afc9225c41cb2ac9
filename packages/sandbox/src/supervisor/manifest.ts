import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type DriverName, isId, type WorkspaceMode } from '@cordon/protocol';
import { readRecord } from '../workspace/record.ts';

/** What a session makes on this host, written before it is made; teardown and sweep walk it. */
export interface Manifest {
  readonly v: 1;
  readonly session: string;
  readonly tenant: string;
  readonly agent: string;
  readonly driver: DriverName;
  readonly boot: string;
  readonly uid: number | null;
  readonly workspace: { readonly path: string; readonly mode: WorkspaceMode };
  readonly protectedPaths: readonly string[];
  /** Nanoseconds by the clock of the file system, when the session began. */
  readonly beganNs: string;
  readonly namespaces: readonly string[];
  /** `dirty`: a line could not be proved gone. */
  readonly state: 'living' | 'ended' | 'dirty';
  readonly endedAt: number | null;
  /** The control plane has recorded the end. */
  readonly reported: boolean;
}

const fileName = 'manifest.json';

export function sessionsFolder(home: string): string {
  return join(home, 'sessions');
}

export function sessionFolder(home: string, session: string): string {
  return join(sessionsFolder(home), session);
}

/** Makes the session's folder and writes its first manifest; {@link flushManifest} makes it durable. */
export function createManifest(home: string, manifest: Omit<Manifest, 'beganNs'>): Manifest {
  const folder = sessionFolder(home, manifest.session);
  mkdirSync(folder, { mode: 0o700 });
  // The folder's own time: the same clock that stamps the files of the workspace.
  const complete: Manifest = { ...manifest, beganNs: String(statSync(folder, { bigint: true }).ctimeNs) };
  writeFileSync(join(folder, fileName), JSON.stringify(complete), { mode: 0o600, flag: 'wx' });
  return complete;
}

/** File, its folder, and the name of that folder: after this even a power cut leaves the manifest. */
export async function flushManifest(home: string, session: string): Promise<void> {
  const folder = sessionFolder(home, session);
  await Promise.all([join(folder, fileName), folder, sessionsFolder(home)].map(flush));
}

/** Replaces it; a crash leaves the old or the new one, a disk that takes nothing the old one and nothing beside it. */
export function updateManifest(home: string, manifest: Manifest): void {
  const path = join(sessionFolder(home, manifest.session), fileName);
  try {
    writeFileSync(`${path}.new`, JSON.stringify(manifest), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error: unknown) {
    rmSync(`${path}.new`, { force: true });
    throw error;
  }
}

/** Null: no such session, or one whose start was cut off before anything was made. */
export function readManifest(home: string, session: string): Manifest | null {
  if (!isId('session', session)) return null;
  try {
    // Written by us into a folder that is ours alone.
    return readRecord(sessionFolder(home, session), fileName) as Manifest | null;
  } catch (error: unknown) {
    // A name without content (power cut before the first flush): nothing was built for it.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function listSessionFolders(home: string): string[] {
  mkdirSync(sessionsFolder(home), { recursive: true, mode: 0o700 });
  return readdirSync(sessionsFolder(home)).filter((name) => isId('session', name));
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
