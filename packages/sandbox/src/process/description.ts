import { CordonError, type TcpSocket, type TerminalSize } from '@cordon/protocol';
import type { SandboxErrorCode } from '../error.ts';
import { driverLimits as limits } from '../limits.ts';
import { ByteWriter } from './byte-writer.ts';

/**
 * The only input of the native program (native/launch: guard_order.c, launch_order.c, command.c). Everything is checked
 * before it gets here; the C side checks sizes and bounds again and ends when one is wrong.
 */
const magics = { guard: 0x3155_4743, launch: 0x3141_4c43, command: 0x314d_4343 } as const;

/** A source that is collected under /tmp in a private mount namespace, where bubblewrap finds it by `name`. */
export interface StagedMount {
  readonly name: string;
  readonly source: string;
  readonly readOnly: boolean;
  /** `shade`: a folder that is only read, in which the host's sockets and pipes lead nowhere (STAGE_SHADE in stage.h). */
  readonly overlay: { readonly upper: string; readonly work: string } | 'shade' | null;
  /** Id-mapped: what `owner` owns on disk belongs to `to` inside. */
  readonly owners: { readonly owner: Owner; readonly to: Owner } | null;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface CommandDescription {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly terminal: TerminalSize | null;
}

export interface LandlockRule {
  readonly path: string;
  readonly rights: bigint;
}

export interface LaunchDescription {
  readonly landlock: { readonly required: boolean; readonly abiMin: number; readonly rules: readonly LandlockRule[] };
  readonly seccomp: { readonly required: boolean; readonly filter: Uint8Array };
  readonly openFiles: number;
  readonly fileBytes: number;
  /** Only without cgroups: limits per user and per process in their place. */
  readonly fallback: { readonly processes: number; readonly dataBytes: number } | null;
  /** Files of /proc that are covered. */
  readonly masked: readonly string[];
  readonly main: CommandDescription;
}

/** What listens inside beside the sockets that every sandbox has. */
export interface SocketsDescription {
  /** Programs that ignore the proxy are caught, where the kernel can. */
  readonly capture: boolean;
  readonly tcp: readonly Pick<TcpSocket, 'address' | 'port'>[];
}

export interface GuardDescription {
  readonly supervisorPid: number;
  /** Root only: whom the sandbox runs as. */
  readonly session: Owner | null;
  readonly cgroup: { readonly unified: string; readonly tasks: readonly string[] } | null;
  readonly mounts: readonly StagedMount[];
  readonly sockets: SocketsDescription;
  /** A process of ours copies in place of the hand-off. */
  readonly relay: { readonly folder: string; readonly token: Uint8Array } | null;
  readonly bubblewrap: string;
  readonly arguments: readonly string[];
  readonly launch: Uint8Array;
}

export function encodeCommand(command: CommandDescription): Uint8Array {
  const { terminal } = command;
  const bytes = new ByteWriter(magics.command)
    .u32(terminal === null ? 0 : 1)
    .u32(terminal?.cols ?? 0)
    .u32(terminal?.rows ?? 0)
    .string(command.cwd)
    .strings(command.command)
    .strings(Object.entries(command.env).map(([name, value]) => `${name}=${value}`))
    .finish();
  if (bytes.length > limits.commandBytesMax) {
    throw new CordonError<SandboxErrorCode>('spec-invalid', 'command and environment are too long', { expose: true });
  }
  return bytes;
}

export function encodeLaunch(launch: LaunchDescription): Uint8Array {
  const writer = new ByteWriter(magics.launch)
    .u32(launch.landlock.required ? 1 : 0)
    .u32(launch.landlock.abiMin)
    .u32(launch.seccomp.required ? 1 : 0)
    .u64(launch.openFiles)
    .u64(launch.fileBytes)
    .u64(launch.fallback?.processes ?? 0)
    .u64(launch.fallback?.dataBytes ?? 0)
    .u32(launch.landlock.rules.length);
  for (const { rights, path } of launch.landlock.rules) writer.u64(rights).string(path);
  return writer.bytes(launch.seccomp.filter).strings(launch.masked).bytes(encodeCommand(launch.main)).finish();
}

export function encodeGuard(guard: GuardDescription): Uint8Array {
  const writer = new ByteWriter(magics.guard)
    .u32(guard.supervisorPid)
    .u32(guard.session === null ? 0 : 1)
    .u32(guard.session?.uid ?? 0)
    .u32(guard.session?.gid ?? 0)
    .string(guard.cgroup?.unified ?? '')
    .strings(guard.cgroup?.tasks ?? [])
    .u32(guard.mounts.length);
  for (const mount of guard.mounts) writeMount(writer, mount);
  writer.u32(guard.sockets.capture ? 1 : 0).u32(guard.sockets.tcp.length);
  for (const { address, port } of guard.sockets.tcp) writer.string(address).u32(port);
  writer.string(guard.relay?.folder ?? '').bytes(guard.relay?.token ?? new Uint8Array(0));
  const text = guard.arguments.map((argument) => `${argument}\0`).join('');
  return writer.string(guard.bubblewrap).bytes(new TextEncoder().encode(text)).bytes(guard.launch).finish();
}

function writeMount(writer: ByteWriter, mount: StagedMount): void {
  const layers = mount.overlay === 'shade' ? null : mount.overlay;
  writer
    .u32(mount.overlay === 'shade' ? 2 : layers === null ? 0 : 1)
    .u32(mount.readOnly ? 1 : 0)
    .u32(mount.owners === null ? 0 : 1)
    .u32(mount.owners?.owner.uid ?? 0)
    .u32(mount.owners?.owner.gid ?? 0)
    .u32(mount.owners?.to.uid ?? 0)
    .u32(mount.owners?.to.gid ?? 0)
    .string(mount.source)
    .string(layers?.upper ?? '')
    .string(layers?.work ?? '')
    .string(mount.name);
}
