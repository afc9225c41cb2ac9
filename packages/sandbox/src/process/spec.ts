import path from 'node:path';
import { CordonError, type StartOrder, type TcpSocket } from '@cordon/protocol';
import type { ExecRequest, SandboxSpec, SessionNames } from '../driver.ts';
import type { SandboxErrorCode } from '../error.ts';
import { driverLimits as limits } from '../limits.ts';

const namePattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const variablePattern = /^[^=\0]+$/;

/** Where the sandbox has its own things; a workspace or a placed file there would cover them. */
const reservedFolders = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/etc',
  '/proc',
  '/sys',
  '/dev',
];

/** A read-only view of these is no less powerful than the thing itself: processes, devices, kernel settings. */
const kernelFolders = ['/proc', '/sys', '/dev'];

/** @throws CordonError `spec-invalid` */
export function checkSpec(spec: SandboxSpec): void {
  const { order, sessionDir } = spec;
  checkNames(order);
  if (!isPlainPath(sessionDir)) throw invalid('the session folder is no absolute path');
  if (!isPlainPath(spec.launchBinary)) throw invalid('the native program is no absolute path');
  checkWorkspace(order.workspace.path, sessionDir);
  checkCommand(order, order.workspace.path);
  checkResources(order.resources);
  for (const place of order.readOnly) {
    if (!isPlainPath(place)) throw invalid(`${place}: no absolute path without links`);
    if (holdsState(place, sessionDir)) throw invalid(`${place}: holds Cordon's own state`);
    if (kernelFolders.some((folder) => isBelow(place, folder)) || place === '/run') {
      throw invalid(`${place}: is the host's own and not shown`);
    }
  }
  for (const name of order.hostNames) checkHostName(name);
  checkTcp(order.tcp ?? []);
  for (const { path: place } of order.files) checkPlaced(place, order.workspace.path);
  for (const place of [...order.protectedPaths, ...(spec.covered ?? [])]) {
    if (place.startsWith('/') || place.split('/').some((part) => part === '' || part === '..' || part === '.')) {
      throw invalid(`${place}: a protected path is relative to the workspace`);
    }
  }
}

/** @throws CordonError `spec-invalid`: the names become folders of a cgroup tree */
export function checkNames(names: SessionNames): void {
  for (const name of [names.tenant, names.agent, names.session]) {
    if (!namePattern.test(name)) throw invalid(`${JSON.stringify(name)}: not usable as a name`);
  }
}

/** @throws CordonError `spec-invalid` */
export function checkCommand(
  request: Pick<ExecRequest, 'command' | 'env' | 'cwd' | 'terminal'>,
  workspace: string,
): void {
  const { command, env, cwd, terminal } = request;
  if (command.length === 0 || command[0] === '') throw invalid('there is no command');
  if (!isPlainPath(cwd) || !isBelow(cwd, workspace))
    throw invalid(`${cwd}: the working folder is not in the workspace`);
  for (const [name, value] of Object.entries(env)) {
    if (!variablePattern.test(name) || value.includes('\0')) throw invalid(`environment: ${JSON.stringify(name)}`);
  }
  if (terminal === null) return;
  for (const cells of [terminal.cols, terminal.rows]) {
    if (!Number.isInteger(cells) || cells < 1 || cells > 0xffff) throw invalid('terminal size');
  }
}

/** Inside or equal to. */
export function isBelow(place: string, folder: string): boolean {
  return place === folder || place.startsWith(folder === '/' ? '/' : `${folder}/`);
}

function checkHostName(name: string): void {
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$/.test(name)) throw invalid(`${name}: no host name`);
}

/** One socket each; the addresses are apart from 127.0.0.1, where every sandbox has sockets of its own. */
function checkTcp(sockets: readonly TcpSocket[]): void {
  if (sockets.length > limits.tcpSocketsMax) throw invalid(`more than ${limits.tcpSocketsMax} raw TCP grants`);
  const places = new Set<string>();
  for (const { grant, address, port, name } of sockets) {
    const host = /^127\.64\.0\.([1-9][0-9]{0,2})$/.exec(address)?.[1];
    if (host === undefined || Number(host) > 254) throw invalid(`${address}: not an address for a raw TCP grant`);
    between('port', port, 1, 0xffff);
    if (name !== null) checkHostName(name);
    if (grant.length === 0 || grant.length > limits.tcpGrantCharsMax)
      throw invalid('a raw TCP grant without a destination');
    if (places.has(`${address}:${port}`)) throw invalid(`${address}:${port}: there are two raw TCP grants for it`);
    places.add(`${address}:${port}`);
  }
}

function checkWorkspace(workspace: string, sessionDir: string): void {
  if (!isPlainPath(workspace) || workspace === '/') throw invalid(`${workspace}: not usable as a workspace`);
  const reserved =
    [...reservedFolders, '/tmp', '/run'].find((folder) => workspace === folder) ??
    reservedFolders.find((folder) => isBelow(workspace, folder));
  if (reserved !== undefined) throw invalid(`${workspace}: a workspace cannot cover ${reserved}`);
  if (holdsState(workspace, sessionDir)) {
    throw invalid(`${workspace}: the workspace holds Cordon's own state (keys, ledger); choose a folder without it`);
  }
}

/** `$CORDON_HOME/sessions/<id>`: whatever contains that home would show keys, secrets and the ledger to the agent. */
function holdsState(place: string, sessionDir: string): boolean {
  const home = path.dirname(path.dirname(sessionDir));
  return isBelow(sessionDir, place) || (home !== '/' && (isBelow(home, place) || isBelow(place, home)));
}

function checkPlaced(place: string, workspace: string): void {
  const rest = place.startsWith('~/') ? place.slice(1) : place;
  if (!isPlainPath(rest)) throw invalid(`${place}: no path for a file`);
  if (place.startsWith('~/')) return;
  const reserved = reservedFolders.filter((folder) => folder !== '/etc').find((folder) => isBelow(place, folder));
  if (reserved !== undefined || isBelow(place, workspace) || isBelow(place, '/tmp')) {
    throw invalid(`${place}: files are placed in HOME, in /etc, or in folders of their own`);
  }
}

function checkResources(resources: StartOrder['resources']): void {
  const { cpuMillis, memoryBytes, pidsMax, diskBytes, openFilesMax } = resources;
  between('cpus', cpuMillis, limits.cpuMillisMin, limits.cpuMillisMax);
  between('memory', memoryBytes, limits.memoryBytesMin, Number.MAX_SAFE_INTEGER);
  between('pids', pidsMax, limits.pidsMin, limits.pidsMax);
  between('disk', diskBytes, limits.diskBytesMin, Number.MAX_SAFE_INTEGER);
  between('open files', openFilesMax, limits.openFilesMin, limits.openFilesMax);
}

function between(what: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw invalid(`${what}: ${value} is not between ${min} and ${max}`);
  }
}

/** Absolute and in its shortest form: nothing to resolve, so what was checked is what is mounted. */
function isPlainPath(place: string): boolean {
  return (
    place.startsWith('/') &&
    !place.includes('\0') &&
    path.posix.normalize(place) === place &&
    (place === '/' || !place.endsWith('/'))
  );
}

function invalid(message: string): CordonError {
  return new CordonError<SandboxErrorCode>('spec-invalid', message, { expose: true });
}
