import { type Clock, type Random, timestamp } from '@cordon/protocol';
import { secretError } from './error.ts';
import type { KeySource, SecretFile } from './key-source.ts';
import { limits } from './limits.ts';
import { isSecretName } from './placeholder.ts';
import { keyBytes, type Sealed, seal, unseal } from './seal.ts';
import { Secret } from './secret.ts';
import { parseStoreFile, type StoredSecret, type StoreFile } from './store-file.ts';

export interface SecretInfo {
  readonly name: string;
  readonly version: number;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

export interface SecretStoreOptions {
  readonly tenant: string;
  readonly file: SecretFile;
  readonly keys: KeySource;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
}

/**
 * The secrets of one tenant, sealed at rest under a data key of its own, which is wrapped by the key-encryption key.
 * Write-only for people: a value leaves it through {@link lease} and nothing else. One change at a time; a change that
 * did not reach the file did not happen.
 */
export class SecretStore implements Disposable {
  readonly #options: SecretStoreOptions;
  readonly #dataKey: Secret;
  readonly #wrapped: Sealed;
  #secrets: ReadonlyMap<string, StoredSecret>;
  /** Versions that were given out, so that a removed name does not start over with an old number. */
  #lastVersion: number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: SecretStoreOptions, dataKey: Secret, content: StoreFile) {
    this.#options = options;
    this.#dataKey = dataKey;
    this.#wrapped = content.key;
    this.#secrets = new Map(content.secrets.map((secret) => [secret.name, secret]));
    this.#lastVersion = content.lastVersion;
  }

  /** @throws CordonError `store-malformed`, `store-unsealable` */
  static async open(options: SecretStoreOptions): Promise<SecretStore> {
    const context = keyContext(options.tenant);
    const bytes = await options.file.read();
    using key = await options.keys.key();
    if (bytes !== null) {
      const content = parseStoreFile(bytes, options.tenant);
      return new SecretStore(options, unseal(content.key, key, context), content);
    }
    const fresh = options.random.bytes(keyBytes);
    const dataKey = Secret.from(fresh);
    fresh.fill(0);
    const wrapped = seal(dataKey, key, context, options.random);
    const content: StoreFile = { v: 1, tenant: options.tenant, key: wrapped, lastVersion: 0, secrets: [] };
    return new SecretStore(options, dataKey, content);
  }

  /** Sets or replaces. @throws CordonError `secret-name-invalid`, `secret-too-short`, `secret-too-long`, `secret-value-invalid`, `secrets-full` */
  set(name: string, value: Secret): Promise<SecretInfo> {
    return this.#serially(async () => {
      checkName(name);
      checkValue(value);
      if (!this.#secrets.has(name) && this.#secrets.size >= limits.secretsPerTenantMax) {
        throw secretError('secrets-full', `a tenant has at most ${limits.secretsPerTenantMax} secrets`);
      }
      const version = this.#lastVersion + 1;
      const { clock, random, tenant } = this.#options;
      const sealed = seal(value, this.#dataKey, valueContext(tenant, name, version), random);
      const stored: StoredSecret = { name, version, createdAt: timestamp(clock), lastUsedAt: null, ...sealed };
      await this.#save(new Map(this.#secrets).set(name, stored), version);
      return toInfo(stored);
    });
  }

  list(): SecretInfo[] {
    return [...this.#secrets.values()].map(toInfo).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): SecretInfo | null {
    const stored = this.#secrets.get(name);
    return stored === undefined ? null : toInfo(stored);
  }

  /** False when there was none. */
  remove(name: string): Promise<boolean> {
    return this.#serially(async () => {
      const rest = new Map(this.#secrets);
      if (!rest.delete(name)) return false;
      await this.#save(rest, this.#lastVersion);
      return true;
    });
  }

  /** The value for a lease, and a note of its use; null when there is none. The caller disposes it. */
  lease(name: string): Promise<{ readonly value: Secret; readonly version: number } | null> {
    return this.#serially(async () => {
      const stored = this.#secrets.get(name);
      if (stored === undefined) return null;
      const value = unseal(stored, this.#dataKey, valueContext(this.#options.tenant, name, stored.version));
      try {
        const used: StoredSecret = { ...stored, lastUsedAt: timestamp(this.#options.clock) };
        await this.#save(new Map(this.#secrets).set(name, used), this.#lastVersion);
        return { value, version: stored.version };
      } catch (error: unknown) {
        value[Symbol.dispose]();
        throw error;
      }
    });
  }

  [Symbol.dispose](): void {
    this.#dataKey[Symbol.dispose]();
  }

  async #save(secrets: ReadonlyMap<string, StoredSecret>, lastVersion: number): Promise<void> {
    const content: StoreFile = {
      v: 1,
      tenant: this.#options.tenant,
      key: this.#wrapped,
      lastVersion,
      secrets: [...secrets.values()],
    };
    await this.#options.file.write(Buffer.from(`${JSON.stringify(content, null, 1)}\n`, 'utf8'));
    this.#secrets = secrets;
    this.#lastVersion = lastVersion;
  }

  #serially<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function checkName(name: string): void {
  if (isSecretName(name)) return;
  throw secretError('secret-name-invalid', 'a secret is named by a lower-case letter, then letters, digits, _ or -');
}

function checkValue(value: Secret): void {
  if (value.bytes < limits.valueBytesMin) {
    throw secretError(
      'secret-too-short',
      `a value under ${limits.valueBytesMin} bytes cannot be found again in answers`,
    );
  }
  if (value.bytes > limits.valueBytesMax) {
    throw secretError('secret-too-long', `a value has at most ${limits.valueBytesMax} bytes`);
  }
  const sound = value.reveal(
    (bytes) => bytes.every((byte) => byte >= 0x20 && byte < 0x7f) && bytes.at(0) !== 0x20 && bytes.at(-1) !== 0x20,
  );
  if (!sound) {
    throw secretError(
      'secret-value-invalid',
      'a value stands in a header: visible ASCII, no space around it, one line',
    );
  }
}

function toInfo(stored: StoredSecret): SecretInfo {
  return {
    name: stored.name,
    version: stored.version,
    createdAt: stored.createdAt,
    lastUsedAt: stored.lastUsedAt,
  };
}

/** Tenant, name and version are bound to the box, so none can be put in the place of another. */
function valueContext(tenant: string, name: string, version: number): string {
  return JSON.stringify(['cordon/secret/1', tenant, name, version]);
}

function keyContext(tenant: string): string {
  return JSON.stringify(['cordon/secret-key/1', tenant]);
}
