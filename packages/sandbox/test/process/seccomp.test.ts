import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argumentRules } from '../../src/seccomp/arguments.ts';
import { type Architecture, systemCallNumbers } from '../../src/seccomp/numbers.ts';
import { misspelt, type ProfileName, profileRules } from '../../src/seccomp/profile.ts';
import { compileProfile, encodeProgram } from '../../src/seccomp/program.ts';
import type { ArgumentRule, Verdict } from '../../src/seccomp/rule.ts';
import { runFilter } from './bpf-machine.ts';

const ALLOW = 0x7fff_0000;
const KILL = 0x8000_0000;
const errno = (number: number): number => 0x0005_0000 | number;
const EPERM = errno(1);
const ENOSYS = errno(38);
const audit = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
const both: readonly [ProfileName, Architecture][] = [
  ['strict', 'x64'],
  ['strict', 'arm64'],
  ['compat', 'x64'],
  ['compat', 'arm64'],
];

function judge(profile: ProfileName, architecture: Architecture, name: string, ...values: (bigint | number)[]): number {
  const number = systemCallNumbers(architecture).get(name);
  if (number === undefined) throw new Error(`${architecture} has no ${name}`);
  const args = Array.from({ length: 6 }, (_, index) => BigInt(values[index] ?? 0));
  return runFilter(compileProfile(profile, architecture), {
    architecture: audit[architecture],
    number,
    arguments: args,
  });
}

/** The rule table read straight: what the compiled filter must say for every number and argument. */
function expected(rule: Verdict | ArgumentRule | undefined, args: readonly bigint[]): number {
  if (rule === undefined) return ENOSYS;
  if (rule === 'allow') return ALLOW;
  if (rule === 'kill') return KILL;
  if ('errno' in rule) return errno(rule.errno);
  const low = (index: number): number => Number(BigInt.asUintN(32, args[index] ?? 0n));
  const high = (index: number): number => Number(BigInt.asUintN(32, (args[index] ?? 0n) >> 32n));
  const hit = rule.cases.find(({ when }) =>
    when.every((condition) =>
      'anyBitOf' in condition
        ? (('half' in condition ? high : low)(condition.argument) & condition.anyBitOf) !== 0
        : condition.oneOf.some((value) => (low(condition.argument) & condition.mask) >>> 0 === value >>> 0),
    ),
  );
  return expected(hit?.result ?? rule.otherwise, args);
}

