import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '@cordon/protocol';
import { ledgerError } from '../error.ts';
import { nodeFiles } from '../journal/files.ts';
import { checkName } from '../journal/segment.ts';
import type { BodyKeys } from './open.ts';
import { type BodyKey, nonceBytes, tagBytes } from './seal.ts';
import { wipe } from './wipe.ts';

/** One file per session: nonce, the session's key under the tenant's (AES-256-GCM), tag. */
const keyBytes = 32;
const idPrefix = 'k_';

export interface KeyFilesOptions {
  /** Folder of the wrapped keys of one tenant; never below the ledger's own. */
  readonly directory: string;
  readonly tenant: string;
  /** 32 bytes. */
  readonly tenantKey: Uint8Array;
}

/** Reads what keys there are; for who only opens bodies. */
export class KeyFiles implements BodyKeys {
  protected readonly options: KeyFilesOptions;
  protected readonly tenantKey: KeyObject;
  protected readonly known = new Map<string, KeyObject>();

  /** @throws CordonError `ledger-key` */
  constructor(options: KeyFilesOptions) {
    if (options.tenantKey.length !== keyBytes) throw ledgerError('ledger-key', 'a tenant key has 32 bytes');
    this.options = options;
    this.tenantKey = createSecretKey(options.tenantKey);
  }

  find(id: string): KeyObject | 'missing' {
    const session = id.startsWith(idPrefix) ? id.slice(idPrefix.length) : '';
    if (session === '') return 'missing';
    return this.known.get(session) ?? this.read(session) ?? 'missing';
  }

  /** Null when there is no such file. @throws CordonError `ledger-key` when it does not open with the tenant's key */
  protected read(session: string): KeyObject | null {
    const path = this.pathOf(session);
    if (!existsSync(path)) return null;
    const wrapped = readFileSync(path);
    const key = createSecretKey(this.#unwrap(session, wrapped));
    this.known.set(session, key);
    return key;
  }

  protected pathOf(session: string): string {
    checkName('session', session.toLowerCase());
    return join(this.options.directory, `${session}.key`);
  }

  protected contextOf(session: string): Buffer {
    return Buffer.from(`cordon/body-key/1\n${this.options.tenant}\n${session}`);
  }

  #unwrap(session: string, wrapped: Buffer): Buffer {
    try {
      const nonce = wrapped.subarray(0, nonceBytes);
      const opener = createDecipheriv('aes-256-gcm', this.tenantKey, nonce, { authTagLength: tagBytes });
      opener.setAAD(this.contextOf(session));
      opener.setAuthTag(wrapped.subarray(wrapped.length - tagBytes));
      const key = Buffer.concat([opener.update(wrapped.subarray(nonceBytes, -tagBytes)), opener.final()]);
      if (key.length === keyBytes) return key;
    } catch (cause) {
      throw ledgerError('ledger-key', `the key of ${session} does not open with this tenant key`, cause);
    }
    throw ledgerError('ledger-key', `the key of ${session} has a wrong length`);
  }
}

/** Makes, keeps and destroys the keys of sessions. One process of a tenant has it, the control plane. */
export class KeyStore extends KeyFiles {
  readonly #random: Pick<Random, 'bytes'>;

  constructor(options: KeyFilesOptions, random: Pick<Random, 'bytes'>) {
    super(options);
    this.#random = random;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  /** The session's key, made when there is none. @throws CordonError `ledger-key` */
  of(session: string): BodyKey {
    const id = `${idPrefix}${session}`;
    const known = this.known.get(session) ?? this.read(session);
    if (known !== null) return { id, key: known };
    // Who was shredded stays so: what is still said about it is sealed with a key that nobody keeps.
    if (this.shredded(session)) return { id, key: createSecretKey(this.#random.bytes(keyBytes)) };
    const key = this.#random.bytes(keyBytes);
    const nonce = this.#random.bytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.tenantKey, nonce);
    cipher.setAAD(this.contextOf(session));
    nodeFiles.replace(
      this.pathOf(session),
      Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]),
    );
    const made = createSecretKey(key);
    this.known.set(session, made);
    return { id, key: made };
  }

  shredded(session: string): boolean {
    return existsSync(this.#markOf(session));
  }

  /** Says on disk that the key is to go. From here on, whatever happens, {@link destroy} will be done. */
  mark(session: string): void {
    nodeFiles.replace(this.#markOf(session), '');
  }

  /** Overwrites and removes the wrapped key; afterwards nobody reads what it sealed. */
  destroy(session: string): void {
    this.known.delete(session);
    wipe(this.pathOf(session));
  }

  /** Sessions that were marked and whose key is still there: a crash came between. */
  unfinished(): string[] {
    const names = readdirSync(this.options.directory);
    return names
      .filter((name) => name.endsWith('.shredded') && names.includes(name.replace('.shredded', '.key')))
      .map((name) => name.replace('.shredded', ''));
  }

  #markOf(session: string): string {
    return this.pathOf(session).replace(/\.key$/, '.shredded');
  }
}
