/** Where a deployment keeps its state and its sockets (`$CORDON_HOME`, `$CORDON_RUNTIME_DIR`). */
export interface Locations {
  readonly home: string;
  readonly runtime: string;
}

/**
 * The command line and the daemon must agree on these, so the rule stands here once. Root: `/var/lib/cordon` and
 * `/run/cordon`; others: the XDG base directories. Without XDG_RUNTIME_DIR the sockets go below the state folder and
 * never into /tmp, where another user could make the folder first and answer in the daemon's place.
 *
 * @param userHome asked only where it is needed: a user without a name (a container, `setpriv`) may have none
 */
export function locationsOf(
  env: Readonly<Record<string, string | undefined>>,
  user: { readonly root: boolean; readonly userHome: () => string },
): Locations {
  const home =
    env['CORDON_HOME'] ??
    (user.root ? '/var/lib/cordon' : `${env['XDG_STATE_HOME'] ?? `${user.userHome()}/.local/state`}/cordon`);
  const own = env['XDG_RUNTIME_DIR'] === undefined ? `${home}/run` : `${env['XDG_RUNTIME_DIR']}/cordon`;
  return { home, runtime: env['CORDON_RUNTIME_DIR'] ?? (user.root ? '/run/cordon' : own) };
}
