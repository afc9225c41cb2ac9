import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WorkspaceAnswer, WorkspaceJob } from '../../packages/sandbox/src/workspace/job.ts';
import { parsePathText } from '../../packages/sandbox/src/workspace/path.ts';
import { isProtectedPath } from '../../packages/sandbox/src/workspace/protected.ts';
import { runWorkspaceJob } from '../../packages/sandbox/src/workspace/worker.ts';
import { InputChoices } from '../engine/choices.ts';
import { must, type Target } from '../engine/target.ts';
import { listTree, type Tree } from '../readers/tree.ts';

const native = path.resolve(import.meta.dirname, '../../native/launch');
const launch = path.join(native, 'build/launch');
const isRoot = process.getuid?.() === 0;
/** Odd ones beside plain ones: what a host runs later, bytes that are no text, our own prefix, escapes of ours. */
const names = [
  'a',
  'b',
  'c',
  '.git',
  'hooks',
  'pre-commit',
  '.vscode',
  'tasks.json',
  'n\n',
  '\xff',
  '\\x61',
  'é',
] as const;
const oddNames = ['.cordon-ses_fuzz-0', '.gitmodules', 'HEAD', 'config', '.envrc', 'Makefile', ' ', '-rf'] as const;
const links = [
  'a',
  '../a',
  '../../canary/file',
  '/etc/passwd',
  'b/../../x',
  '.',
  'WORKSPACE/a',
  '..',
  'a/b/../c',
  'c',
] as const;

let root: string;

export const target: Target = {
  name: 'proposal',
  about:
    'what an agent left in its upper layer (files, links, whiteouts, opaque folders, pipes, odd names and modes), proposed and applied over a tree of the host',
  oracle:
    'nothing outside the workspace changes, and inside only what is reported as applied; what is applied is what the agent left; no link that comes leads out, no special file, no special bit, nothing protected that was not named, no temporary name stays',
  lengthMax: 96,
  shortRuns: 150,
  seeds: () => [
    Buffer.from([2, 0, 1, 0, 0, 0, 65, 0, 1, 1, 0, 0, 66, 3, 0, 0, 0, 0, 3, 67, 67, 67, 0, 1]),
    Buffer.from([3, 1, 1, 0, 0, 0, 0, 0, 0, 2, 0, 4, 0, 0, 1, 2, 1, 1, 2, 3, 4]),
    Buffer.from([1, 0, 3, 4, 5, 0, 2, 65, 65, 4, 0, 2, 3, 0, 1, 5, 1, 0, 0, 6, 1, 1, 7, 2, 2, 8, 1, 1]),
  ],
  async open() {
    execFileSync('sh', [path.join(native, 'build.sh')], { stdio: ['ignore', 'ignore', 'inherit'] });
    root = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'cordon-fuzz-proposal-'));
  },
  async close() {
    remove(root);
  },
  async run(input, feedback) {
    const choices = new InputChoices(input);
    const place = path.join(root, 'run');
    remove(place);
    const workspace = path.join(place, 'workspace');
    const session = path.join(place, 'session');
    for (const folder of [workspace, path.join(session, 'upper'), path.join(place, 'canary')]) {
      mkdirSync(folder, { recursive: true });
    }
    writeFileSync(path.join(place, 'canary/file'), 'canary');
    fill(workspace, choices, hostKinds, place);
    fill(path.join(session, 'upper'), choices, isRoot ? agentKinds : agentKinds.slice(0, -2), place);
    const named = choices.below(4) === 0 ? ['.git/hooks/pre-commit', '.vscode/tasks.json', '.git/config'] : [];
    const before = listTree(place);
    const job = {
      launch,
      sessionDir: session,
      session: 'ses_fuzz',
      workspace,
      beganNs: choices.below(8) === 7 ? '0' : String(2n ** 62n),
      protectedPaths: ['c'],
      chosen: choices.below(8) === 7 ? ['a', '.git'] : null,
      named,
      running: false,
    };
    const changes = await runWorkspaceJob({ ...job, kind: 'changes' });
    feedback.note(changes.ok ? 'changes' : changes.code);
    must(same(before, listTree(place), ['session']), 'to look at a proposal changed something');
    const answer = await apply(job);
    feedback.note(answer.ok ? 'applied' : answer.code);
    if (!answer.ok || !('outcome' in answer)) {
      must(same(before, listTree(place), ['session']), 'said to have applied nothing, and yet', answer);
      return;
    }
    for (const { why } of answer.outcome.refused) feedback.note(why);
    const applied = answer.outcome.applied.map((one) => String(parsePathText(one)));
    check(before, listTree(place), applied, named, workspace);
  },
};

/** As the process that does one such job answers. */
async function apply(job: Omit<WorkspaceJob, 'kind'>): Promise<WorkspaceAnswer> {
  try {
    return await runWorkspaceJob({ ...job, kind: 'apply' });
  } catch (error: unknown) {
    const { code, message } = error as { code?: string; message: string };
    if (code !== 'apply-failed') throw error;
    return { ok: false, code, message, nextSteps: [] };
  }
}

