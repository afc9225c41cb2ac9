import type { Engine } from '@cordon/policy';
import { type Clock, type TenantPolicy, timestamp } from '@cordon/protocol';
import type { Store } from '@cordon/store';
import type { FileProblem } from '../config/document.ts';
import type { HostFiles } from '../files.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { closedTenant, compileTenant, type SourceFile, type TenantLayers, toTenantPolicy } from './compile.ts';

export interface TenantOptions {
  readonly tenant: string;
  /** `$CORDON_HOME/policy` */
  readonly directory: string;
  readonly engine: Engine;
  readonly store: Pick<Store, 'policies'>;
  readonly files: HostFiles;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The policy that is in force for a tenant: one immutable generation at a time. Files that change are compiled anew;
 * a good set becomes the next generation, a bad one changes nothing and is shown until it is mended.
 */
export class TenantPolicies implements Disposable {
  readonly #options: TenantOptions;
  #current: TenantPolicy;
  #digest: string;
  #problems: readonly FileProblem[] = [];
  #activated: (() => Promise<void>) | null = null;
  #watch: Disposable | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** One reload at a time: two would race for the next generation's number. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: TenantOptions, current: TenantPolicy, digest: string) {
    this.#options = options;
    this.#current = current;
    this.#digest = digest;
  }

  static async open(options: TenantOptions): Promise<TenantPolicies> {
    const kept = await options.store.policies.current(scopeOf(options.tenant));
    const past = kept === null ? null : await readGeneration(options, kept.generation);
    const closed = closedTenant();
    const tenant = new TenantPolicies(
      options,
      past ?? toTenantPolicy(options.tenant, kept?.generation ?? 0, closed),
      kept?.digest ?? '',
    );
    await tenant.reload('start');
    return tenant;
  }

  get current(): TenantPolicy {
    return this.#current;
  }

  get digest(): string {
    return this.#digest;
  }

  /** Of the files as they are now; empty when what is in force is what they say. */
  get problems(): readonly FileProblem[] {
    return this.#problems;
  }

  /** From now on files are watched; `activated` pushes each new generation and resolves when it is in force. */
  follow(activated: () => Promise<void>): void {
    this.#activated = activated;
    const { files, directory, log } = this.#options;
    this.#watch = files.watch(directory, () => {
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.reload('files').catch((error: unknown) => log.fault('policy reload', error));
      }, limits.policyReloadDelayMs);
    });
  }

  reload(cause: string): Promise<readonly FileProblem[]> {
    const turn = this.#turn.then(() => this.#reload(cause));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Any generation that was ever in force, for explanations of what was decided under it. */
  async generation(generation: number): Promise<TenantPolicy | null> {
    return generation === this.#current.generation ? this.#current : await readGeneration(this.#options, generation);
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #reload(cause: string): Promise<readonly FileProblem[]> {
    const { engine, log } = this.#options;
    const read = await this.#read();
    const compiled =
      read.problems.length > 0 ? { ok: false as const, problems: read.problems } : compileTenant(engine, read.files);
    if (!compiled.ok) {
      this.#problems = compiled.problems;
      for (const problem of compiled.problems)
        log.warn(`policy: ${problem.file}:${problem.line ?? 0}: ${problem.message}`);
      return compiled.problems;
    }
    this.#problems = [];
    if (compiled.layers.digest !== this.#digest) await this.#activate(compiled.layers, read.files, cause);
    return [];
  }

  async #activate(layers: TenantLayers, files: readonly SourceFile[], cause: string): Promise<void> {
    const { tenant, store, clock, recorder, log } = this.#options;
    const scope = scopeOf(tenant);
    const generation = (await store.policies.highest(scope)) + 1;
    const policy = toTenantPolicy(tenant, generation, layers);
    // INVARIANT: the number is persisted before anybody decides by it; a lower one is never in force again.
    const sources = [...files, { name: compiledName, text: JSON.stringify(policy) }];
    await store.policies.activate(scope, generation, layers.digest, sources, timestamp(clock));
    const data = {
      act: 'activate',
      tenant,
      generation,
      digest: layers.digest,
      cause,
      files: files.map((file) => file.name),
    };
    await recorder.record({ type: 'policy', session: null, data, body: JSON.stringify(policy) }, 'disk');
    this.#current = policy;
    this.#digest = layers.digest;
    await this.#activated?.();
    log.info(`policy: generation ${generation} of ${tenant} is in force`);
  }

  async #read(): Promise<{ files: SourceFile[]; problems: FileProblem[] }> {
    const { files, directory } = this.#options;
    const found: SourceFile[] = [];
    const problems: FileProblem[] = [];
    const all = await files.list(directory);
    const names = (all ?? []).filter((name) => /^[^.].*\.(cedar|ya?ml)$/.test(name)).sort();
    const bad = (file: string, message: string) => ({
      file,
      line: null,
      column: null,
      code: 'file-unreadable',
      message,
      mend: null,
    });
    // A folder that went away says nothing about what it forbade.
    if (all === null) problems.push(bad(directory, 'the folder cannot be read'));
    if (names.length > limits.policyFilesMax) problems.push(bad(directory, `more than ${limits.policyFilesMax} files`));
    for (const name of names.slice(0, limits.policyFilesMax)) {
      try {
        const text = await files.readText(`${directory}/${name}`, limits.configFileBytesMax);
        if (text !== null) found.push({ name, text });
      } catch (error: unknown) {
        problems.push(bad(name, error instanceof Error ? error.message : String(error)));
      }
    }
    const bytes = found.reduce((sum, file) => sum + file.text.length, 0);
    if (bytes > limits.policyBytesMax)
      problems.push(bad(directory, `more than ${limits.policyBytesMax} bytes of policy`));
    return { files: found, problems };
  }
}

const scopeOf = (tenant: string): string => `tenant/${tenant}`;
/** Beside the files of a generation: what they compiled to. No file of the folder can be called so. */
const compiledName = '/compiled';

async function readGeneration(options: TenantOptions, generation: number): Promise<TenantPolicy | null> {
  const kept = await options.store.policies.get(scopeOf(options.tenant), generation);
  const compiled = kept?.sources.find((source) => source.name === compiledName);
  return compiled === undefined ? null : (JSON.parse(compiled.text) as TenantPolicy);
}
