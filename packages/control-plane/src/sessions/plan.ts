import { type Engine, mergeLayer } from '@cordon/policy';
import {
  type Clock,
  createId,
  type LayerSource,
  type OriginRule,
  type Random,
  type Resources,
  type SecretBinding,
  type SessionLabels,
  type SessionOrder,
  type SessionPolicy,
  type StartOrder,
  type TcpSocket,
  timestamp,
} from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { toBudget } from '../config/budget-file.ts';
import { type CordonFile, cordonFile, emptyCordonFile } from '../config/cordon-file.ts';
import { readYaml } from '../config/document.ts';
import { type CompiledGrants, type Compiling, compileAllows, compileEntries, toBindings } from '../config/grants.ts';
import { refusal } from '../error.ts';
import type { HostFiles } from '../files.ts';
import { type LabelsAround, startLabels } from '../labels/start.ts';
import { limits } from '../limits.ts';
import { checkSession, invalid } from '../policy/check.ts';
import type { LoadedProfile, Profiles } from '../profile/load.ts';
import { createEnvironment, inside, substitute } from './environment.ts';
import { resolveProgram } from './program.ts';
import { tcpSockets } from './tcp-sockets.ts';

export interface PlanParts {
  readonly engine: Engine;
  readonly profiles: Profiles;
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly person: string;
  readonly labels: LabelsAround;
  /** Folders of Cordon's own state and sockets: no sandbox ever sees any of it. */
  readonly ownFolders: readonly string[];
  /** PEM of the tenant's interception CA. */
  readonly caCertificate: () => string;
  /** The `node` that runs us, for agents that are scripts on a host without one. */
  readonly nodeProgram: string;
}

/** Everything about a session before it starts: what the supervisor is ordered, and what the gateway judges by. */
export interface SessionPlan {
  readonly order: StartOrder;
  readonly policy: SessionPolicy;
  readonly profile: string;
  /** Grants beyond the profile's, in words; printed and recorded. */
  readonly grants: readonly string[];
  /** Names of variables that the person gave; values are in the order alone. */
  readonly personEnv: readonly string[];
}

interface Sources {
  readonly loaded: LoadedProfile;
  readonly file: CordonFile;
  readonly compiled: CompiledGrants;
  readonly grants: readonly string[];
}

const defaults: Resources = {
  cpuMillis: 2000,
  memoryBytes: 4 * 1024 ** 3,
  pidsMax: 512,
  diskBytes: 4 * 1024 ** 3,
  openFilesMax: 4096,
};
const ttlDefaultMs = 8 * 3600_000;

/**
 * Reads an order into a plan. Nothing happens yet; whatever is wrong with the order is said here.
 * @throws CordonError with a code that a client may read
 */
