import type { Engine } from '@cordon/policy';
import { type Clock, type TenantPolicy, timestamp } from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import type { Store } from '@cordon/store';
import type { FileProblem } from '../config/document.ts';
import type { HostFiles } from '../files.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { Turn } from '../turns.ts';
import { proveTenant } from './check.ts';
import { closedTenant, compileTenant, type SourceFile, type TenantLayers, toTenantPolicy } from './compile.ts';
import {
  type Admitted,
  asTenantFile,
  type BundleInForce,
  bundleOf,
  bundleSources,
  compiledName,
  isPolicyFile,
} from './sources.ts';

export interface TenantOptions {
  readonly tenant: string;
  /** `$CORDON_HOME/policy` */
  readonly directory: string;
  readonly engine: Engine;
  readonly store: Pick<Store, 'policies' | 'settings'>;
  readonly files: HostFiles;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

/** What came of telling the gateways. */
export interface Pushed {
  readonly gateways: number;
  readonly cutOff: number;
}

/** One generation on its way into force. */
interface Issue {
  readonly generation: number;
  readonly layers: TenantLayers;
  readonly files: readonly SourceFile[];
  readonly cause: string;
  readonly bundle: Omit<Admitted, 'generation' | 'layers' | 'files'> | null;
}

/**
 * The policy that is in force for a tenant: one immutable generation at a time. Files that change are compiled anew;
 * a good set becomes the next generation, a bad one changes nothing and is shown until it is mended. Once a signed bundle
 * is in force, only signed bundles follow it, and the folder is not read any more.
 */
export class TenantPolicies implements Disposable {
  readonly #options: TenantOptions;
  #current: TenantPolicy;
  #digest: string;
  #problems: readonly FileProblem[] = [];
  #bundle: BundleInForce | null;
  #activated: (() => Promise<Pushed>) | null = null;
  #watch: Disposable | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** One reload at a time: two would race for the next generation's number. */
  readonly #turn = new Turn();

  private constructor(options: TenantOptions, current: TenantPolicy, digest: string, bundle: BundleInForce | null) {
    this.#options = options;
    this.#current = current;
    this.#digest = digest;
    this.#bundle = bundle;
  }

  static async open(options: TenantOptions): Promise<TenantPolicies> {
    const kept = await options.store.policies.current(scopeOf(options.tenant));
    const past = kept === null ? null : await readGeneration(options, kept.generation);
    const closed = closedTenant();
    const tenant = new TenantPolicies(
      options,
      past ?? toTenantPolicy(options.tenant, kept?.generation ?? 0, closed),
      kept?.digest ?? '',
      kept === null ? null : bundleOf(kept),
    );
    // Ended between the number and its entry: the entry comes before anybody decides by it.
    if (kept !== null && past !== null && (await recordedUpTo(options)) < kept.generation) {
      await tenant.#record(past, kept.digest, 'recovered', kept.sources, tenant.#bundle);
    }
    await tenant.reload('start');
    return tenant;
  }

  get current(): TenantPolicy {
    return this.#current;
  }

  get digest(): string {
    return this.#digest;
  }

  /** Of the bundle in force; null: the files of the folder are. */
  get bundle(): BundleInForce | null {
    return this.#bundle;
  }

  /** Of the files as they are now; empty when what is in force is what they say. */
  get problems(): readonly FileProblem[] {
    return this.#problems;
  }

  /** From now on files are watched; `activated` pushes each new generation and resolves when it is in force. */
  follow(activated: () => Promise<Pushed>): void {
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
    return this.#turn.take(() => this.#reload(cause));
  }

  /**
   * Puts a bundle in force; `admit` verifies it against what is in force at that moment, and nothing comes in between.
   * Resolves when every gateway decides by it or is cut off.
   */
  activate(admit: () => Promise<Admitted>): Promise<Pushed & Admitted> {
    return this.#turn.take(async () => {
      const admitted = await admit();
      const { generation, layers, files, ...bundle } = admitted;
      const pushed =
        generation === this.#current.generation
          ? await this.#push()
          : await this.#issue({ generation, layers, files, cause: admitted.by, bundle });
      return { ...admitted, ...pushed };
    });
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
    if (this.#bundle !== null) return await this.#reloadBundle(this.#bundle);
    const { engine, tenant } = this.#options;
    const read = await this.#read();
    const compiled =
      read.problems.length > 0 ? { ok: false as const, problems: read.problems } : compileTenant(engine, read.files);
    if (!compiled.ok) return this.#refuse(compiled.problems);
    const { layers } = compiled;
    if (layers.digest !== this.#digest) {
      const generation = await this.#next();
      const wrong = await proveTenant(engine, toTenantPolicy(tenant, generation, layers), read.files);
      if (wrong.length > 0) return this.#refuse(wrong);
      await this.#issue({ generation, layers, files: read.files, cause, bundle: null });
    }
    this.#problems = [];
    return [];
  }

