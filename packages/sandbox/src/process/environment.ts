import { sandboxHome, sandboxUser } from '../driver.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The order's variables, and what every program expects when the order leaves it out. Nothing of the host's. */
export function environmentOf(env: Readonly<Record<string, string>>, terminal: boolean): Record<string, string> {
  return {
    HOME: sandboxHome,
    USER: sandboxUser,
    LOGNAME: sandboxUser,
    SHELL: '/bin/sh',
    PATH: defaultPath,
    LANG: 'C.UTF-8',
    ...(terminal ? { TERM: 'xterm-256color' } : {}),
    ...env,
  };
}
