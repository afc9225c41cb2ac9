import { homedir, userInfo } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CordonError, locationsOf, personName } from '@cordon/protocol';

export type Role = 'control' | 'supervisor' | 'gateway' | 'workspace';
const roles: readonly Role[] = ['control', 'supervisor', 'gateway', 'workspace'];

export type CordondErrorCode = 'configuration' | 'unavailable' | 'internal';

/** Everything that `cordond` takes from its process, read once. */
export interface Configuration {
  readonly role: Role;
  readonly home: string;
  readonly runtime: string;
  readonly tenant: string;
  /** TESTS ONLY: a file that sends named destinations to servers on loopback. */
  readonly testingDestinations: string | null;
  /** Name of the user who owns this daemon: whom sessions act for. */
  readonly person: string;
  readonly uid: number;
  readonly pid: number;
  /** The Node that runs us, its own options (a source condition, in development), and our own program. */
  readonly node: string;
  readonly nodeOptions: readonly string[];
  readonly program: string;
  /** Root of the installation: profiles, native programs. */
  readonly installation: string;
  readonly path: string;
}

/** @throws CordonError `configuration` */
export function readConfiguration(process: NodeJS.Process, program: string): Configuration {
  const { role, tenant, testing } = readArguments(process.argv.slice(2));
  const env = process.env;
  const uid = process.getuid?.() ?? -1;
  const { home, runtime } = locationsOf(env, { root: uid === 0, userHome: homedir });
  return {
    role,
    home: absolute('CORDON_HOME', home),
    runtime: absolute('CORDON_RUNTIME_DIR', runtime),
    tenant,
    testingDestinations: testing === null ? null : absolute('--testing-destinations', testing),
    person: personOf(uid),
    uid,
    pid: process.pid,
    node: process.execPath,
    nodeOptions: process.execArgv.filter((option) => option.startsWith('--conditions')),
    program,
    installation: path.resolve(path.dirname(program), '../../..'),
    path: env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  };
}

function readArguments(args: readonly string[]): { role: Role; tenant: string; testing: string | null } {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        role: { type: 'string', default: 'control' },
        tenant: { type: 'string', default: 'local' },
        'testing-destinations': { type: 'string' },
      },
    });
    const role = roles.find((known) => known === values.role);
    if (role === undefined)
      throw new CordonError<CordondErrorCode>('configuration', `--role: one of ${roles.join(', ')}`);
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(values.tenant)) {
      throw new CordonError<CordondErrorCode>('configuration', '--tenant: a lower-case name');
    }
    return { role, tenant: values.tenant, testing: values['testing-destinations'] ?? null };
  } catch (cause) {
    if (cause instanceof CordonError) throw cause;
    throw new CordonError<CordondErrorCode>('configuration', cause instanceof Error ? cause.message : String(cause), {
      cause,
    });
  }
}

function absolute(name: string, value: string): string {
  if (path.isAbsolute(value)) return path.normalize(value);
  throw new CordonError<CordondErrorCode>(
    'configuration',
    `${name}: must be an absolute path, not ${JSON.stringify(value)}`,
  );
}

/** The name of the user, or the number of one that has none (a container, `setpriv`) or whose name is no plain word. */
function personOf(uid: number): string {
  try {
    const { username } = userInfo();
    return personName.test(username) ? username : `uid-${uid}`;
  } catch {
    return `uid-${uid}`;
  }
}
