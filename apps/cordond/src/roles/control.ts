import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { ControlPlane, connectSocket, createLog, isNobody, loadProfiles } from '@cordon/control-plane';
import { openJournal, openTree } from '@cordon/ledger';
import { CordonError, createId, isCordonError, systemClock, systemRandom, timestamp } from '@cordon/protocol';
import { fileKeySource, type SecretFile, SecretStore } from '@cordon/secrets';
import { ensureDirectory, openStore, removeFile, type Store, writeFileAtomic } from '@cordon/store';
import type { Configuration, CordondErrorCode } from '../configuration.ts';
import { keepEngine, loadEngine } from '../engine.ts';
import { hostFiles } from '../host-files.ts';
import {
  AuthorityKeeper,
  openApprovalSigner,
  openBodyKeys,
  openLedgerKeys,
  openOperatorKey,
  peopleFile,
  readKeyBytes,
} from '../keys.ts';
import { type Layout, layoutOf } from '../layout.ts';
import { writeLog } from '../log-line.ts';
import { rotateLog } from '../log-rotation.ts';
import { openPermitKey } from '../permit-key.ts';
import { onStop } from '../signals.ts';
import { endSupervisor, spawnSupervisor } from '../supervisor-process.ts';
import { describeTesting, readTestingDestinations } from '../testing.ts';
import { postWebhook } from '../webhook.ts';
import { askWitness } from '../witness-client.ts';

const connectTimeoutMs = 2000;
const writer = 'cp';

/** The control plane: everything that persists, opened in the order in which it protects what comes next. */
export async function runControl(configuration: Configuration): Promise<void> {
  using _log = rotateLog();
  const clock = systemClock;
  const random = systemRandom;
  const layout = layoutOf(configuration);
  const { tenant } = configuration;
  const testing =
    configuration.testingDestinations === null ? null : readTestingDestinations(configuration.testingDestinations);
  const log = createLog(writeLog, () => timestamp(clock));
  const profiles = await loadProfiles(layout.profiles, hostFiles);
  await makeFolders(configuration, layout);
  await using store = await openAlone(layout.database);
  // From here on no other cordond of this state lives: what lies at our sockets' addresses was left by a dead one.
  // But another state's cordond may use the same runtime folder; its sockets are not ours to remove.
  for (const socket of [layout.apiSocket, layout.controlSocket]) await takeAddress(socket);
  const signers = await openLedgerKeys(layout.keys, tenant, random);
  await using tree = await openTree({
    directory: layout.tree,
    journals: layout.journals,
    signer: signers.tenant,
    clock,
    // Beside the key: whoever can write below ledger/ alone cannot make us sign another history in place of this one.
    headFile: path.join(layout.keys, `ledger-${tenant}.head`),
  });
  const { infrastructure } = layout;
  await using hostTree = await openTree({
    ...{ directory: infrastructure.tree, journals: infrastructure.journals, signer: signers.infrastructure, clock },
    headFile: path.join(layout.keys, 'infrastructure.head'),
  });
  const bodyKeys = await openBodyKeys(layout.keys, tenant, random);
  const authority = await AuthorityKeeper.open(layout.keys, tenant, clock, random);
  using secrets = await openSecrets(layout, tenant);
  const operator = { name: configuration.person, key: await openOperatorKey(layout.people, configuration.person) };
  const stop = onStop();
  const overrides = new Overrides(store, testing === null ? [] : [describeTesting(testing)]);
  await overrides.load();
  const engine = loadEngine();
  const plane = await ControlPlane.open({
    version: versionOf(configuration),
    pid: configuration.pid,
    boot: createId('boot', clock, random),
    home: configuration.home,
    sockets: { api: layout.apiSocket, control: layout.controlSocket, stream: layout.streamSocket },
    tenant,
    person: configuration.person,
    nodeProgram: configuration.node,
    ownFolders: [realpathSync(configuration.home), realpathSync(configuration.runtime)],
    overrides: () => overrides.current,
    store,
    // The tree was opened first: a journal that ends before what the tree holds of it has lost entries.
    openJournal: () =>
      openJournal({
        ...{ directory: layout.journals, tenant, writer, clock, atLeast: tree.integratedWseq(writer) },
        sealing: { keyFor: (session) => (session === null ? null : bodyKeys.of(session)), random },
      }),
    journals: layout.journals,
    bodyKeys,
    witnessFile: layout.witnesses,
    askWitness,
    tree,
    publicKey: signers.tenant.verifierKey,
    infrastructure: {
      tree: hostTree,
      openJournal: () =>
        openJournal({
          ...{ directory: infrastructure.journals, tenant: infrastructure.name, writer, clock },
          atLeast: hostTree.integratedWseq(writer),
        }),
    },
    secrets,
    authority,
    approvalSigner: await openApprovalSigner(layout.keys),
    postWebhook,
    permitKey: await openPermitKey(layout.keys),
    people: { file: peopleFile(layout.people), operator },
    engine,
    profiles,
    policyDirectory: layout.policy,
    files: hostFiles,
    supervisor: {
      connect: () => connectSocket(layout.supervisorSocket, connectTimeoutMs),
      spawn: async () => {
        await overrides.spawning();
        return spawnSupervisor(configuration, layout.log);
      },
      end: endSupervisor,
    },
    clock,
    random,
    log,
    shutdownRequested: stop.now,
  });
  await keepEngine(layout.engines, engine).catch((error: unknown) => log.fault('the engine is not kept', error));
  const why = await stop.requested;
  log.info(`ending: ${why}`);
  await plane.close();
  for (const socket of [layout.apiSocket, layout.controlSocket]) await removeFile(socket);
  log.info('ended');
}

