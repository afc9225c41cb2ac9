import { isBelow, type RawPath } from './path.ts';

/**
 * What makes the *host* run code later: tools there act on these files by themselves, when a person merely enters the
 * folder, opens it in an editor, or runs an ordinary command. A proposal changes one only when it is named.
 * A pattern matches at any depth of the workspace; a folder (`/` at the end) covers all below it; `*` is one name's part.
 * What a person runs knowingly (package.json scripts, a Makefile, tests) is not here: reading it is what a diff is for.
 */
export const protectedPatterns: readonly string[] = [
  // git: hooks run on commit, checkout and merge; configuration names programs (fsmonitor, filters, pager, ssh)
  '.git/hooks/',
  '.git/config',
  '.git/config.worktree',
  '.git/info/attributes',
  '.git/commondir',
  '.git/gitdir',
  '.git/modules/*/config',
  '.git/modules/*/hooks/',
  '.git/worktrees/*/config.worktree',
  '.git/worktrees/*/commondir',
  '.gitconfig',
  '.config/git/',
  '.githooks/',
  '.husky/',
  '.pre-commit-config.yaml',
  '.pre-commit-hooks.yaml',
  'lefthook.yml',
  'lefthook.yaml',
  '.lefthook.yml',
  '.lefthook/',
  '.overcommit.yml',
  '.hg/hgrc',
  '.jj/repo/config.toml',
  // shells
  '.bashrc',
  '.bash_profile',
  '.bash_login',
  '.bash_logout',
  '.bash_aliases',
  '.profile',
  '.zshrc',
  '.zshenv',
  '.zprofile',
  '.zlogin',
  '.zlogout',
  '.kshrc',
  '.mkshrc',
  '.cshrc',
  '.tcshrc',
  '.login',
  '.logout',
  '.inputrc',
  '.config/fish/',
  '.config/nushell/',
  '.xprofile',
  '.xsession',
  '.xinitrc',
  '.screenrc',
  '.tmux.conf',
  '.tmuxinator/',
  '.envrc',
  '.direnv/',
  '.mise.toml',
  'mise.toml',
  '.mise/',
  '.rtx.toml',
  'devbox.json',
  '.devenv/',
  // editors
  '.vscode/',
  '.vscode-server/',
  '*.code-workspace',
  '.idea/',
  '.fleet/',
  '.zed/',
  '.cursor/',
  '.windsurf/',
  '.nova/',
  '.exrc',
  '.vimrc',
  '.gvimrc',
  '.nvimrc',
  '.nvim.lua',
  '.lvimrc',
  '.vim/',
  '.config/nvim/',
  '.emacs',
  '.emacs.d/',
  '.dir-locals.el',
  '.dir-locals-2.el',
  '.helix/',
  '.kakrc',
  '*.sublime-project',
  '.devcontainer/',
  '.devcontainer.json',
  '.nanorc',
  '.gdbinit',
  '.lldbinit',
  // agents: settings with hooks, commands, permissions, tool servers
  '.claude/',
  '.claude.json',
  '.mcp.json',
  'mcp.json',
  '.codex/',
  '.opencode/',
  'opencode.json',
  'opencode.jsonc',
  '.gemini/',
  '.aider.conf.yml',
  '.continue/',
  '.roo/',
  '.kiro/',
  '.amazonq/',
  '.junie/',
  '.crush.json',
  'crush.json',
  '.pi/',
  '.config/opencode/',
  '.config/claude/',
  '.qwen/',
  '.cordon/',
  'cordon.yaml',
  // package managers and tool chains: configuration that names programs or registries, loaders
  '.npmrc',
  '.yarnrc',
  '.yarnrc.yml',
  '.yarn/releases/',
  '.yarn/plugins/',
  '.pnpmfile.cjs',
  '.pnp.cjs',
  '.pnp.loader.mjs',
  'bunfig.toml',
  '.cargo/',
  '.bundle/',
  '.gemrc',
  '.pypirc',
  'pip.conf',
  '.pip/',
  '.config/pip/',
  '.condarc',
  '.mvn/',
  '.gradle/',
  '.bazelrc',
  '.buckconfig',
  '.rspec',
  '.irbrc',
  '.pryrc',
  '.Rprofile',
  '.pythonrc',
  '.pythonstartup',
  'sitecustomize.py',
  'usercustomize.py',
  '.ssh/',
  '.gnupg/',
  // desktop and services, when the workspace is a home folder
  '.config/autostart/',
  '.config/systemd/',
  '.config/environment.d/',
  '.config/plasma-workspace/',
  '.local/bin/',
  '.local/share/applications/',
  '.local/share/dbus-1/',
  '.pam_environment',
  '.forward',
  '.crontab',
];

