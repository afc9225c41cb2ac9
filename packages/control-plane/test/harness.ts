import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAuthority } from '@cordon/egress';
import { createCheckpointKey, type JournalFiles, KeyStore, openJournal, openSigner, openTree } from '@cordon/ledger';
import { compileEngine, createEngine, type Engine } from '@cordon/policy';
import { createId, type PermitPublicKey, systemClock, systemRandom } from '@cordon/protocol';
import { createSigningKey, openSigningKey } from '@cordon/protocol/dsse';
import { fileKeySource, SecretStore } from '@cordon/secrets';
import { openStore } from '@cordon/store';
import {
  type AskWitness,
  ControlPlane,
  connectSocket,
  createLog,
  type HostFiles,
  Profiles,
  parseProfile,
} from '../src/index.ts';
import { FakeSupervisor } from './fake-supervisor.ts';

const wasm = new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web'));
const compiled = compileEngine(readFileSync(wasm));
export const testEngine = (): Engine => createEngine(compiled.module, compiled.digest);
const authority = await createAuthority({ clock: systemClock, random: systemRandom, tenant: 'local' });
const { privatePem, verifierKey } = createCheckpointKey('local.test/ledger');
const hostKey = createCheckpointKey('test/ledger');

/** An example of RFC 7517, appendix A.1, with its own thumbprint. */
const permitKey: PermitPublicKey = {
  kty: 'EC',
  crv: 'P-256',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
  kid: 'cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s',
  alg: 'ES256',
  use: 'sig',
};

export const diskFiles: HostFiles = {
  readText: async (file, bytesMax) => {
    const bytes = await readFile(file).catch(() => null);
    if (bytes !== null && bytes.length > bytesMax) throw new RangeError('too large');
    return bytes === null ? null : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  },
  readHead: async (file, bytes) => (await readFile(file).catch(() => null))?.subarray(0, bytes) ?? null,
  list: (directory) => readdir(directory).catch(() => null),
  realPath: async (file) => {
    try {
      return realpathSync(file);
    } catch {
      return null;
    }
  },
  kind: async (file) => {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) return null;
    if (found.isDirectory()) return 'directory';
    return found.isFile() ? ((found.mode & 0o111) === 0 ? 'file' : 'program') : 'other';
  },
  watch: (directory, changed) => {
    const watcher = watch(directory, changed);
    return { [Symbol.dispose]: () => watcher.close() };
  },
};

const profileTexts = {
  'generic.yaml': 'version: 1\nname: generic\ndescription: Any command\nworkspaceMode: direct\n',
  'robot.yaml':
    'version: 1\nname: robot\ndescription: A robot\nmatch: [robot]\nenv: { ROBOT_HOME: "$' +
    '{HOME}/.robot" }\n' +
    'grants:\n  - { allow: api.example.com/v1/**, methods: [POST], clearance: private }\n' +
    'secrets:\n  robot: { to: ["https://api.example.com"], at: { header: x-api-key } }\n',
};

export function testProfiles(): Profiles {
  return new Profiles(
    Object.entries(profileTexts).map(([name, text]) => {
      const parsed = parseProfile(name, text);
      if (!parsed.ok) throw new TypeError(JSON.stringify(parsed.problems));
      return parsed.loaded;
    }),
  );
}

export interface ApiReply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into member by member
  readonly json: any;
}

