import type { Brand } from '@cordon/protocol';
import { type Digest, digestBytes } from '@cordon/protocol/digest';
import { PolicyError } from '../error.ts';

/** The part of the WebAssembly API that is used here; Node's types declare it only together with a browser's. */
interface WasmApi {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): readonly { readonly module: string; readonly name: string; readonly kind: string }[];
  };
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, object>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

/** A compiled `WebAssembly.Module`. */
export type WasmModule = Brand<object, 'WasmModule'>;
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
export interface WasmTable {
  grow(by: number): number;
  set(index: number, value: unknown): void;
}

const { WebAssembly: api } = globalThis as unknown as { readonly WebAssembly: WasmApi };
export const { Module, Instance } = api;

export interface EngineCode {
  readonly module: WasmModule;
  /** SHA-256 of the bytes; every decision names it. */
  readonly digest: Digest;
}

/** @throws PolicyError `engine-unusable` for bytes that are no WebAssembly */
export function compileEngine(bytes: Uint8Array): EngineCode {
  try {
    return { module: new Module(bytes), digest: digestBytes(bytes) };
  } catch (cause) {
    throw new PolicyError('engine-unusable', 'these bytes are no WebAssembly module', { cause });
  }
}
