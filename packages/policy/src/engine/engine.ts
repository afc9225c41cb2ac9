import { PolicyError } from '../error.ts';
import { schemaText } from '../fact/schema.ts';
import { schemaPart } from '../fact/schema-part.ts';
import type { CompiledLayer } from '../gate/compiled.ts';
import { limits } from '../limits.ts';
import {
  type AuthorizationAnswer,
  type Evaluation,
  type JsonAnswer,
  type ParseAnswer,
  type PartsAnswer,
  type SchemaAnswer,
  type SchemaJson,
  toEvaluation,
  type ValidationAnswer,
} from './answer.ts';
import { type Binding, type CallName, createBinding } from './binding.ts';
import { Lru } from './lru.ts';
import { passesSelfTest, reportsPlanted } from './self-test.ts';
import { Slots } from './slots.ts';
import type { CallHead, PolicyFocus, SchemaView } from './view.ts';
import type { WasmModule } from './wasm.ts';

export interface EngineOptions {
  /** 0 switches the memo off, as replay and the verifier do. */
  readonly memoEntries?: number;
}

/**
 * Makes the judge from the engine's WebAssembly module. This package reads no file: a composition root loads
 * `cedar_wasm_bg.wasm` of `@cedar-policy/cedar-wasm/web`, compiles it and gives its digest, which every decision names.
 *
 * @throws PolicyError `engine-unusable` (another engine than this border knows) or `engine-self-test`
 */
export function createEngine(module: WasmModule, digest: string, options: EngineOptions = {}): Engine {
  const engine = new Engine(module, digest, options.memoEntries ?? limits.memoEntriesMax);
  if (!engine.renew()) throw new PolicyError('engine-self-test', 'the policy engine did not deny what it must deny');
  return engine;
}

const schemaSlot = 'schema/1';

/**
 * One engine with its caches. It only ever answers for what it is given, so it changes no decision and is no state
 * of `authorize`: a parsed set is found by the digest of its texts, an answer by that and the very text of the call.
 *
 * INVARIANT: after any exception out of the instance it answers nothing more until {@link renew} has succeeded.
 */
export class Engine {
  readonly digest: string;
  /** Work that depends on one layer's texts alone, shared by all sessions that have this layer. */
  readonly layers = new Lru<CompiledLayer>(limits.compiledLayersMax);
  readonly #module: WasmModule;
  readonly #memo: Lru<Evaluation>;
  readonly #sets = new Slots('set', limits.engineSlotsMax);
  readonly #views = new Slots('view', limits.engineViewsMax);
  #binding: Binding | null = null;
  #asked = 0;
  /** As Cedar's own JSON, which it reads twice as fast as the text. */
  #schema: SchemaJson = {};
  #schemaText = '';

  constructor(module: WasmModule, digest: string, memoEntries: number) {
    this.digest = digest;
    this.#module = module;
    this.#memo = new Lru(memoEntries);
  }

  /** How many requests Cedar itself has judged; the memo answered the others. */
  get asked(): number {
    return this.#asked;
  }

  /** False after a fault: everything is denied until {@link renew}. */
  get usable(): boolean {
    return this.#binding !== null;
  }

