import { TestkitError } from '../error.ts';
import type { OfferedTool, ScriptedCall, Step } from './script.ts';

/**
 * What a script wants done, in each known harness' own words: Claude Code, Codex, OpenCode, Gemini CLI, pi. The first tool of the
 * list that is offered is used, so a harness that renames its tools fails loudly here and not by doing nothing.
 */
type Dialect = readonly (readonly [name: string, (tool: OfferedTool) => ScriptedCall['input']])[];

/** Runs a shell command in the workspace. */
export function runCommand(command: string): Step {
  return choose('run a command', [
    ['Bash', () => ({ command, description: 'Scripted command' })],
    ['bash', (tool) => (takes(tool, 'description') ? { command, description: 'Scripted command' } : { command })],
    ['exec_command', () => ({ cmd: command, yield_time_ms: 30_000 })],
    ['exec', () => codeMode('exec_command', { cmd: command, yield_time_ms: 30_000 }, '.output')],
    ['shell_command', () => ({ command, timeout_ms: 30_000 })],
    ['shell', () => ({ command: ['bash', '-lc', command], timeout_ms: 30_000 })],
    ['run_shell_command', () => ({ command, description: 'Scripted command' })],
  ]);
}

/** Creates a file that does not exist yet. `path` is absolute, below the workspace. */
export function createFile(path: string, content: string): Step {
  return choose('create a file', [
    ['Write', () => ({ file_path: path, content })],
    ['write_file', () => ({ file_path: path, content })],
    ['write', (tool) => (takes(tool, 'filePath') ? { filePath: path, content } : { path, content })],
    ['apply_patch', (tool) => patch(tool, `*** Add File: ${path}\n${prefixed('+', content)}`)],
    ['exec', () => codeMode('apply_patch', patchText(`*** Add File: ${path}\n${prefixed('+', content)}`), '')],
  ]);
}

/** Reads a file; Claude Code and OpenCode want that before an edit. */
export function readFile(path: string): Step {
  return choose('read a file', [
    ['Read', () => ({ file_path: path })],
    ['read_file', () => ({ file_path: path })],
    ['read', (tool) => (takes(tool, 'filePath') ? { filePath: path } : { path })],
    ['exec_command', () => ({ cmd: `cat '${path}'` })],
    ['exec', () => codeMode('exec_command', { cmd: `cat '${path}'` }, '.output')],
    ['shell_command', () => ({ command: `cat '${path}'` })],
    ['shell', () => ({ command: ['cat', path] })],
  ]);
}

/** Replaces one line of an existing file. */
export function editFile(path: string, before: string, after: string): Step {
  return choose('edit a file', [
    ['Edit', () => ({ file_path: path, old_string: before, new_string: after })],
    [
      'replace',
      () => ({ file_path: path, old_string: before, new_string: after, instruction: `Replace ${before} by ${after}.` }),
    ],
    [
      'edit',
      (tool) => {
        if (takes(tool, 'filePath')) return { filePath: path, oldString: before, newString: after };
        return takes(tool, 'edits')
          ? { path, edits: [{ oldText: before, newText: after }] }
          : { path, oldText: before, newText: after };
      },
    ],
    ['apply_patch', (tool) => patch(tool, updateHunk(path, before, after))],
    ['exec', () => codeMode('apply_patch', patchText(updateHunk(path, before, after)), '')],
  ]);
}

function choose(purpose: string, dialect: Dialect): Step {
  return (offered) => {
    for (const [name, inputOf] of dialect) {
      const tool = offered.find((candidate) => candidate.name === name);
      if (tool !== undefined)
        return { name: tool.name, namespace: tool.namespace, kind: tool.kind, input: inputOf(tool) };
    }
    const names = offered.map((tool) => tool.name).join(', ');
    throw new TestkitError('no-such-tool', `no offered tool can ${purpose}; offered: ${names}`);
  };
}

function takes(tool: OfferedTool, property: string): boolean {
  const schema = tool.parameters;
  if (typeof schema !== 'object' || schema === null || !('properties' in schema)) return false;
  return typeof schema.properties === 'object' && schema.properties !== null && property in schema.properties;
}

/** Codex' code mode: one tool that takes JavaScript, in which the others are functions. */
function codeMode(tool: string, input: Readonly<Record<string, unknown>> | string, member: string): string {
  return `const answer = await tools.${tool}(${JSON.stringify(input)});\ntext(answer${member});`;
}

function updateHunk(path: string, before: string, after: string): string {
  return `*** Update File: ${path}\n@@\n${prefixed('-', before)}\n${prefixed('+', after)}`;
}

function patchText(hunk: string): string {
  return `*** Begin Patch\n${hunk}\n*** End Patch`;
}

function patch(tool: OfferedTool, hunk: string): ScriptedCall['input'] {
  const body = patchText(hunk);
  return tool.kind === 'custom' ? body : { [takes(tool, 'patchText') ? 'patchText' : 'input']: body };
}

function prefixed(mark: string, content: string): string {
  return content
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `${mark}${line}`)
    .join('\n');
}
