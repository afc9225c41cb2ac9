import { refusal } from '../error.ts';
import type { HostFiles } from '../files.ts';
import { limits } from '../limits.ts';

/** Where the sandbox's own allow-list already shows the host's programs. */
const visible = ['/usr/', '/bin/', '/sbin/', '/lib/', '/lib64/', '/nix/store/'];
const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export interface Program {
  /** What is executed inside: the path as the person's PATH gave it. */
  readonly path: string;
  readonly realPath: string;
  /** Host folders and files that must be visible, read-only, so that it can run. */
  readonly readOnly: readonly string[];
  /** Folders that come before the system's in PATH inside. */
  readonly folders: readonly string[];
}

/**
 * Finds a command on the host and what it needs to be seen: the folder that it was found in, the package around the
 * real file (the topmost `node_modules`, so that dependencies resolve), and the interpreter of a script.
 * @throws CordonError `command-not-found`
 */
export async function resolveProgram(
  command: string,
  workspace: string,
  nodeProgram: string,
  files: HostFiles,
): Promise<Program> {
  const found = await find(command, workspace, files);
  const realPath = (await files.realPath(found)) ?? found;
  // A link in somebody's own folder would be shown as the file that it points to, and a script would then look for its
  // package beside the link. Links inside what is shown as a whole work as they are.
  const path = isVisible(found, workspace) || topmostModules(found) !== null ? found : realPath;
  const readOnly = new Set<string>();
  const folders = new Set<string>();
  await show(path, realPath, workspace, files, readOnly, folders);
  await interpreters(realPath, nodeProgram, files, readOnly, folders);
  return { path, realPath, readOnly: [...readOnly], folders: [...folders] };
}

async function find(command: string, workspace: string, files: HostFiles): Promise<string> {
  if (command === '' || command.includes('\0')) throw notFound(command);
  const candidates = command.startsWith('/')
    ? [command]
    : command.includes('/')
      ? [joinPath(workspace, command)]
      : searchPath.map((folder) => `${folder}/${command}`);
  for (const candidate of candidates) {
    if ((await files.kind(candidate)) === 'program') return candidate;
  }
  throw notFound(command);
}

function notFound(command: string) {
  return refusal('command-not-found', `${JSON.stringify(command)} is not an executable file`, [
    'give the absolute path of the command, or check that it is installed',
  ]);
}

async function show(
  path: string,
  realPath: string,
  workspace: string,
  files: HostFiles,
  readOnly: Set<string>,
  folders: Set<string>,
): Promise<void> {
  for (const file of new Set([path, realPath])) {
    if (isVisible(file, workspace)) continue;
    const modules = topmostModules(file);
    // A lone file outside any package is shown alone: its folder may be somebody's home.
    readOnly.add(modules ?? file);
    if (file === path && modules !== null) folders.add(dirname(path));
  }
  // `node_modules/.bin` beside the package: a program may start its siblings by name.
  const bin = dirname(path);
  if (bin.endsWith('/node_modules/.bin') && (await files.kind(bin)) === 'directory') folders.add(bin);
}

/** `#!/usr/bin/env node` and friends: the interpreter must be visible and found. */
async function interpreters(
  file: string,
  nodeProgram: string,
  files: HostFiles,
  readOnly: Set<string>,
  folders: Set<string>,
): Promise<void> {
  let current = file;
  for (let depth = 0; depth < limits.interpreterDepthMax; depth++) {
    const words = shebang(await files.readHead(current, 256));
    if (words === null) return;
    const [interpreter = '', first = ''] = words;
    const name = basename(interpreter) === 'env' ? first : null;
    if (name === null) {
      if (!isVisible(interpreter, null)) readOnly.add(interpreter);
      current = interpreter;
      continue;
    }
    const found = await find(name, '/', files).catch(() => null);
    if (found !== null) {
      current = found;
    } else if (name === 'node') {
      // No node of the system's: the one that runs us is known to work.
      readOnly.add(nodeProgram);
      folders.add(dirname(nodeProgram));
      return;
    } else {
      throw refusal(
        'command-not-found',
        `${file} needs the interpreter ${JSON.stringify(name)}, which is not installed`,
      );
    }
  }
}

function shebang(head: Uint8Array | null): string[] | null {
  if (head === null || head[0] !== 0x23 || head[1] !== 0x21) return null;
  const line = new TextDecoder('latin1').decode(head.subarray(2)).split('\n', 1)[0] ?? '';
  const words = line.trim().split(/[ \t]+/);
  // `env -S node --flag` names the program after the option.
  return words.filter((word, i) => i === 0 || word !== '-S');
}

function topmostModules(file: string): string | null {
  const at = file.indexOf('/node_modules/');
  return at < 0 ? null : file.slice(0, at + '/node_modules'.length);
}

function isVisible(file: string, workspace: string | null): boolean {
  return visible.some((prefix) => file.startsWith(prefix)) || (workspace !== null && file.startsWith(`${workspace}/`));
}

function dirname(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function joinPath(folder: string, relative: string): string {
  return new URL(relative.split('/').map(encodeURIComponent).join('/'), `file://${folder}/`).pathname
    .split('/')
    .map(decodeURIComponent)
    .join('/');
}