  /** A fresh instance (a few milliseconds). Snapshots stay good. False: it failed its self-test and is not used. */
  renew(): boolean {
    this.#sets.clear();
    this.#views.clear();
    this.#memo.clear();
    this.#binding = null;
    const binding = createBinding(this.#module);
    try {
      const parsed = binding.preparse('preparseSchema', schemaSlot, JSON.stringify(schemaText)) as ParseAnswer;
      if (parsed.type !== 'success' || !passesSelfTest(binding, schemaSlot)) return false;
      if (this.#schemaText === '') {
        this.#schema = schemaAsJson(binding);
        this.#schemaText = JSON.stringify(this.#schema);
      }
    } catch {
      return false;
    }
    this.#binding = binding;
    return true;
  }

  /** `context` is that of a `CedarRequest`, for the view of this head. Never throws. */
  evaluate({ focus, text, digest }: CallHead, context: string): Evaluation {
    const key = `${digest}\n${context}`;
    const known = this.#memo.get(key);
    if (known !== undefined && this.usable) return known;
    try {
      this.#asked += 1;
      const schema = focus.view === null ? schemaSlot : this.#viewSlot(focus.view);
      const json = `{"preparsedSchemaName":"${schema}","validateRequest":true,"preparsedPolicySetId":"${this.#setSlot(focus)}",${text},"context":${context}}`;
      const evaluation = toEvaluation(this.#run('statefulIsAuthorized', json) as AuthorizationAnswer);
      // What Cedar refused to read was no evaluation.
      if (evaluation.ok) this.#memo.set(key, evaluation);
      return evaluation;
    } catch {
      this.#drop();
      return { ok: false, why: 'failed' };
    }
  }

  /** The same without slot and memo; `request` is a {@link CedarRequest}'s text. For sets that are asked once (explanations, self-tests). Never throws. */
  evaluateOnce(texts: Readonly<Record<string, string>>, request: string): Evaluation {
    try {
      const policies = JSON.stringify({ staticPolicies: texts });
      const json = `{"schema":${this.#schemaText},"validateRequest":true,"policies":${policies},${request}}`;
      return toEvaluation(this.#run('isAuthorized', json) as AuthorizationAnswer);
    } catch {
      this.#drop();
      return { ok: false, why: 'failed' };
    }
  }

  /** The planted failing policies come back as failed beside these ones. Never throws. */
  reportsFailures(texts: Readonly<Record<string, string>>): boolean {
    try {
      return reportsPlanted(this.#live(), schemaSlot, texts);
    } catch {
      this.#drop();
      return false;
    }
  }

  /** Strict validation; `policies` is a text, or texts by id. @throws PolicyError `engine-failed` */
  validate(policies: string | Readonly<Record<string, string>>): ValidationAnswer {
    const sources = JSON.stringify({ staticPolicies: policies });
    const call = `{"validationSettings":{"mode":"strict"},"schema":${this.#schemaText},"policies":${sources}}`;
    return this.#guard(() => this.#run('validate', call) as ValidationAnswer);
  }

  /** One policy as Cedar's own JSON. @throws PolicyError `engine-failed` */
  toJson(policy: string): JsonAnswer {
    return this.#guard(() => this.#run('policyToJson', JSON.stringify(policy)) as JsonAnswer);
  }

  /** Whether and where a file parses. @throws PolicyError `engine-failed` */
  split(text: string): PartsAnswer {
    return this.#guard(() => this.#live().split(text) as PartsAnswer);
  }

  #setSlot({ digest, texts }: PolicyFocus): string {
    return this.#sets.of(digest, (slot) => this.#parse('preparsePolicySet', slot, { staticPolicies: texts }));
  }

  #viewSlot({ key, action, part }: SchemaView): string {
    return this.#views.of(key, (slot) => this.#parse('preparseSchema', slot, schemaPart(this.#schema, action, part)));
  }

  #parse(name: 'preparsePolicySet' | 'preparseSchema', slot: string, content: object): void {
    const parsed = this.#live().preparse(name, slot, JSON.stringify(content)) as ParseAnswer;
    if (parsed.type !== 'success') throw new PolicyError('engine-failed', 'what was checked does not parse');
  }

  #run(name: CallName, json: string): unknown {
    return this.#live().call(name, json);
  }

  #live(): Binding {
    if (this.#binding === null) throw new PolicyError('engine-failed', 'the policy engine failed and was not renewed');
    return this.#binding;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      // A text that breaks the engine must not stop the decisions of others, so the fresh one is made at once.
      this.renew();
      throw new PolicyError('engine-failed', 'the policy engine failed', { cause: error });
    }
  }

  #drop(): void {
    this.#binding = null;
  }
}

function schemaAsJson(binding: Binding): SchemaJson {
  const answer = binding.call('schemaToJson', JSON.stringify(schemaText)) as SchemaAnswer;
  if (answer.type !== 'success') throw new PolicyError('engine-unusable', 'the engine cannot read the schema');
  return answer.json;
}
