import { execFileSync } from 'node:child_process';
import path from 'node:path';

/** A real agent as its registry package brings it, and how a person starts it for one task without questions. */
export interface AgentUnderTest {
  readonly name: string;
  readonly profile: string;
  /** Folder with the lockfile that pins it. */
  readonly lock: string;
  /** The command, below the installation. */
  readonly program: string;
  readonly args: readonly string[];
  /** The provider that its profile uses, and the secret bound there. */
  readonly provider: 'api.anthropic.com' | 'api.openai.com' | 'generativelanguage.googleapis.com';
  readonly secret: 'anthropic' | 'openai' | 'google';
  readonly format: 'anthropic' | 'chat' | 'responses' | 'gemini';
}

const task = 'Do the task.';
const pinned = path.join(import.meta.dirname, 'pinned');
const demo = path.resolve(import.meta.dirname, '../../apps/demo/agent');

export const agents: readonly AgentUnderTest[] = [
  {
    name: 'Claude Code',
    profile: 'claude',
    lock: pinned,
    program: 'node_modules/.bin/claude',
    args: ['-p', task, '--dangerously-skip-permissions'],
    provider: 'api.anthropic.com',
    secret: 'anthropic',
    format: 'anthropic',
  },
  {
    name: 'Codex (code mode)',
    profile: 'codex',
    lock: pinned,
    program: 'node_modules/.bin/codex',
    args: ['exec', '--skip-git-repo-check', task],
    provider: 'api.openai.com',
    secret: 'openai',
    format: 'responses',
  },
  {
    name: 'Codex (functions)',
    profile: 'codex',
    lock: pinned,
    program: 'node_modules/.bin/codex',
    args: ['exec', '--skip-git-repo-check', '--model', 'gpt-5.5', task],
    provider: 'api.openai.com',
    secret: 'openai',
    format: 'responses',
  },
  {
    name: 'OpenCode',
    profile: 'opencode',
    lock: pinned,
    program: 'node_modules/opencode-linux-x64-baseline/bin/opencode',
    args: ['run', '--model', 'cordon/gpt-5.5', task],
    provider: 'api.openai.com',
    secret: 'openai',
    format: 'chat',
  },
  {
    name: 'Gemini CLI',
    profile: 'gemini',
    lock: pinned,
    program: 'node_modules/.bin/gemini',
    args: ['--prompt', task, '--approval-mode', 'yolo', '--model', 'gemini-2.5-flash'],
    provider: 'generativelanguage.googleapis.com',
    secret: 'google',
    format: 'gemini',
  },
  {
    name: 'pi',
    profile: 'pi',
    lock: demo,
    program: 'node_modules/.bin/pi',
    args: ['-p', task],
    provider: 'api.anthropic.com',
    secret: 'anthropic',
    format: 'anthropic',
  },
];

/** Installs what the lockfile pins, once per machine, and answers where the agent's command is. */
export function commandOf(agent: AgentUnderTest): string {
  const script = path.join(import.meta.dirname, 'install.sh');
  const folder = execFileSync('sh', [script, agent.lock], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return path.join(folder.trim(), agent.program);
}
