import { PolicyError } from '../error.ts';
import { Instance, Module, type WasmMemory, type WasmModule, type WasmTable } from './wasm.ts';

/**
 * The border to Cedar's WebAssembly module, in place of the JavaScript that ships with it. That glue keeps one
 * instance per process in module variables and cannot make a second one, so an instance that trapped would stay
 * for good. Here every instance stands alone, and takes its calls as JSON text: what is hashed for the memo is,
 * byte for byte, what the engine reads.
 */
export interface Binding {
  /** @throws whatever the engine throws; after that the instance must not be used again. */
  call(name: CallName, json: string): unknown;
  preparse(name: 'preparsePolicySet' | 'preparseSchema', slot: string, json: string): unknown;
  split(text: string): unknown;
}

export type CallName = 'statefulIsAuthorized' | 'isAuthorized' | 'validate' | 'policyToJson' | 'schemaToJson';

interface Exports {
  readonly memory: WasmMemory;
  readonly __wbindgen_externrefs: WasmTable;
  readonly __wbindgen_malloc: (bytes: number, align: number) => number;
  readonly __wbindgen_exn_store: (index: number) => void;
  readonly __externref_table_alloc: () => number;
  readonly __wbindgen_start: () => void;
  readonly preparsePolicySet: (at: number, bytes: number, call: Encoded) => unknown;
  readonly preparseSchema: (at: number, bytes: number, call: Encoded) => unknown;
  readonly policySetTextToParts: (at: number, bytes: number) => unknown;
  readonly statefulIsAuthorized: (call: Encoded) => unknown;
  readonly isAuthorized: (call: Encoded) => unknown;
  readonly validate: (call: Encoded) => unknown;
  readonly policyToJson: (call: Encoded) => unknown;
  readonly schemaToJson: (call: Encoded) => unknown;
}

/** JSON that is already written; the module's request to stringify it gets exactly this text. */
interface Encoded {
  readonly json: string;
}

const importModule = './cedar_wasm_bg.js';

/**
 * @throws PolicyError `engine-unusable` when the module asks for or offers anything other than what this
 * border knows: another version of the engine is a decision, not an accident.
 */
export function createBinding(module: WasmModule): Binding {
  const border = new Border();
  const imports = importsFor(module, border);
  const instance = new Instance(module, { [importModule]: imports });
  border.exports = instance.exports as unknown as Exports;
  for (const name of exportNames) {
    if (instance.exports[name] === undefined) throw new PolicyError('engine-unusable', `the module lacks ${name}`);
  }
  border.exports.__wbindgen_start();
  return border;
}

const exportNames = [
  'memory',
  '__wbindgen_externrefs',
  '__wbindgen_malloc',
  '__wbindgen_exn_store',
  '__externref_table_alloc',
  '__wbindgen_start',
  'preparsePolicySet',
  'preparseSchema',
  'policySetTextToParts',
  'statefulIsAuthorized',
  'isAuthorized',
  'validate',
  'policyToJson',
  'schemaToJson',
] as const;

/** Import names end in a hash of the generator's own; the part before it says what is meant. */
function importsFor(module: WasmModule, border: Border): Record<string, (...args: never[]) => unknown> {
  const known: readonly (readonly [string, (...args: never[]) => unknown])[] = [
    ['__wbg___wbindgen_is_undefined_', (value: unknown) => value === undefined],
    ['__wbg___wbindgen_string_get_', (into: number, value: unknown) => border.giveString(into, value)],
    ['__wbg___wbindgen_throw_', (at: number, bytes: number) => border.fail(at, bytes)],
    ['__wbg_parse_', (at: number, bytes: number) => border.parse(at, bytes)],
    ['__wbg_stringify_', (value: unknown) => (value as Encoded).json],
    ['__wbindgen_init_externref_table', () => border.initTable()],
  ];
  const imports: Record<string, (...args: never[]) => unknown> = {};
  for (const wanted of Module.imports(module)) {
    const match = known.find(([prefix]) => wanted.name.startsWith(prefix));
    if (match === undefined || wanted.module !== importModule || wanted.kind !== 'function') {
      throw new PolicyError('engine-unusable', `the module asks for ${wanted.module} ${wanted.name}`);
    }
    imports[wanted.name] = match[1];
  }
  return imports;
}

class Border implements Binding {
  exports!: Exports;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

  call(name: CallName, json: string): unknown {
    return this.exports[name]({ json });
  }

  preparse(name: 'preparsePolicySet' | 'preparseSchema', slot: string, json: string): unknown {
    const [at, bytes] = this.#put(slot);
    return this.exports[name](at, bytes, { json });
  }

  split(text: string): unknown {
    const [at, bytes] = this.#put(text);
    return this.exports.policySetTextToParts(at, bytes);
  }

  giveString(into: number, value: unknown): void {
    const [at, bytes] = typeof value === 'string' ? this.#put(value) : [0, 0];
    const view = new DataView(this.exports.memory.buffer);
    view.setInt32(into + 4, bytes, true);
    view.setInt32(into, at, true);
  }

  fail(at: number, bytes: number): never {
    throw new PolicyError('engine-failed', this.#read(at, bytes));
  }

  parse(at: number, bytes: number): unknown {
    try {
      return JSON.parse(this.#read(at, bytes)) as unknown;
    } catch (error) {
      const index = this.exports.__externref_table_alloc();
      this.exports.__wbindgen_externrefs.set(index, error);
      this.exports.__wbindgen_exn_store(index);
      return undefined;
    }
  }

  /** The constants that the module expects at the start of its table: undefined, null, true, false. */
  initTable(): void {
    const table = this.exports.__wbindgen_externrefs;
    const offset = table.grow(4);
    table.set(0, undefined);
    table.set(offset, undefined);
    table.set(offset + 1, null);
    table.set(offset + 2, true);
    table.set(offset + 3, false);
  }

  /** The module owns and frees what is put here. */
  #put(text: string): readonly [number, number] {
    const bytes = this.#encoder.encode(text);
    const at = this.exports.__wbindgen_malloc(bytes.length, 1) >>> 0;
    new Uint8Array(this.exports.memory.buffer, at, bytes.length).set(bytes);
    return [at, bytes.length];
  }

  #read(at: number, bytes: number): string {
    return this.#decoder.decode(new Uint8Array(this.exports.memory.buffer, at >>> 0, bytes));
  }
}
