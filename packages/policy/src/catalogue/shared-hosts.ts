/** A host on which anybody can have an account, so that its name alone says nothing about who gets what is sent. */
export interface SharedHost {
  /** One account, whichever of these hosts it is reached by. */
  readonly service: string;
  readonly hosts: readonly string[];
  /** Names below these as well. */
  readonly below?: boolean;
  /**
   * What tells whose place it is: patterns of the path's first segments (`*` is the account, the rest is literal, the
   * first that fits counts); the `credential`; or `nothing` that could be seen.
   */
  readonly by: readonly string[] | 'credential' | 'nothing';
  /** People read what is sent there, so a link in it is one that they may follow. */
  readonly people: boolean;
}

/** Code forges, chat, object stores, paste sites, and services whose account is the key that comes along. */
export const sharedHosts: readonly SharedHost[] = [
  {
    service: 'github',
    hosts: ['github.com', 'raw.githubusercontent.com', 'codeload.github.com', 'gist.github.com'],
    by: ['*'],
    people: true,
  },
  {
    service: 'github',
    hosts: ['api.github.com', 'uploads.github.com'],
    by: ['repos/*', 'users/*', 'orgs/*'],
    people: true,
  },
  { service: 'gitlab', hosts: ['gitlab.com'], by: ['api/v4/projects/*', 'api/v4/groups/*', '*'], people: true },
  { service: 'bitbucket', hosts: ['bitbucket.org'], by: ['*'], people: true },
  { service: 'bitbucket', hosts: ['api.bitbucket.org'], by: ['2.0/repositories/*', '2.0/snippets/*'], people: true },
  { service: 'codeberg', hosts: ['codeberg.org'], by: ['api/v1/repos/*', '*'], people: true },
  { service: 'npm', hosts: ['registry.npmjs.org'], by: ['*'], people: true },
  { service: 'pypi', hosts: ['upload.pypi.org'], by: 'credential', people: true },
  { service: 'crates', hosts: ['crates.io'], by: 'credential', people: true },
  { service: 'slack', hosts: ['hooks.slack.com'], by: ['services/*/*/*'], people: true },
  { service: 'slack', hosts: ['slack.com', 'files.slack.com'], by: 'credential', people: true },
  {
    service: 'discord',
    hosts: ['discord.com', 'discordapp.com'],
    by: ['api/webhooks/*', 'api/v10/webhooks/*'],
    people: true,
  },
  { service: 'telegram', hosts: ['api.telegram.org'], by: ['*'], people: true },
  { service: 'zapier', hosts: ['hooks.zapier.com'], by: ['hooks/catch/*'], people: false },
  { service: 's3', hosts: ['s3.amazonaws.com'], by: ['*'], people: false },
  {
    service: 'gcs',
    hosts: ['storage.googleapis.com'],
    by: ['upload/storage/v1/b/*', 'storage/v1/b/*', '*'],
    people: false,
  },
  { service: 'google', hosts: ['www.googleapis.com', 'docs.googleapis.com'], by: 'credential', people: true },
  { service: 'notion', hosts: ['api.notion.com'], by: 'credential', people: true },
  { service: 'anthropic', hosts: ['api.anthropic.com'], by: 'credential', people: false },
  { service: 'openai', hosts: ['api.openai.com'], by: 'credential', people: false },
  { service: 'gemini', hosts: ['generativelanguage.googleapis.com'], by: 'credential', people: false },
  { service: 'openrouter', hosts: ['openrouter.ai'], by: 'credential', people: false },
  {
    service: 'pastes',
    hosts: [
      ...['pastebin.com', 'paste.rs', '0x0.st', 'transfer.sh', 'termbin.com', 'dpaste.com', 'hastebin.com', 'ix.io'],
      ...['rentry.co', 'file.io', 'gofile.io', 'catbox.moe', 'tmpfiles.org', 'webhook.site', 'ntfy.sh', 'httpbin.org'],
    ],
    below: true,
    by: 'nothing',
    people: true,
  },
];