interface Pattern {
  readonly parts: readonly string[];
  readonly folder: boolean;
}

const patterns: readonly Pattern[] = protectedPatterns.map((text) => ({
  folder: text.endsWith('/'),
  parts: text.replace(/\/$/, '').toLowerCase().split('/'),
}));
/** By first part, so that a tree of 100,000 names does not meet every pattern at every level. */
const byFirst: ReadonlyMap<string, readonly Pattern[]> = Map.groupBy(patterns, (pattern) => pattern.parts[0] ?? '');
const wild: readonly Pattern[] = patterns.filter((pattern) => pattern.parts[0]?.includes('*'));

/** Is this path, or a folder above it, in the table or among `extra` (literal paths below the workspace)? */
export function isProtectedPath(path: RawPath | string, extra: readonly string[] = []): boolean {
  if (extra.some((one) => path === one || isBelow(path, one))) return true;
  // Case is ignored: a host file system may ignore it too (CVE-2021-21300).
  const parts = path.toLowerCase().split('/');
  return parts.some((part, start) =>
    [...(byFirst.get(part) ?? []), ...wild].some((pattern) => matches(pattern, parts, start)),
  );
}

/**
 * git also runs the hooks and configuration of a *bare* repository that lies anywhere in a tree, and follows a `.git`
 * file. `exists` asks whether a path will be there. (safe.bareRepository is `all` by default.)
 */
export function isGitTrap(path: RawPath, isFolder: boolean, exists: (path: string) => boolean): boolean {
  const parts = path.split('/');
  const name = (parts.at(-1) ?? '').toLowerCase();
  if (name === '.git' && !isFolder) return true;
  const hooks = parts.findLastIndex((part) => part.toLowerCase() === 'hooks');
  const at = name === 'config' || name === 'head' || name === 'commondir' ? parts.length - 1 : hooks;
  if (at < 0) return false;
  const folder = parts.slice(0, at).join('/');
  const inside = (one: string): boolean => exists(folder === '' ? one : `${folder}/${one}`);
  // Committing moves HEAD of an ordinary repository; only a HEAD that makes a folder one is a trap.
  if (name === 'head' && (parts.some((part) => part.toLowerCase() === '.git') || !inside('config'))) return false;
  return inside('HEAD') && inside('objects') && inside('refs');
}

function matches(pattern: Pattern, parts: readonly string[], start: number): boolean {
  const end = start + pattern.parts.length;
  if (end > parts.length || (end < parts.length && !pattern.folder)) return false;
  return pattern.parts.every((part, i) => matchesPart(part, parts[start + i] ?? ''));
}

/** At most one `*` in a part. */
function matchesPart(pattern: string, name: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === name;
  const end = pattern.slice(star + 1);
  return name.length >= pattern.length - 1 && name.startsWith(pattern.slice(0, star)) && name.endsWith(end);
}

/** The table's patterns without a wildcard: what can be looked up directly at the top of a workspace. */
export const protectedLiterals: readonly string[] = protectedPatterns
  .filter((text) => !text.includes('*'))
  .map((text) => text.replace(/\/$/, ''));