const agentKinds = ['file', 'folder', 'symlink', 'hardlink', 'setuid', 'fifo', 'whiteout', 'opaque'] as const;
type Kind = (typeof agentKinds)[number];
const hostKinds: readonly Kind[] = ['file', 'folder', 'symlink', 'file'];

/** A small tree, as the choices say; folders first met are gone into. */
function fill(folder: string, choices: InputChoices, kinds: readonly Kind[], place: string): void {
  const folders = [folder];
  for (let count = choices.below(9); count > 0; count--) {
    const parent = folders[choices.below(folders.length)] ?? folder;
    // A host has nothing that is called like our own staged content.
    const odd = choices.below(4) === 3 && kinds !== hostKinds;
    const name = odd ? (oddNames[choices.below(oddNames.length)] ?? 'a') : (names[choices.below(names.length)] ?? 'a');
    const at = Buffer.concat([Buffer.from(`${parent}/`), Buffer.from(name, name === '\xff' ? 'latin1' : 'utf8')]);
    const wanted = kinds[choices.below(kinds.length)] ?? 'file';
    // Those that a program of the system makes are called by an argument, which must be text.
    const kind = name === '\xff' && ['fifo', 'whiteout', 'opaque'].includes(wanted) ? 'file' : wanted;
    try {
      if (make(kind, at, choices, place) && name !== '\xff') folders.push(`${parent}/${name}`);
    } catch (error: unknown) {
      // Two choices may want the same name; the first one has it.
      if (!['EEXIST', 'EISDIR', 'ENOENT'].includes((error as { code?: string }).code ?? '')) throw error;
    }
  }
}

function make(kind: Kind, at: Buffer, choices: InputChoices, place: string): boolean {
  const mode = choices.u8() % 3 === 0 ? 0o755 : 0o640;
  if (kind === 'file' || kind === 'setuid') {
    writeFileSync(at, choices.bytes(8), { flag: 'wx' });
    chmodSync(at, kind === 'setuid' ? 0o4755 : mode);
  } else if (kind === 'folder' || kind === 'opaque') {
    mkdirSync(at, mode | 0o100);
    if (kind === 'opaque') mark(at);
    return true;
  } else if (kind === 'symlink') {
    symlinkSync((links[choices.below(links.length)] ?? 'a').replace('WORKSPACE', path.join(place, 'workspace')), at);
  } else if (kind === 'hardlink') {
    linkSync(path.join(place, 'canary/file'), at);
  } else if (lstatSync(at, { throwIfNoEntry: false }) === undefined) {
    const [type, ...numbers] = kind === 'fifo' ? ['p'] : ['c', '0', '0'];
    execFileSync('mknod', ['--', at.toString(), type ?? 'p', ...numbers], { stdio: 'ignore' });
  }
  return false;
}

/** Node cannot set an extended attribute. */
function mark(at: Buffer): void {
  const program = 'import os,sys;os.setxattr(os.fsencode(sys.argv[1]),"trusted.overlay.opaque",b"y")';
  execFileSync('python3', ['-c', program, at.toString()], { stdio: 'ignore' });
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

function check(
  before: Tree,
  after: Tree,
  applied: readonly string[],
  named: readonly string[],
  workspace: string,
): void {
  must(same(before, after, ['workspace', 'session']), 'something outside the workspace changed', before, after);
  const inside = (tree: Tree): Tree => new Map([...tree].filter(([one]) => one.startsWith('workspace/')));
  const [was, is] = [inside(before), inside(after)];
  for (const one of new Set([...was.keys(), ...is.keys()])) {
    const relative = one.slice('workspace/'.length);
    const now = is.get(one);
    if (was.get(one)?.text === now?.text) continue;
    must(applied.includes(relative), 'changed, and not reported as applied', relative, was.get(one), now);
    must(
      !isProtectedPath(parsePathText(relative), ['c']) || named.includes(relative),
      'protected and not named',
      relative,
    );
    must(
      !path.basename(relative).startsWith('.cordon-') || before.has(`session/upper/${relative}`),
      'a temporary name',
      one,
    );
    if (now === undefined) continue;
    must(['file', 'folder', 'symlink'].includes(now.type) && (now.mode & 0o7000) === 0, 'special', relative, now);
    const left = before.get(`session/upper/${relative}`);
    must(left !== undefined && left.type === now.type, 'not what the agent left', relative, left, now);
    must(
      left.type === 'folder' || left.content === now.content,
      'other content than the agent left',
      relative,
      left,
      now,
    );
    if (now.type === 'symlink') checkLink(relative, now.content, workspace);
  }
}

/** By its text alone, as somebody who reads the proposal would follow it. */
function checkLink(relative: string, content: string, workspace: string): void {
  const to = path.posix.resolve(path.posix.join(workspace, path.posix.dirname(relative)), content);
  must(to === workspace || to.startsWith(`${workspace}/`), 'a link that leads out', relative, content);
}

/** Equal but for what lies below these folders. */
function same(a: Tree, b: Tree, except: readonly string[]): boolean {
  const rest = (tree: Tree): string =>
    [...tree]
      .filter(([one]) => !except.some((folder) => one === folder || one.startsWith(`${folder}/`)))
      .map(([one, { text }]) => `${one} ${text}`)
      .join('\n');
  return rest(a) === rest(b);
}