/** A control plane on real files, a real database and a real ledger; only supervisor and gateways are played. */
export class Harness implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'cp-'));
  readonly home = path.join(this.folder, 'home');
  readonly run = path.join(this.folder, 'run');
  readonly workspace = path.join(this.folder, 'work');
  readonly lines: string[] = [];
  supervisor = new FakeSupervisor(path.join(this.run, 'supervisor.sock'));
  /** System calls of the control plane's journal, for a disk that fails. */
  journalFiles: JournalFiles | null = null;
  supervisorFails = false;
  shutdowns = 0;
  spawns = 0;
  /** Supervisors that were ended because they said nothing. */
  readonly ended: number[] = [];
  readonly operatorKey = createSigningKey();
  /** Of the daemon that is open. */
  bodyKeys: KeyStore = undefined as never;
  readonly approvalKey = createSigningKey();
  readonly webhooks: Array<{ url: string; body: string }> = [];
  webhookStatus = 204;
  /** The file of people, which outlives the control plane. */
  people: string | null = null;
  askWitness: AskWitness = () => Promise.reject(new Error('nobody witnesses here'));
  #close: (() => Promise<void>) | null = null;

  static async start(): Promise<Harness> {
    const harness = new Harness();
    for (const name of [
      'home',
      'run',
      'work',
      'home/policy',
      'home/journal',
      'home/journal/local',
      'home/tree',
      'bin',
    ]) {
      mkdirSync(path.join(harness.folder, name), { mode: 0o700 });
    }
    await harness.supervisor.listen();
    await harness.open();
    return harness;
  }

  async open(): Promise<void> {
    const clock = systemClock;
    const random = systemRandom;
    const journals = path.join(this.home, 'journal/local');
    const store = await openStore(path.join(this.home, 'cordon.db'));
    const signer = openSigner('local.test/ledger', privatePem);
    const tree = await openTree({ directory: path.join(this.home, 'tree/local'), journals, signer, clock });
    const hostJournals = path.join(this.home, 'journal/infrastructure.host');
    const hostTree = await openTree({
      ...{ directory: path.join(this.home, 'tree/infrastructure.host'), journals: hostJournals, clock },
      signer: openSigner('test/ledger', hostKey.privatePem),
    });
    const tenantKey = Buffer.alloc(32, 7);
    this.bodyKeys = new KeyStore({ directory: path.join(this.home, 'body-keys'), tenant: 'local', tenantKey }, random);
    const files = new Map<string, Uint8Array>();
    const file = (name: string) => ({
      read: async () => files.get(name) ?? null,
      write: async (bytes: Uint8Array) => void files.set(name, new Uint8Array(bytes)),
    });
    const secrets = await SecretStore.open({
      tenant: 'local',
      file: file('box'),
      keys: fileKeySource(file('key'), random),
      clock,
      random,
    });
    const plane = await ControlPlane.open({
      version: '0.0.0-test',
      pid: process.pid,
      boot: createId('boot', clock, random),
      home: this.home,
      sockets: {
        api: this.api,
        control: path.join(this.run, 'control.sock'),
        stream: path.join(this.run, 'stream.sock'),
      },
      tenant: 'local',
      person: 'ada',
      nodeProgram: process.execPath,
      ownFolders: [this.home, this.run],
      overrides: () => [],
      store,
      openJournal: () =>
        openJournal({
          directory: journals,
          tenant: 'local',
          writer: 'cp',
          clock,
          sealing: { keyFor: (session) => (session === null ? null : this.bodyKeys.of(session)), random },
          ...(this.journalFiles === null ? {} : { files: this.journalFiles }),
        }),
      journals,
      bodyKeys: this.bodyKeys,
      witnessFile: path.join(this.home, 'witnesses'),
      askWitness: (url, body) => this.askWitness(url, body),
      tree,
      publicKey: verifierKey,
      infrastructure: {
        tree: hostTree,
        openJournal: () => openJournal({ directory: hostJournals, tenant: 'infrastructure.host', writer: 'cp', clock }),
      },
      secrets,
      approvalSigner: openSigningKey(this.approvalKey.privatePem),
      postWebhook: async (url, body) => {
        this.webhooks.push({ url, body });
        return this.webhookStatus;
      },
      permitKey,
      people: {
        file: {
          read: async () => this.people,
          write: async (text) => {
            this.people = text;
          },
        },
        operator: { name: 'ada', key: this.operatorKey.pinned },
      },
      authority: { current: () => authority, due: false, renew: async () => undefined },
      engine: testEngine(),
      profiles: testProfiles(),
      policyDirectory: path.join(this.home, 'policy'),
      files: diskFiles,
      supervisor: {
        connect: () => connectSocket(path.join(this.run, 'supervisor.sock'), 1000),
        spawn: async () => {
          this.spawns += 1;
          this.supervisor = new FakeSupervisor(path.join(this.run, 'supervisor.sock'));
          if (this.supervisorFails) return () => 'the supervisor ended with 70: no bubblewrap';
          await this.supervisor.listen();
          return () => null;
        },
        end: (pid) => {
          this.ended.push(pid);
          void this.supervisor.close();
        },
      },
      clock,
      random,
      log: createLog(
        (line) => this.lines.push(line),
        () => '',
      ),
      shutdownRequested: () => {
        this.shutdowns += 1;
      },
    });
    this.#close = async () => {
      await plane.close();
      await tree.close();
      await hostTree.close();
      secrets[Symbol.dispose]();
      await store.close();
    };
  }

  /**
   * Opens again as if the last one had been killed: its clean end marked the sessions ended, so they are put back as
   * the database of a killed one would hold them.
   */
  async reopenAs(prepare: () => Promise<void>, alive: readonly string[]): Promise<void> {
    const store = await openStore(path.join(this.home, 'cordon.db'));
    for (const id of alive) {
      const stored = await store.sessions.get(id);
      const detail = {
        ...stored?.detail,
        live: { policy: stored?.detail['policy'] ?? null, cwd: this.workspace, env: {} },
      };
      await store.sessions.update(id, { state: 'running', endedAt: null, exit: null, detail });
    }
    await store.close();
    await prepare();
    await this.open();
  }

  async close(): Promise<void> {
    const close = this.#close;
    this.#close = null;
    await close?.();
  }

  readonly publicKey = verifierKey;
  readonly hostKey = hostKey.verifierKey;

  get api(): string {
    return path.join(this.run, 'api.sock');
  }

  get controlSocket(): string {
    return path.join(this.run, 'control.sock');
  }

  policyFile(name: string, text: string): void {
    writeFileSync(path.join(this.home, 'policy', name), text);
  }

  loseDatabase(): void {
    for (const end of ['', '-wal', '-shm', '.lock']) rmSync(path.join(this.home, `cordon.db${end}`), { force: true });
  }

  /** An executable of the host, outside of what every sandbox sees. */
  program(name: string, text = '#!/bin/sh\n'): string {
    const file = path.join(this.folder, 'bin', name);
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  }

  get(target: string, headers: Record<string, string> = {}): Promise<ApiReply> {
    return this.send('GET', target, undefined, headers);
  }

  post(target: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<ApiReply> {
    return this.send('POST', target, body, headers);
  }

  send(method: string, target: string, body?: unknown, headers: Record<string, string> = {}): Promise<ApiReply> {
    const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
    const sent =
      text === ''
        ? headers
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)), ...headers };
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { socketPath: this.api, method, path: target, headers: sent, agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const all = Buffer.concat(chunks).toString();
            const json: unknown = /json/.test(response.headers['content-type'] ?? '') ? JSON.parse(all) : null;
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text: all, json });
          });
        },
      );
      request.on('error', reject);
      request.end(text);
    });
  }

  /** Events of a stream, as they come; the stream ends with the signal. */
  async *events(
    target: string,
    signal: AbortSignal,
    headers: Record<string, string> = {},
  ): AsyncGenerator<{ event: string; id: string; data: Record<string, unknown> }> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest({ socketPath: this.api, path: target, headers, agent: false, signal }, resolve);
      request.on('error', reject);
      request.end();
    });
    let rest = '';
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        rest += chunk.toString();
        for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
          const fields = new Map(
            rest
              .slice(0, end)
              .split('\n')
              .map((line) => line.split(/: (.*)/s) as [string, string]),
          );
          rest = rest.slice(end + 2);
          const data = fields.get('data');
          if (data !== undefined) {
            yield {
              event: fields.get('event') ?? '',
              id: fields.get('id') ?? '',
              data: JSON.parse(data) as Record<string, unknown>,
            };
          }
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** The data of all entries of one type, as the tree has them now. */
  async entries(type: string): Promise<Array<Record<string, unknown>>> {
    const { entries } = (await this.get('/v1/ledger/entries?limit=500')).json as {
      entries: Array<{ entry: { type: string; data: Record<string, unknown> } }>;
    };
    return entries.filter(({ entry }) => entry.type === type).map(({ entry }) => entry.data);
  }

  order(change: Record<string, unknown> = {}): Record<string, unknown> {
    return { command: ['/bin/true'], workspace: this.workspace, ...change };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.supervisor.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits for what other processes would bring about; the test fails by its own timeout if it never comes. */
export async function until<T>(
  read: () => Promise<T | null | undefined | false> | T | null | undefined | false,
): Promise<T> {
  for (;;) {
    const value = await read();
    if (value !== null && value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
