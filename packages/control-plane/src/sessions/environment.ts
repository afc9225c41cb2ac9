import type { SecretBinding } from '@cordon/protocol';

/** Where things are inside every sandbox. */
export const inside = {
  home: '/home/agent',
  caFile: '/etc/cordon/ca.pem',
  bundleFile: '/etc/cordon/bundle.pem',
  proxy: 'http://127.0.0.1:3128',
  path: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
} as const;

const noProxy = 'localhost,127.0.0.1,::1,cordon.internal,.cordon.internal';

/** Each runtime and tool reads its own variable for the roots that it trusts (gateway.md §1.3). */
const bundleVariables = [
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'PIP_CERT',
  'AWS_CA_BUNDLE',
  'CARGO_HTTP_CAINFO',
  'DENO_CERT',
  'CODEX_CA_CERTIFICATE',
  'NIX_SSL_CERT_FILE',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
] as const;

type GitSetting = readonly [key: string, value: string];

/**
 * Git asks for nothing, speaks https where it would speak ssh (there is no ssh out of a sandbox), and finds the
 * placeholder of a secret that is bound to a host as a Basic password.
 */
function gitSettings(secrets: readonly SecretBinding[]): readonly GitSetting[] {
  const helpers = secrets
    .filter((binding) => 'basic' in binding.at)
    .flatMap((binding) =>
      binding.to.map((origin): GitSetting => [`credential.${origin}.helper`, helperOf(binding.name)]),
    );
  return [
    ['url.https://github.com/.insteadOf', 'git@github.com:'],
    ['url.https://gitlab.com/.insteadOf', 'git@gitlab.com:'],
    // Files of the workspace belong to another uid inside; what git protects from there is what the boundary is for.
    ['safe.directory', '*'],
    ...helpers,
  ];
}

/** A secret's name is `[a-z][a-z0-9_-]*`: nothing in it can leave the quotes. */
function helperOf(name: string): string {
  return `!f() { test "$1" = get && printf 'username=cordon\\npassword=cordon:secret:${name}\\n'; }; f`;
}

export interface EnvironmentParts {
  readonly session: string;
  readonly workspace: string;
  readonly terminal: boolean;
  /** Folders that hold the agent's own programs, before the system's. */
  readonly programFolders: readonly string[];
  readonly secrets: readonly SecretBinding[];
  readonly profile: Readonly<Record<string, string>>;
  readonly person: Readonly<Record<string, string>>;
}

/** The whole environment of an agent. Later parts win: the base, the profile's, what the person said. */
export function createEnvironment(parts: EnvironmentParts): Record<string, string> {
  const values = { HOME: inside.home, WORKSPACE: parts.workspace, SESSION: parts.session };
  return {
    ...baseEnvironment(parts),
    ...mapValues(parts.profile, (text) => substitute(text, values)),
    ...parts.person,
  };
}

function baseEnvironment(parts: EnvironmentParts): Record<string, string> {
  const git = gitSettings(parts.secrets);
  const env: Record<string, string> = {
    HOME: inside.home,
    USER: 'agent',
    LOGNAME: 'agent',
    SHELL: '/bin/sh',
    PATH: [...parts.programFolders, inside.path].join(':'),
    PWD: parts.workspace,
    TMPDIR: '/tmp',
    LANG: 'C.UTF-8',
    TERM: parts.terminal ? 'xterm-256color' : 'dumb',
    CORDON_SESSION: parts.session,
    NODE_USE_ENV_PROXY: '1',
    NODE_EXTRA_CA_CERTS: inside.caFile,
    NODE_USE_SYSTEM_CA: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: String(git.length),
  };
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY']) {
    env[name] = inside.proxy;
    env[name.toLowerCase()] = inside.proxy;
  }
  env['NO_PROXY'] = noProxy;
  env['no_proxy'] = noProxy;
  for (const name of bundleVariables) env[name] = inside.bundleFile;
  for (const [i, [key, value]] of git.entries()) {
    env[`GIT_CONFIG_KEY_${i}`] = key;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  }
  return env;
}

/** `${HOME}`, `${WORKSPACE}` and `${SESSION}`; anything else that looks like one stays text. */
export function substitute(text: string, values: Readonly<Record<'HOME' | 'WORKSPACE' | 'SESSION', string>>): string {
  return text.replace(
    /\$\{(HOME|WORKSPACE|SESSION)\}/g,
    (_all, name: 'HOME' | 'WORKSPACE' | 'SESSION') => values[name],
  );
}

function mapValues(record: Readonly<Record<string, string>>, change: (text: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([name, text]) => [name, change(text)]));
}
