import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PlacedFile, StartOrder, TcpSocket } from '@cordon/protocol';
import { type SandboxSpec, sandboxHome, sandboxUid, sandboxUser } from '../driver.ts';
import type { Owner } from './description.ts';

/** Folders of one session on the host; all below `sessionDir`. */
export interface SessionFolders {
  readonly etc: string;
  readonly home: string;
  readonly files: string;
  readonly upper: string;
  readonly work: string;
}

/** A placed file that needs a mount of its own: outside of HOME and /etc. */
export interface MountedFile {
  readonly source: string;
  readonly at: string;
}

/** The distribution's own bundle of public roots; ours is mounted over it. */
export const systemBundle = '/etc/ssl/certs/ca-certificates.crt';
/** Folders of the host's /etc that are shown as they are; nothing secret lives in them. */
export const sharedEtc = ['/etc/alternatives', '/etc/ssl/certs'];

const hostsOfGateway = ['cordon.internal', 'model.cordon.internal', 'mcp.cordon.internal'];

export function sessionFolders(sessionDir: string): SessionFolders {
  const below = (name: string): string => path.join(sessionDir, name);
  return { etc: below('etc'), home: below('home'), files: below('files'), upper: below('upper'), work: below('work') };
}

export function everyFolder(sessionDir: string): readonly string[] {
  const { etc, home, files, upper, work } = sessionFolders(sessionDir);
  return [etc, home, files, upper, work];
}

/**
 * Writes what the sandbox shows beside the host's own programs: a minimal /etc, HOME, placed files, and the empty layers
 * of a proposal. `owner` is who the agent is on the host; null: the caller itself. With `capture` granted names come from
 * the session's name server, so that a program which ignores the proxy reaches every granted port of them and not only
 * the two that are served on 127.0.0.1.
 */
export function writeSessionFiles(
  spec: SandboxSpec,
  owner: Owner | null,
  roots: string,
  capture: boolean,
): MountedFile[] {
  const folders = sessionFolders(spec.sessionDir);
  writeEtc(folders.etc, spec.order, roots, capture);
  makeFolder(folders.home, 0o700, owner);
  if (spec.order.workspace.mode === 'proposal') {
    // The upper layer's own attributes are those of the merged root.
    const { mode } = statSync(spec.order.workspace.path);
    makeFolder(folders.upper, mode & 0o777, owner);
    makeFolder(folders.work, 0o700, null);
  }
  return placeFiles(spec.order.files, folders, owner);
}

function writeEtc(etc: string, order: StartOrder, roots: string, capture: boolean): void {
  // Modes are set, not asked for: the host's umask must not decide what the agent may read.
  const write = (name: string, text: string): void => {
    writeFileSync(path.join(etc, name), text);
    chmodSync(path.join(etc, name), 0o644);
  };
  const copy = (from: string, name: string): void => {
    if (!existsSync(from)) return;
    copyFileSync(from, path.join(etc, name));
    chmodSync(path.join(etc, name), 0o644);
  };
  mkdirSync(path.join(etc, 'cordon'), { recursive: true, mode: 0o755 });
  write(
    'passwd',
    `${sandboxUser}:x:${sandboxUid}:${sandboxUid}::${sandboxHome}:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n`,
  );
  write('group', `${sandboxUser}:x:${sandboxUid}:\nnogroup:x:65534:\n`);
  write('hosts', hostsFile(capture ? [] : order.hostNames, order.tcp ?? []));
  // Names are resolved by the gateway, for a permit; the session's name server only says which names there are.
  write('resolv.conf', capture ? 'nameserver 127.0.0.1\noptions timeout:2 attempts:2\n' : '');
  write(
    'nsswitch.conf',
    `passwd: files\ngroup: files\nshadow: files\nhosts: files${capture ? ' dns' : ''}\nservices: files\nprotocols: files\n`,
  );
  write('hostname', 'cordon\n');
  write('cordon/ca.pem', order.caCertificate);
  write('cordon/bundle.pem', `${roots.trimEnd()}\n${order.caCertificate}`);
  for (const name of ['ld.so.cache', 'protocols', 'services', 'shells', 'mime.types', 'os-release', 'debian_version']) {
    copy(`/etc/${name}`, name);
  }
  for (const folder of sharedEtc)
    mkdirSync(path.join(etc, path.relative('/etc', folder)), { recursive: true, mode: 0o755 });
  copy('/etc/ssl/openssl.cnf', 'ssl/openssl.cnf');
  // Without it programs use UTC.
  copy('/etc/localtime', 'localtime');
  for (const folder of ['', 'cordon', 'ssl', 'ssl/certs', 'alternatives']) chmodSync(path.join(etc, folder), 0o755);
}

function hostsFile(names: readonly string[], tcp: readonly TcpSocket[]): string {
  const ours = [...hostsOfGateway, ...names].map((name) => `127.0.0.1 ${name}\n`);
  const granted = new Set(tcp.flatMap(({ address, name }) => (name === null ? [] : [`${address} ${name}\n`])));
  ours.push(...granted);
  return `127.0.0.1 localhost cordon\n::1 localhost ip6-localhost ip6-loopback\n${ours.join('')}`;
}

function placeFiles(files: readonly PlacedFile[], folders: SessionFolders, owner: Owner | null): MountedFile[] {
  const mounted: MountedFile[] = [];
  for (const [index, file] of files.entries()) {
    if (file.path.startsWith('~/')) {
      writeOwned(folders.home, file.path.slice(2), file, owner);
    } else if (file.path.startsWith('/etc/')) {
      writeOwned(folders.etc, file.path.slice('/etc/'.length), file, null);
    } else {
      writeOwned(folders.files, String(index), file, null);
      mounted.push({ source: path.join(folders.files, String(index)), at: file.path });
    }
  }
  return mounted;
}

/** Below a folder that only we have written to so far: no link of the agent's can lead elsewhere. */
function writeOwned(base: string, relative: string, file: PlacedFile, owner: Owner | null): void {
  let folder = base;
  if (!existsSync(base)) makeFolder(base, 0o755, owner);
  for (const part of path.dirname(relative).split('/')) {
    if (part === '.') continue;
    folder = path.join(folder, part);
    if (!existsSync(folder)) makeFolder(folder, 0o755, owner);
  }
  const target = path.join(base, relative);
  writeFileSync(target, file.content);
  chmodSync(target, file.mode & 0o777);
  if (owner !== null) chownSync(target, owner.uid, owner.gid);
}

function makeFolder(folder: string, mode: number, owner: Owner | null): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, mode);
  if (owner !== null) chownSync(folder, owner.uid, owner.gid);
}