describe.each(both)('profile %s on %s', (profile, architecture) => {
  it('says for every number what the table says', () => {
    const program = compileProfile(profile, architecture);
    const rules = profileRules(profile, architecture);
    const args = [0n, 0n, 0n, 0n, 0n, 0n];
    for (let number = 0; number < 1200; number++) {
      expect(runFilter(program, { architecture: audit[architecture], number, arguments: args })).toBe(
        expected(rules.get(number), args),
      );
    }
  });

  it('says it for every argument too', () => {
    const program = compileProfile(profile, architecture);
    const rules = profileRules(profile, architecture);
    const numbers = [...argumentRules.keys()].flatMap((name) => systemCallNumbers(architecture).get(name) ?? []);
    const interesting = [
      0n,
      1n,
      2n,
      10n,
      16n,
      40n,
      0x80n,
      0x5412n,
      0x541cn,
      0x10000000n,
      0o100644n,
      0o020644n,
      0xffffffffn,
    ];
    const argument = fc.oneof(fc.constantFrom(...interesting), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
    fc.assert(
      fc.property(fc.constantFrom(...numbers), fc.array(argument, { minLength: 6, maxLength: 6 }), (number, args) => {
        const answer = runFilter(program, { architecture: audit[architecture], number, arguments: args });
        expect(answer).toBe(expected(rules.get(number), args));
      }),
      { numRuns: 2000 },
    );
  });

  it('kills what comes from another architecture', () => {
    const program = compileProfile(profile, architecture);
    for (const other of [0x4000_0003, 0x4000_0028, architecture === 'x64' ? audit.arm64 : audit.x64]) {
      expect(runFilter(program, { architecture: other, number: 0, arguments: [] })).toBe(KILL);
    }
  });

  it('refuses what opens the kernel or other processes', () => {
    for (const name of [
      'mount',
      'setns',
      'ptrace',
      'bpf',
      'io_uring_setup',
      'perf_event_open',
      'userfaultfd',
      'keyctl',
      'add_key',
      'process_vm_writev',
      'pidfd_getfd',
      'open_by_handle_at',
      'kexec_load',
      'init_module',
      'pivot_root',
      'fsopen',
      'move_mount',
      'chroot',
      'syslog',
    ]) {
      expect(judge(profile, architecture, name), name).toBe(EPERM);
    }
    expect(judge(profile, architecture, 'clone3')).toBe(ENOSYS);
  });

  it('tests flags, families and commands by their low half only', () => {
    const high = 0xffff_ffff_0000_0000n;
    expect(judge(profile, architecture, 'clone', 0x11)).toBe(ALLOW);
    expect(judge(profile, architecture, 'clone', 0x1000_0011)).toBe(EPERM);
    expect(judge(profile, architecture, 'clone', high | 0x2_0011n)).toBe(EPERM);
    expect(judge(profile, architecture, 'unshare', 0x400)).toBe(ALLOW);
    expect(judge(profile, architecture, 'unshare', 0x80)).toBe(EPERM);
    expect(judge(profile, architecture, 'ioctl', 0, 0x5401)).toBe(ALLOW);
    expect(judge(profile, architecture, 'ioctl', 0, high | 0x5412n)).toBe(EPERM);
    expect(judge(profile, architecture, 'ioctl', 0, 0x541c)).toBe(EPERM);
    expect(judge(profile, architecture, 'socket', 1, 1, 0)).toBe(ALLOW);
    expect(judge(profile, architecture, 'socket', 10, 2, 0)).toBe(ALLOW);
    expect(judge(profile, architecture, 'socket', 2, high | 0o2004001n, high | 6n)).toBe(ALLOW);
    // SCTP by protocol and by type, DCCP, MPTCP, raw.
    for (const [type, protocol] of [
      [1, 132],
      [5, 0],
      [6, 33],
      [6, 0],
      [1, 262],
      [3, 0],
      [2, 1],
    ] as const) {
      for (const family of [2, 10])
        expect(judge(profile, architecture, 'socket', family, type, protocol)).toBe(errno(93));
    }
    expect(judge(profile, architecture, 'socket', 16, 3, 0)).toBe(ALLOW);
    expect(judge(profile, architecture, 'socket', 16, 3, 12)).toBe(errno(93));
    for (const family of [17, 38, 40, 44]) expect(judge(profile, architecture, 'socket', family, 3, 0)).toBe(errno(97));
    expect(judge(profile, architecture, 'socketpair', 1, 1, 0)).toBe(ALLOW);
    expect(judge(profile, architecture, 'socketpair', 1, 2 | 0o2000000, 0)).toBe(EPERM);
    expect(judge(profile, architecture, 'socketpair', 1, 3, 0)).toBe(EPERM);
    expect(judge(profile, architecture, 'mknodat', 0, 0, 0o020000)).toBe(EPERM);
    expect(judge(profile, architecture, 'mknodat', 0, 0, 0o010644)).toBe(ALLOW);
    expect(judge(profile, architecture, 'mknodat', 0, 0, 0o104755)).toBe(EPERM);
    expect(judge(profile, architecture, 'personality', 0x0040_0000)).toBe(EPERM);
    expect(judge(profile, architecture, 'personality', 0xffff_ffff)).toBe(ALLOW);
  });
});

describe.each(both)('profile %s on %s and files that outlive the session', (profile, architecture) => {
  it('refuses set-user-ID and set-group-ID bits wherever a mode goes in', () => {
    const high = 0xffff_ffff_0000_0000n;
    for (const mode of [0o4755, 0o2755, 0o6755, 0o104755]) {
      for (const value of [BigInt(mode), high | BigInt(mode)]) {
        expect(judge(profile, architecture, 'fchmod', 3, value)).toBe(EPERM);
        expect(judge(profile, architecture, 'fchmodat', 0, 0, value)).toBe(EPERM);
        expect(judge(profile, architecture, 'fchmodat2', 0, 0, value)).toBe(EPERM);
        for (const flags of [0o101, 0o20200002])
          expect(judge(profile, architecture, 'openat', 0, 0, flags, value)).toBe(EPERM);
      }
      expect(judge(profile, architecture, 'openat', 0, 0, 0, mode)).toBe(ALLOW);
    }
    expect(judge(profile, architecture, 'fchmod', 3, 0o1755)).toBe(ALLOW);
    expect(judge(profile, architecture, 'openat', 0, 0, 0o101, 0o100755)).toBe(ALLOW);
    expect(judge(profile, architecture, 'openat2')).toBe(ENOSYS);
  });

  it('leaves RLIMIT_CORE as it is, and lets it be read', () => {
    for (const limits of [1n, 0x1_0000_0000n, 0x7fff_0000_1000n]) {
      expect(judge(profile, architecture, 'prlimit64', 0, 4, limits)).toBe(errno(0));
      expect(judge(profile, architecture, 'prlimit64', 0, 7, limits)).toBe(ALLOW);
    }
    expect(judge(profile, architecture, 'prlimit64', 0, 4, 0)).toBe(ALLOW);
    expect(judge(profile, architecture, 'setrlimit', 4)).toBe(errno(0));
    expect(judge(profile, architecture, 'setrlimit', 7)).toBe(ALLOW);
  });
});

describe('the tables', () => {
  it('name only system calls that exist', () => expect(misspelt()).toEqual([]));

  it('have x32 answered as unknown', () => {
    const program = compileProfile('compat', 'x64');
    expect(runFilter(program, { architecture: audit.x64, number: 0x4000_0000, arguments: [] })).toBe(ENOSYS);
    expect(runFilter(program, { architecture: audit.x64, number: 0x4000_0203, arguments: [] })).toBe(ENOSYS);
  });

  it('allow in strict nothing that compat refuses', () => {
    const strict = profileRules('strict', 'x64');
    const compat = profileRules('compat', 'x64');
    for (const [number, rule] of strict) if (rule === 'allow') expect(compat.get(number)).toBe('allow');
  });

  it('are encoded as struct sock_filter', () => {
    const [first] = compileProfile('strict', 'x64');
    expect(first).toEqual({ code: 0x20, jt: 0, jf: 0, k: 4 });
    expect([...encodeProgram(compileProfile('strict', 'x64')).subarray(0, 16)]).toEqual([
      0x20, 0, 0, 0, 4, 0, 0, 0, 0x15, 0, 1, 0, 0x3e, 0, 0, 0xc0,
    ]);
  });
});
