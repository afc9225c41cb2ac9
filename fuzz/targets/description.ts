import { encodeCommand, encodeGuard, encodeLaunch } from '../../packages/sandbox/src/process/description.ts';
import { InputChoices } from '../engine/choices.ts';
import { must, type Target } from '../engine/target.ts';
import { type NativeKind, NativeParsers } from '../readers/native.ts';

const kinds = ['g', 'l', 'c'] as const;
let native: NativeParsers;

export const target: Target = {
  name: 'description',
  about: 'what the native launcher is told (guard order, launch order, command), in C under ASan and UBSan',
  oracle:
    'no sanitizer speaks; what is accepted, written again field by field, is what came; no description makes the agent root; and what TypeScript writes of any command is accepted',
  lengthMax: 4096,
  shortRuns: 6000,
  dictionary: ['CGU1', 'CLA1', 'CCM1', '\0\0\0\0', '\x01\0\0\0', '\xff\xff\xff\xff', '/\0'],
  seeds,
  async open() {
    native = new NativeParsers();
  },
  async close() {
    await native.close();
  },
  /** The first byte chooses the kind; a length that is wrong in most of what comes out of a mutation is put right in half of them. */
  async run(input, feedback) {
    const choice = input[0] ?? 0;
    const kind: NativeKind = kinds[choice % kinds.length] ?? 'c';
    const bytes = Uint8Array.from(input.subarray(1));
    if ((choice & 0x80) === 0 && bytes.length >= 8) new DataView(bytes.buffer).setUint32(4, bytes.length, true);
    const why = await native.ask(kind, bytes, feedback);
    feedback.note(`${kind} ${why ?? 'accepted'}`);
    if ((choice & 0x40) !== 0) await checkWriter(input.subarray(1), feedback);
  },
};

/** Any command that TypeScript agrees to write is one that the native program reads. */
async function checkWriter(bytes: Uint8Array, feedback: Parameters<Target['run']>[1]): Promise<void> {
  const choices = new InputChoices(bytes);
  const words = (count: number): string[] =>
    Array.from({ length: count }, () => Buffer.from(choices.bytes(40)).toString('latin1').replaceAll('\0', ''));
  const env = Object.fromEntries(words(choices.below(4)).map((name, i) => [`${name}${i}`, 'x']));
  const command = [`a${words(1)[0]}`, ...words(choices.below(6))];
  const terminal = choices.below(2) === 0 ? null : { cols: choices.u16(), rows: choices.u16() };
  const why = await native.ask('c', encodeCommand({ command, env, cwd: `/${words(1)[0]}`, terminal }), feedback);
  must(why === null, 'a command that TypeScript writes is refused', why, command, env);
}

function seeds(): readonly Uint8Array[] {
  const main = {
    command: ['sh', '-c', 'true'],
    env: { PATH: '/bin', A: '' },
    cwd: '/w',
    terminal: { cols: 80, rows: 24 },
  };
  const launch = {
    landlock: { required: true, abiMin: 1, rules: [{ path: '/usr', rights: 5n }] },
    seccomp: { required: true, filter: new Uint8Array(16) },
    openFiles: 64,
    fileBytes: 1024,
    fallback: null,
    masked: ['/proc/keys'],
    main,
  };
  const owner = { uid: 1000, gid: 1000 };
  const mount = { name: 'a1', source: '/src', readOnly: true };
  const guard = {
    supervisorPid: 42,
    session: owner,
    cgroup: { unified: '/sys/fs/cgroup/x', tasks: ['/sys/fs/cgroup/cpu/tasks'] },
    mounts: [
      { ...mount, overlay: { upper: '/u', work: '/w' }, owners: { owner, to: owner } },
      { ...mount, overlay: 'shade' as const, owners: null },
    ],
    sockets: { capture: true, tcp: [{ address: '127.64.0.1', port: 5432 }] },
    relay: { folder: '/run/relay', token: new Uint8Array(32).fill(7) },
    bubblewrap: '/usr/bin/bwrap',
    arguments: ['--bind', '/a', '/b'],
    launch: encodeLaunch(launch),
  };
  const marked = (kind: number, bytes: Uint8Array): Uint8Array => Buffer.concat([Buffer.from([kind]), bytes]);
  return [
    marked(0, encodeGuard(guard)),
    marked(0, encodeGuard({ ...guard, session: null, cgroup: null, mounts: [], relay: null })),
    marked(1, encodeLaunch(launch)),
    marked(1, encodeLaunch({ ...launch, fallback: { processes: 9, dataBytes: 4096 } })),
    marked(2, encodeCommand(main)),
    marked(2 | 0x40, encodeCommand({ ...main, terminal: null })),
  ];
}