  /** The same bundle under other core rules (another version of ours) is another policy: it gets a number of its own. */
  async #reloadBundle(bundle: BundleInForce): Promise<readonly FileProblem[]> {
    const compiled = compileTenant(this.#options.engine, bundle.files.map(asTenantFile).filter(isPolicyFile));
    if (!compiled.ok) return this.#refuse(compiled.problems);
    if (compiled.layers.digest !== this.#digest) {
      const generation = await this.#next();
      const { files, ...signed } = bundle;
      await this.#issue({ generation, layers: compiled.layers, files, cause: 'core rules changed', bundle: signed });
    }
    const unread = (await this.#read()).files;
    const message = 'a signed bundle is in force, so the files of this folder are not read';
    this.#problems =
      unread.length === 0
        ? []
        : [
            {
              ...{ file: this.#options.directory, line: null, column: null, code: 'bundle-in-force', message },
              mend: `cordon policy activate ${this.#options.directory}`,
            },
          ];
    return this.#problems;
  }

  #refuse(problems: readonly FileProblem[]): readonly FileProblem[] {
    this.#problems = problems;
    for (const problem of problems)
      this.#options.log.warn(`policy: ${problem.file}:${problem.line ?? 0}: ${problem.message}`);
    return problems;
  }

  async #next(): Promise<number> {
    return (await this.#options.store.policies.highest(scopeOf(this.#options.tenant))) + 1;
  }

  async #issue({ generation, layers, files, cause, bundle }: Issue): Promise<Pushed> {
    const { tenant, store, clock, log } = this.#options;
    const policy = { ...toTenantPolicy(tenant, generation, layers), expires: bundle?.expires ?? null };
    const sources = [...files, { name: compiledName, text: JSON.stringify(policy) }, ...bundleSources(bundle)];
    // INVARIANT: the number is persisted before anybody decides by it; a lower one is never in force again.
    await store.policies.activate(scopeOf(tenant), generation, layers.digest, sources, timestamp(clock));
    await this.#record(policy, layers.digest, cause, files, bundle);
    this.#current = policy;
    this.#digest = layers.digest;
    this.#bundle = bundle === null ? null : { ...bundle, files };
    if (bundle !== null) this.#problems = [];
    const pushed = await this.#push();
    log.info(`policy: generation ${generation} of ${tenant} is in force`);
    return pushed;
  }

  async #push(): Promise<Pushed> {
    return (await this.#activated?.()) ?? { gateways: 0, cutOff: 0 };
  }

  /** The body is the policy itself, so that whoever holds the ledger can judge again what was judged by it. */
  async #record(
    policy: TenantPolicy,
    digest: string,
    cause: string,
    files: readonly { readonly name: string }[],
    bundle: Issue['bundle'],
  ): Promise<void> {
    const { tenant, recorder, store } = this.#options;
    const { generation } = policy;
    const signed =
      bundle === null
        ? {}
        : {
            bundle: bundle.address,
            by: bundle.by,
            signedBy: bundle.signedBy.map(({ iss, sub }) => ({ iss, sub })),
            widening: bundle.widening,
            envelope: digestBytes(bundle.envelope),
          };
    const names = files.map((file) => file.name).filter((name) => !name.startsWith('/'));
    const data = {
      act: 'activate',
      tenant,
      generation,
      digest,
      cause,
      files: names.slice(0, filesRecordedMax),
      ...signed,
    };
    const kept = bundle === null ? policy : { policy, manifest: bundle.manifest, envelope: bundle.envelope };
    await recorder.record({ type: 'policy', session: null, data, body: JSON.stringify(kept) }, 'disk');
    await store.settings.set(recordedName(tenant), String(generation));
  }

  async #read(): Promise<{ files: SourceFile[]; problems: FileProblem[] }> {
    const { files, directory } = this.#options;
    const found: SourceFile[] = [];
    const problems: FileProblem[] = [];
    const all = await files.list(directory);
    const names = (all ?? []).filter((name) => !name.startsWith('.') && isPolicyFile({ name, text: '' })).sort();
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

/** Whose generations these are. */
export const scopeOf = (tenant: string): string => `tenant/${tenant}`;
const recordedName = (tenant: string): string => `policy.recorded/${scopeOf(tenant)}`;
/** Names in one entry; the body has all that they compiled to. */
const filesRecordedMax = 64;

async function recordedUpTo({ store, tenant }: TenantOptions): Promise<number> {
  return Number((await store.settings.get(recordedName(tenant))) ?? 0);
}

async function readGeneration(options: TenantOptions, generation: number): Promise<TenantPolicy | null> {
  const kept = await options.store.policies.get(scopeOf(options.tenant), generation);
  const compiled = kept?.sources.find((source) => source.name === compiledName);
  return compiled === undefined ? null : (JSON.parse(compiled.text) as TenantPolicy);
}