/**
 * The overrides of the supervisor that is alive, not of this process: it may have been started by an earlier cordond,
 * and its gateways go where *it* was told.
 */
class Overrides {
  readonly #store: Store;
  readonly #own: readonly string[];
  #current: readonly string[] = [];

  constructor(store: Store, own: readonly string[]) {
    this.#store = store;
    this.#own = own;
  }

  get current(): readonly string[] {
    return this.#current;
  }

  async load(): Promise<void> {
    const kept = await this.#store.settings.get('supervisor.overrides');
    this.#current = kept === null ? [] : (JSON.parse(kept) as string[]);
  }

  /** Persisted before the process exists, so that no override is ever in force without being shown. */
  async spawning(): Promise<void> {
    await this.#store.settings.set('supervisor.overrides', JSON.stringify(this.#own));
    this.#current = this.#own;
  }
}

async function makeFolders(configuration: Configuration, layout: Layout): Promise<void> {
  const { home, runtime } = configuration;
  const folders = [
    home,
    layout.keys,
    layout.secrets,
    layout.people,
    layout.log,
    layout.policy,
    layout.journals,
    layout.tree,
    path.join(home, 'sessions'),
    runtime,
  ];
  for (const folder of folders) await ensureDirectory(folder);
}

async function openAlone(database: string): Promise<Store> {
  try {
    return await openStore(database);
  } catch (cause) {
    if (!isCordonError(cause) || cause.code !== 'store-locked') throw cause;
    throw new CordonError<CordondErrorCode>('unavailable', `another cordond already serves ${path.dirname(database)}`, {
      nextSteps: ['cordon status', 'cordon down'],
    });
  }
}

async function takeAddress(socket: string): Promise<void> {
  const answered = await connectSocket(socket, connectTimeoutMs).then(
    (connected) => {
      connected.destroy();
      return true;
    },
    (error: unknown) => !isNobody(error),
  );
  if (answered) {
    throw new CordonError<CordondErrorCode>('unavailable', `somebody else already listens on ${socket}`, {
      nextSteps: ['use another CORDON_RUNTIME_DIR'],
    });
  }
  await removeFile(socket);
}

function openSecrets(layout: Layout, tenant: string): Promise<SecretStore> {
  const clock = systemClock;
  const random = systemRandom;
  const keys = fileKeySource(keyFile(path.join(layout.keys, `secrets-${tenant}.key`)), random);
  return SecretStore.open({ tenant, file: keyFile(path.join(layout.secrets, `${tenant}.json`)), keys, clock, random });
}

function keyFile(file: string): SecretFile {
  return { read: () => readKeyBytes(file), write: (bytes) => writeFileAtomic(file, bytes, 0o600) };
}

function versionOf(configuration: Configuration): string {
  const manifest = path.join(path.dirname(path.dirname(configuration.program)), 'package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