export async function planSession(request: SessionOrder, parts: PlanParts): Promise<SessionPlan> {
  const { clock, random, files } = parts;
  if (request.tenant !== 'local')
    throw refusal('tenant-unknown', `there is no tenant ${JSON.stringify(request.tenant)} here`, ['leave --as out']);
  if (request.driver !== 'auto' && request.driver !== 'process') {
    throw refusal('driver-unavailable', `the driver ${request.driver} is not built yet`, ['use --driver process']);
  }
  checkEnvironment(request.env);
  const workspace = await resolveWorkspace(request.workspace, parts);
  const sources = collect(request, parts.profiles);
  const { profile } = sources.loaded;
  const secrets = toBindings({ ...profile.secrets, ...sources.file.secrets });
  if (secrets.length > limits.sessionSecretsMax)
    throw refusal('request-invalid', `more than ${limits.sessionSecretsMax} secrets`);

  const session = createId('session', clock, random);
  const agent = request.name ?? profile.name;
  const program = await resolveProgram(request.command[0] ?? '', workspace, parts.nodeProgram, files);
  const env = createEnvironment({
    session,
    workspace,
    terminal: request.terminal !== null,
    programFolders: program.folders,
    secrets,
    profile: { ...profile.env, ...sources.file.env },
    person: request.env,
  });
  const tcp = tcpSockets(sources.compiled.tcp);
  const values = { HOME: inside.home, WORKSPACE: workspace, SESSION: session };
  const order: StartOrder = {
    tenant: request.tenant,
    session,
    agent,
    driver: 'process',
    allowWeaker: request.allowWeaker,
    command: [program.path, ...request.command.slice(1)],
    cwd: workspace,
    env,
    terminal: request.terminal,
    workspace: { path: workspace, mode: request.workspaceMode ?? sources.file.workspaceMode ?? profile.workspaceMode },
    readOnly: await present([...profile.readOnly, ...sources.file.readOnly, ...program.readOnly], parts),
    protectedPaths: [...new Set([...profile.protectedPaths, ...sources.file.protectedPaths])].map(withoutSlash),
    files: profile.files.map((file) => ({
      path: file.path,
      content: substitute(file.content, values),
      mode: Number.parseInt(file.mode, 8),
    })),
    hostNames: hostNames(profile.hostNames, sources.compiled.hosts, tcp),
    ...(tcp.length === 0 ? {} : { tcp }),
    ...(sources.file.sockets === undefined ? {} : { sockets: sources.file.sockets }),
    resources: mergeResources(request, sources),
    seccomp: profile.seccomp,
    caCertificate: parts.caCertificate(),
    ttlMs: request.ttlMs ?? sources.file.ttl ?? profile.ttl ?? ttlDefaultMs,
  };
  const labels = await startLabels(parts.labels, {
    person: parts.person,
    order,
    declared: { trusted: false, public: false, ...sources.file.workspace },
    words: [request.task ?? sources.file.task ?? '', ...request.command.slice(1)],
  });
  const policy = createPolicy(
    parts,
    { session, agent, tenant: request.tenant, profile: profile.name },
    sources.compiled,
    secrets,
    labels,
    sources.file.budget,
  );
  const problems = checkSession(parts.engine, policy.layer);
  if (problems.length > 0) throw invalid(problems);
  return { order, policy, profile: profile.name, grants: sources.grants, personEnv: Object.keys(request.env).sort() };
}

async function resolveWorkspace(path: string, { files, ownFolders }: PlanParts): Promise<string> {
  const real = await files.realPath(path);
  if (real === null || (await files.kind(real)) !== 'directory') {
    throw refusal('workspace-invalid', `${JSON.stringify(path)} is not a folder`, [
      'give an existing folder with --workspace DIR',
    ]);
  }
  if (real === '/') {
    throw refusal('workspace-invalid', 'the whole host is no workspace', [
      'give a project folder with --workspace DIR',
    ]);
  }
  if (ownFolders.some((own) => overlaps(own, real))) {
    throw refusal('workspace-invalid', `${real} holds, or is part of, Cordon's own state: keys, secrets, ledger`, [
      'give a project folder with --workspace DIR',
    ]);
  }
  return real;
}

/** One is the other, or lies in it. */
function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}

/** What a person says with `--env` goes to `execve` as it is: a name that is none would become another variable. */
function checkEnvironment(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes('\0')) {
      throw refusal('request-invalid', `body.env: ${JSON.stringify(name.slice(0, 64))} is no variable`);
    }
  }
}

/** Profile, project file and command line; each compiles under its own source, so that `policy show` tells them apart. */
function collect(request: SessionOrder, profiles: Profiles): Sources {
  const text = request.policy;
  if (text?.name.endsWith('.cedar') === true) {
    throw refusal('policy-invalid', 'a session takes grants (YAML); Cedar belongs to the tenant', [
      'put Cedar files into $CORDON_HOME/policy/, where they bind every session',
    ]);
  }
  const read = text === undefined ? null : readYaml(text.name, text.text, cordonFile);
  if (read !== null && !read.ok) throw invalid(read.problems);
  const file = read?.value ?? emptyCordonFile;
  const named = request.profile ?? file.profile;
  const loaded = named === undefined ? profiles.guess(request.command[0] ?? '') : profiles.get(named);
  const { profile } = loaded;
  const preset = take(
    compileEntries({
      layer: 'session',
      source: `profile:${profile.name}`,
      preset: true,
      grants: profile.grants,
      denies: profile.denies,
      lineOf: loaded.lineOf,
    }),
  );
  const own = take(
    compileEntries({
      layer: 'session',
      source: text === undefined ? 'cordon.yaml' : baseName(text.name),
      grants: file.grants,
      denies: file.denies,
      lineOf: (path) => read?.lineOf(path) ?? 1,
    }),
  );
  const allowed = take(compileAllows(request.allow));
  const all = [preset, own, allowed];
  // Two sources of one name would overwrite each other's policies, and with them perhaps a deny.
  const merged = mergeLayer(
    'session',
    all.map((one) => one.policies),
  );
  if (!merged.ok) throw invalid(merged.problems);
  return {
    loaded,
    file,
    grants: [
      ...own.describe,
      ...allowed.describe,
      ...file.readOnly.map((path) => `may read ${path} (${text?.name ?? ''})`),
    ],
    compiled: {
      policies: merged.layer.policies,
      origins: all.flatMap((one) => one.origins),
      hosts: all.flatMap((one) => one.hosts),
      tcp: all.flatMap((one) => one.tcp),
      describe: all.flatMap((one) => one.describe),
    },
  };
}

