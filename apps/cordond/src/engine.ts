import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { compileEngine, createEngine, type Engine } from '@cordon/policy';
import { ensureDirectory, writeFileAtomic } from '@cordon/store';

/** The Cedar engine: its bytes are read here and named by their digest, so that every decision says what judged it. */
export function loadEngine(): Engine {
  const { module, digest } = compileEngine(readEngine());
  return createEngine(module, digest);
}

/**
 * The bytes of the engine beside the ledger whose decisions name it: after an upgrade they can still be judged again.
 * The name is only where to look; a verifier hashes what it finds.
 */
export async function keepEngine(folder: string, { digest }: Engine): Promise<void> {
  const file = path.join(folder, `${digest.replace('sha256:', '')}.wasm`);
  if (existsSync(file)) return;
  await ensureDirectory(folder);
  await writeFileAtomic(file, readEngine());
}

function readEngine(): Buffer {
  return readFileSync(new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web')));
}
