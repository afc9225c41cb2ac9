import type { Instruction } from '../../src/seccomp/program.ts';

export interface SystemCall {
  readonly architecture: number;
  readonly number: number;
  readonly arguments: readonly bigint[];
}

/** A machine for the classic BPF that seccomp takes (Documentation/userspace-api/seccomp_filter.rst); every other instruction is a fault. */
export function runFilter(program: readonly Instruction[], call: SystemCall): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.architecture, true);
  for (const [index, value] of call.arguments.entries())
    data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true);
  let accumulator = 0;
  for (let at = 0; at < program.length; at++) {
    const { code, jt, jf, k } = program[at] as Instruction;
    const jump = (holds: boolean): void => {
      at += holds ? jt : jf;
    };
    switch (code) {
      case 0x20:
        if (k % 4 !== 0 || k > 60) throw new Error(`load at ${k}`);
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        jump(accumulator === k);
        break;
      case 0x35:
        jump(accumulator >= k);
        break;
      case 0x45:
        jump((accumulator & k) !== 0);
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction ${code}`);
    }
  }
  throw new Error('fell off the end');
}
