import { readFileSync } from 'node:fs';
import { compileEngine, createEngine, type Engine } from '@cordon/policy';

/** The Cedar engine: its bytes are read here and named by their digest, so that every decision says what judged it. */
export function loadEngine(): Engine {
  const bytes = readFileSync(new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web')));
  const { module, digest } = compileEngine(bytes);
  return createEngine(module, digest);
}
