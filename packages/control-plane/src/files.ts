/**
 * What the control plane may read of the host: its own configuration, and where a person's command lies.
 * Composition gives it (only `apps` and the storage packages touch files), tests give a folder of their own.
 * Every method answers null for what is not there; other failures are exceptions.
 */
export interface HostFiles {
  /** @throws when larger than `bytesMax`, or not UTF-8 */
  readText(path: string, bytesMax: number): Promise<string | null>;
  /** The first bytes of a regular file, for `#!` lines. */
  readHead(path: string, bytes: number): Promise<Uint8Array | null>;
  list(directory: string): Promise<readonly string[] | null>;
  realPath(path: string): Promise<string | null>;
  kind(path: string): Promise<'file' | 'program' | 'directory' | 'other' | null>;
  /** Calls back, perhaps too often, when something in the folder changed. */
  watch(directory: string, changed: () => void): Disposable;
}
