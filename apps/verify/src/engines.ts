import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileEngine, createEngine, type Engine, type EngineOptions } from '@cordon/policy';

/** The policy engines that are here, each made when a decision first names its digest. */
export class Engines {
  readonly #files: readonly string[];
  readonly #engines = new Map<string, Engine | null>();
  readonly #options: EngineOptions;
  #read = false;

  /**
   * Beside those files: the engine that this installation came with. `every`: without the memo, so that each decision is
   * Cedar's own word; else one that no policy can tell from another is asked once per run.
   */
  constructor(files: readonly string[], every: boolean) {
    this.#files = [installedEngine(), ...files];
    this.#options = every ? { memoEntries: 0 } : {};
  }

  /** Null when no file here has this digest, or this installation cannot run it. */
  get(digest: string): Engine | null {
    const known = this.#engines.get(digest);
    if (known !== undefined && (known === null || known.usable || known.renew())) return known;
    if (!this.#read) this.#readAll();
    return this.#engines.get(digest) ?? null;
  }

  #readAll(): void {
    this.#read = true;
    for (const file of this.#files) {
      try {
        const { module, digest } = compileEngine(readFileSync(file));
        if (!this.#engines.has(digest)) this.#engines.set(digest, createEngine(module, digest, this.#options));
      } catch {
        // What is no engine, or one of another border, judges nothing; decisions that name it say so.
      }
    }
  }
}

function installedEngine(): string {
  return new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web')).pathname;
}

/** Engines that this ledger's decisions were made by, kept with it. */
export function keptEngines(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.wasm'))
    .map((name) => join(folder, name));
}
