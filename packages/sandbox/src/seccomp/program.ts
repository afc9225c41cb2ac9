import { CordonError } from '@cordon/protocol';
import type { SandboxErrorCode } from '../error.ts';
import type { Architecture } from './numbers.ts';
import { type ProfileName, profileRules } from './profile.ts';
import { type ArgumentRule, type Condition, unknown, type Verdict } from './rule.ts';

/** One classic BPF instruction (struct sock_filter, linux/filter.h). */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const ops = {
  load: 0x20, // BPF_LD | BPF_W | BPF_ABS
  and: 0x54, // BPF_ALU | BPF_AND | BPF_K
  jump: 0x05, // BPF_JMP | BPF_JA
  ifEqual: 0x15, // BPF_JMP | BPF_JEQ | BPF_K
  ifAtLeast: 0x35, // BPF_JMP | BPF_JGE | BPF_K
  ifAnyBit: 0x45, // BPF_JMP | BPF_JSET | BPF_K
  answer: 0x06, // BPF_RET | BPF_K
} as const;

/** struct seccomp_data: nr, arch, instruction pointer, six 64-bit arguments (little-endian on both architectures). */
const offsets = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index, high: 4 } as const;
const auditArchitectures: Record<Architecture, number> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
/** __X32_SYSCALL_BIT: the x32 ABI shares the architecture number with x86-64. */
const x32Bit = 0x4000_0000;
const instructionsMax = 4096;

/** Verdict over a range of numbers; `from` up to the next interval's `from`. */
interface Interval {
  readonly from: number;
  readonly rule: Verdict | ArgumentRule;
}

/**
 * The filter of a profile: wrong architecture → kill; x32 and unknown numbers → ENOSYS; then a binary search over the
 * number. Pure: the same bytes every time.
 */
export function compileProfile(name: ProfileName, architecture: Architecture): Instruction[] {
  const program: Instruction[] = [
    { code: ops.load, jt: 0, jf: 0, k: offsets.architecture },
    { code: ops.ifEqual, jt: 1, jf: 0, k: auditArchitectures[architecture] },
    answer('kill'),
    { code: ops.load, jt: 0, jf: 0, k: offsets.number },
    { code: ops.ifAtLeast, jt: 0, jf: 1, k: x32Bit },
    answer(unknown),
    ...search(intervals(profileRules(name, architecture))),
  ];
  if (program.length > instructionsMax) {
    throw new CordonError<SandboxErrorCode>('spec-invalid', `seccomp filter has ${program.length} instructions`);
  }
  return program;
}

/** As the kernel takes it: u16 code, u8 jt, u8 jf, u32 k, little-endian. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  }
  return bytes;
}

function answer(verdict: Verdict): Instruction {
  const k = verdict === 'allow' ? 0x7fff_0000 : verdict === 'kill' ? 0x8000_0000 : 0x0005_0000 | verdict.errno;
  return { code: ops.answer, jt: 0, jf: 0, k };
}

function intervals(rules: ReadonlyMap<number, Verdict | ArgumentRule>): Interval[] {
  const list: Interval[] = [];
  let next = 0;
  const add = (from: number, rule: Verdict | ArgumentRule): void => {
    const last = list.at(-1);
    if (last === undefined || !sameVerdict(last.rule, rule)) list.push({ from, rule });
  };
  for (const [number, rule] of [...rules].sort(([a], [b]) => a - b)) {
    if (number > next) add(next, unknown);
    add(number, rule);
    next = number + 1;
  }
  add(next, unknown);
  return list;
}

function sameVerdict(a: Verdict | ArgumentRule, b: Verdict | ArgumentRule): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  if ('cases' in a || 'cases' in b) return false;
  return a.errno === b.errno;
}

/** Number in the accumulator. Far jumps are `jump` instructions: the conditional ones reach only 255 further. */
function search(list: readonly Interval[]): Instruction[] {
  const [only, second] = list;
  if (only === undefined) return [answer(unknown)];
  if (second === undefined) return leaf(only.rule);
  const middle = list.length >> 1;
  const below = search(list.slice(0, middle));
  const above = search(list.slice(middle));
  return [
    { code: ops.ifAtLeast, jt: 0, jf: 1, k: list[middle]?.from ?? 0 },
    { code: ops.jump, jt: 0, jf: 0, k: below.length },
    ...below,
    ...above,
  ];
}

function leaf(rule: Verdict | ArgumentRule): Instruction[] {
  if (typeof rule === 'string' || !('cases' in rule)) return [answer(rule)];
  const program: Instruction[] = [];
  for (const { when, result } of rule.cases) {
    // Each test falls through when it holds and otherwise skips the rest of this case.
    const tests = when.map(test);
    let after = 1;
    const parts = tests.reverse().map((instructions) => {
      const done = instructions(after);
      after += done.length;
      return done;
    });
    program.push(...parts.reverse().flat(), answer(result));
  }
  return [...program, answer(rule.otherwise)];
}

/** A test as a function of how many instructions follow in its case, which it skips when it fails. */
function test(condition: Condition): (after: number) => Instruction[] {
  const half = 'half' in condition ? offsets.high : 0;
  const load: Instruction = { code: ops.load, jt: 0, jf: 0, k: offsets.argument(condition.argument) + half };
  if ('anyBitOf' in condition) {
    return (after) => [load, { code: ops.ifAnyBit, jt: 0, jf: after, k: condition.anyBitOf >>> 0 }];
  }
  const { mask, oneOf } = condition;
  return (after) => [
    load,
    { code: ops.and, jt: 0, jf: 0, k: mask >>> 0 },
    ...oneOf.map((value, index) => ({
      code: ops.ifEqual,
      jt: oneOf.length - 1 - index,
      jf: index === oneOf.length - 1 ? after : 0,
      k: value >>> 0,
    })),
  ];
}
