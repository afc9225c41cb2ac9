import { secretError } from './error.ts';
import { limits } from './limits.ts';
import { isSecretName } from './placeholder.ts';
import type { Sealed } from './seal.ts';

export interface StoredSecret extends Sealed {
  readonly name: string;
  readonly version: number;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

export interface StoreFile {
  readonly v: 1;
  readonly tenant: string;
  /** The data key, wrapped. */
  readonly key: Sealed;
  readonly lastVersion: number;
  readonly secrets: readonly StoredSecret[];
}

/** @throws CordonError `store-malformed` */
export function parseStoreFile(bytes: Uint8Array, tenant: string): StoreFile {
  if (bytes.length > limits.storeBytesMax) throw malformed('it is too large');
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error: unknown) {
    throw malformed('it is no JSON', error);
  }
  if (!isRecord(content) || content['v'] !== 1) throw malformed('its version is unknown');
  if (content['tenant'] !== tenant) throw malformed('it belongs to another tenant');
  const { key, lastVersion, secrets } = content;
  if (!isSealed(key) || !isCount(lastVersion) || !Array.isArray(secrets)) throw malformed('a member is missing');
  const read = secrets.map((secret: unknown) => {
    if (!isStored(secret)) throw malformed('a secret is incomplete');
    return secret;
  });
  return { v: 1, tenant, key: { nonce: key.nonce, box: key.box }, lastVersion, secrets: read };
}

function isStored(value: unknown): value is StoredSecret {
  if (!isRecord(value)) return false;
  const { name, version, createdAt, lastUsedAt } = value;
  const used = lastUsedAt === null || typeof lastUsedAt === 'string';
  return (
    typeof name === 'string' &&
    isSecretName(name) &&
    isCount(version) &&
    typeof createdAt === 'string' &&
    used &&
    isSealed(value)
  );
}

function isSealed(value: unknown): value is Sealed {
  return isRecord(value) && typeof value['nonce'] === 'string' && typeof value['box'] === 'string';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(why: string, cause?: unknown): Error {
  return secretError('store-malformed', `the secret store cannot be read: ${why}`, cause);
}