function take(compiling: Compiling): CompiledGrants {
  if (!compiling.ok) throw invalid(compiling.problems);
  return compiling.compiled;
}

function createPolicy(
  parts: PlanParts,
  who: { session: string; agent: string; tenant: string; profile: string },
  compiled: { policies: Readonly<Record<string, string>>; origins: readonly OriginRule[] },
  secrets: readonly SecretBinding[],
  labels: SessionLabels,
  budget: CordonFile['budget'],
): SessionPolicy {
  const layer: LayerSource = { name: 'session', policies: compiled.policies };
  // One link: the person asked for this agent. Delegated sessions will add theirs.
  const chain = digestRecord('chain', {
    links: [{ person: parts.person }, { agent: who.agent, session: who.session }],
  });
  return {
    tenant: who.tenant,
    session: who.session,
    agent: who.agent,
    person: parts.person,
    chain,
    salt: Buffer.from(parts.random.bytes(16)).toString('hex'),
    revision: 1,
    layer,
    origins: compiled.origins,
    secrets,
    stopped: false,
    startedAt: timestamp(parts.clock),
    profile: who.profile,
    labels,
    ...(budget === undefined ? {} : { budget: toBudget(budget) }),
  };
}

function mergeResources(request: SessionOrder, sources: Sources): Resources {
  const from = (resources: CordonFile['resources']) =>
    resources === undefined
      ? {}
      : {
          cpuMillis: resources.cpus,
          memoryBytes: resources.memory,
          pidsMax: resources.pids,
          diskBytes: resources.disk,
          openFilesMax: resources.openFiles,
        };
  const merged: Record<string, number> = { ...defaults };
  for (const layer of [from(sources.loaded.profile.resources), from(sources.file.resources), request.resources]) {
    for (const [name, value] of Object.entries(layer)) if (value !== undefined) merged[name] = value;
  }
  return merged as unknown as Resources;
}

/**
 * A read-only path that is not there is left out: profiles name what some hosts have. One that would show Cordon's own
 * state is refused, by whatever name it was reached.
 */
async function present(paths: readonly string[], { files, ownFolders }: PlanParts): Promise<string[]> {
  const found: string[] = [];
  for (const path of new Set(paths)) {
    const real = await files.realPath(path);
    if (real === null) continue;
    if (real === '/' || ownFolders.some((own) => overlaps(own, real))) {
      throw refusal('policy-invalid', `readOnly: ${path} would show Cordon's own state`, ['name a narrower folder']);
    }
    found.push(path);
  }
  return found;
}

/** Our own names are always there; a name twice would be harmless, but the file should read well. */
function hostNames(profile: readonly string[], granted: readonly string[], tcp: readonly TcpSocket[]): string[] {
  const names = new Set([...profile, ...granted]);
  // One name, one address: where raw TCP is granted, that one. HTTP and TLS to the same name go by the proxy.
  for (const { name } of tcp) if (name !== null) names.delete(name);
  if (names.size > limits.sessionHostNamesMax)
    throw refusal('request-invalid', `more than ${limits.sessionHostNamesMax} host names`);
  return [...names].sort();
}

/** As a part of policy ids, which take no other characters. */
const baseName = (path: string): string =>
  path.slice(path.lastIndexOf('/') + 1).replace(/[^A-Za-z0-9._@+-]/g, '_') || 'policy';
const withoutSlash = (path: string): string => path.replace(/\/+$/, '');
