import path from 'node:path';
import type { PeopleFile } from '@cordon/control-plane';
import { addSecondKey, type CheckpointSigner, createCheckpointKey, KeyStore, openSigner } from '@cordon/ledger';
import { type Clock, isCordonError, type Random } from '@cordon/protocol';
import { createSigningKey, openSigningKey, type PinnedKey, parsePublicKey, type Signer } from '@cordon/protocol/dsse';
import { createKeyFile, readKeyFile, writeFileAtomic } from '@cordon/store';

/** The keys of the tenant's log and of the infrastructure's. Two ledgers never share an origin, so each deployment has a domain. */
export async function openLedgerKeys(
  keys: string,
  tenant: string,
  random: Random,
): Promise<{ readonly tenant: CheckpointSigner; readonly infrastructure: CheckpointSigner }> {
  const domain = Buffer.from(random.bytes(8)).toString('hex');
  const signer = await openLogKey(keys, 'ledger', `${tenant}.${domain}/ledger`);
  // TENANT.D/ledger is logged by D/ledger, whichever D an older start has given it.
  const infrastructure = signer.name.slice(signer.name.indexOf('.') + 1);
  return { tenant: signer, infrastructure: await openLogKey(keys, 'infrastructure', infrastructure) };
}

/**
 * The keys that sign a log's checkpoints, Ed25519 and ML-DSA-44, in one file; made once, under this origin. Their public
 * halves lie beside it, for whoever verifies.
 */
async function openLogKey(keys: string, name: string, origin: string): Promise<CheckpointSigner> {
  const publicFile = path.join(keys, `${name}.vkey`);
  const privateFile = path.join(keys, `${name}.pem`);
  const known = await readKeyText(privateFile);
  if (known !== null) {
    const verifierKey = await readKeyText(publicFile);
    // A ledger from before there was a second key gets one; the private half first, since the public one follows from it.
    const both = addSecondKey(known);
    if (both.trim() !== known) await writeFileAtomic(privateFile, both, 0o600);
    const signer = openSigner(verifierKey?.split('+', 1)[0] ?? '', both);
    if (signer.verifierKey !== verifierKey) await writeFileAtomic(publicFile, `${signer.verifierKey}\n`, 0o600);
    return signer;
  }
  const { privatePem, verifierKey } = createCheckpointKey(origin);
  await writeFileAtomic(publicFile, `${verifierKey}\n`, 0o600);
  await createKeyFile(privateFile, privatePem);
  return openSigner(origin, privatePem);
}

/**
 * The keys of what the ledger keeps beside its entries: one per session, each wrapped by the tenant's. They lie apart from
 * what they seal, and must be backed up apart, or a shredded session would come back with the backup.
 */
export async function openBodyKeys(keys: string, tenant: string, random: Random): Promise<KeyStore> {
  const file = path.join(keys, `bodies-${tenant}.key`);
  const known = await readKeyBytes(file);
  const tenantKey = known ?? random.bytes(32);
  if (known === null) await createKeyFile(file, tenantKey);
  return new KeyStore({ directory: path.join(keys, 'bodies', tenant), tenant, tenantKey }, random);
}

export interface KeyedAuthority {
  readonly certificate: string;
  readonly key: string;
}

interface KeptAuthority extends KeyedAuthority {
  readonly madeAt: number;
}

/** An authority lives seven days (gateway.md §2.4); past its half a new one is made when no session relies on it. */
const renewAfterMs = 3.5 * 24 * 3600_000;

/** The tenant's interception CA: certificate and key in one 0600 file, so that neither is ever without the other. */
export class AuthorityKeeper {
  readonly #file: string;
  readonly #tenant: string;
  readonly #clock: Clock;
  readonly #random: Random;
  #current: KeptAuthority;

  private constructor(file: string, tenant: string, clock: Clock, random: Random, current: KeptAuthority) {
    this.#file = file;
    this.#tenant = tenant;
    this.#clock = clock;
    this.#random = random;
    this.#current = current;
  }

  static async open(keys: string, tenant: string, clock: Clock, random: Random): Promise<AuthorityKeeper> {
    const file = path.join(keys, `authority-${tenant}.json`);
    const text = await readKeyText(file);
    const known = text === null ? null : (JSON.parse(text) as KeptAuthority);
    const current = known ?? (await makeAuthority(file, tenant, clock, random));
    return new AuthorityKeeper(file, tenant, clock, random, current);
  }

  current(): KeyedAuthority {
    return this.#current;
  }

  get due(): boolean {
    return this.#clock.now() - this.#current.madeAt > renewAfterMs;
  }

  async renew(): Promise<void> {
    this.#current = await makeAuthority(this.#file, this.#tenant, this.#clock, this.#random);
  }
}

async function makeAuthority(file: string, tenant: string, clock: Clock, random: Random): Promise<KeptAuthority> {
  // Loaded for this alone, twice a week: certificates need a good deal of code that nothing else here does.
  const { createAuthority } = await import('@cordon/egress');
  const made = await createAuthority({ clock, random, tenant });
  const kept = { certificate: made.certificate, key: made.key, madeAt: clock.now() };
  await writeFileAtomic(file, JSON.stringify(kept), 0o600);
  return kept;
}

/** The operator's own key, made at the first start; only its public half leaves this function. */
export async function openOperatorKey(people: string, name: string): Promise<PinnedKey> {
  const file = path.join(people, `${name}.pem`);
  const known = await readKeyText(file);
  if (known !== null) return openSigningKey(known).pinned;
  const { privatePem, pinned } = createSigningKey();
  await createKeyFile(file, privatePem);
  return pinned;
}

/** Signs receipts for uses of approvals. Its public half lies beside it, where gateways find it without being told. */
export async function openApprovalSigner(keys: string): Promise<Signer> {
  const file = path.join(keys, 'approval.pem');
  const known = await readKeyText(file);
  if (known !== null) return openSigningKey(known);
  const { privatePem, pinned } = createSigningKey();
  await writeFileAtomic(path.join(keys, 'approval.pub'), `${pinned.publicKey}\n`, 0o600);
  await createKeyFile(file, privatePem);
  return openSigningKey(privatePem);
}

/** Null: there is none, so no receipt counts. */
export async function readApprovalKey(keys: string): Promise<PinnedKey | null> {
  const text = await readKeyText(path.join(keys, 'approval.pub'));
  return text === null ? null : parsePublicKey(text);
}

/** The list of people: whoever can write it decides who counts, so it is the owner's alone, like a key. */
export function peopleFile(people: string): PeopleFile {
  const file = path.join(people, 'people.json');
  return { read: () => readKeyText(file), write: (text) => writeFileAtomic(file, text, 0o600) };
}

/** Null when there is none; a key file that others may read is an error, not a key. */
export async function readKeyBytes(file: string): Promise<Uint8Array | null> {
  try {
    return await readKeyFile(file);
  } catch (error: unknown) {
    if (isCordonError(error) && error.code === 'store-missing') return null;
    throw error;
  }
}

async function readKeyText(file: string): Promise<string | null> {
  const bytes = await readKeyBytes(file);
  return bytes === null ? null : new TextDecoder().decode(bytes).trim();
}
