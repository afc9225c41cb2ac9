import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { Writable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ByteWriter } from '../../src/process/byte-writer.ts';
import { describeSandbox } from '../../src/process/describe-sandbox.ts';
import { encodeCommand, encodeLaunch } from '../../src/process/description.ts';
import { encodeFrame, FrameDecoder, frameTypes } from '../../src/process/frame.ts';
import { LaunchProcess } from '../../src/process/launch-process.ts';
import { compileProfile, encodeProgram } from '../../src/seccomp/program.ts';
import { launchBinary, Place, requireHost, specFor } from './harness.ts';

/** Where nobody can reach it, wherever the checkout lies. */
const scratch = mkdtempSync('/var/tmp/cordon-description-');
const copy = path.join(scratch, 'launch');
beforeAll(() => {
  requireHost();
  chmodSync(scratch, 0o755);
  copyFileSync(launchBinary, copy);
});
afterAll(() => rmSync(scratch, { recursive: true }));

const filter = encodeProgram(compileProfile('strict', process.arch as 'x64' | 'arm64'));

function launchBytes(): Uint8Array {
  return encodeLaunch({
    landlock: { required: true, abiMin: 1, rules: [{ path: '/usr', rights: 5n }] },
    seccomp: { required: true, filter },
    openFiles: 100,
    fileBytes: 1000,
    fallback: null,
    masked: ['/proc/keys'],
    main: { command: ['true'], env: { A: 'b' }, cwd: '/', terminal: null },
  });
}

/** What the native program says about a launch description; as nobody, so that a good one gets no further either. */
function launchSays(bytes: Uint8Array): string {
  const file = path.join(scratch, 'description');
  writeFileSync(file, bytes);
  const nothing = openSync('/dev/null', 'r');
  const described = openSync(file, 'r');
  const { stderr } = spawnSync(copy, ['launch'], {
    stdio: ['ignore', 'ignore', 'pipe', nothing, nothing, described, nothing, nothing, nothing],
    uid: 65534,
    gid: 65534,
    timeout: 10_000,
  });
  for (const open of [nothing, described]) closeSync(open);
  return String(stderr);
}

describe('a description', () => {
  it('is refused by the native program at every length but its own', () => {
    const whole = launchBytes();
    expect(launchSays(whole)).not.toContain('cordon-launch: description');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: whole.length - 1 }), (length) => {
        expect(launchSays(whole.slice(0, length))).toContain('cordon-launch: description');
      }),
      { numRuns: 40 },
    );
    expect(launchSays(new Uint8Array([...whole, 0]))).toContain('cordon-launch: description: wrong length');
  });

  it('with a length, a count or a magic that is wrong is refused, never read past its end', () => {
    const whole = launchBytes();
    // Magic, whole length, number of rules, length of a path, length of the filter: all u32.
    for (const at of [0, 4, 52, 64]) {
      for (const value of [0xffff_ffff, 0x8000_0000, whole.length + 1]) {
        const bytes = whole.slice();
        new DataView(bytes.buffer).setUint32(at, value, true);
        expect(launchSays(bytes)).toContain('cordon-launch: description');
      }
    }
  });

  it('is never written with a NUL, a lone surrogate or a number out of range', () => {
    expect(() => new ByteWriter(0).string('a\0b')).toThrow(/NUL/);
    expect(() => new ByteWriter(0).string('\ud800')).toThrow(/Unicode/);
    for (const value of [-1, 1.5, 2 ** 32, Number.NaN]) expect(() => new ByteWriter(0).u32(value)).toThrow(/32-bit/);
    const long = { command: ['x'.repeat(1_100_000)], env: {}, cwd: '/', terminal: null };
    expect(() => encodeCommand(long)).toThrow(/too long/);
  });

  it('that would make the agent root is refused by the guard', async () => {
    using place = new Place();
    const bytes = describeGuard(place, { uid: 0, gid: 0 });
    const launch = new LaunchProcess(launchBinary, null);
    launch.describe(bytes);
    await launch.gone;
    expect(launch.fault).toContain('the agent may not be root');
  });

  it('for another parent than the real one is refused by the guard', async () => {
    const child = spawn(launchBinary, ['guard'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ignore', 'pipe', 'ignore'],
    });
    using place = new Place();
    (child.stdio[4] as Writable).write(describeGuard(place, { uid: 1_900_000_000, gid: 1_900_000_000 }, 1));
    expect(await once(child, 'exit')).toEqual([70, null]);
  });
});

describe('frames', () => {
  it('are cut the same however they arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff)), fc.integer({ min: 1, max: 40 }), (values, step) => {
        const sent = values.map((value) => encodeFrame(frameTypes.exit, value, 1, 2));
        const bytes = Buffer.concat(sent);
        const decoder = new FrameDecoder();
        const got = [];
        for (let at = 0; at < bytes.length; at += step) got.push(...decoder.push(bytes.subarray(at, at + step)));
        expect(got.map(({ a }) => a)).toEqual(values);
      }),
    );
  });

  it('of a type that the launcher never sends are a fault', () => {
    expect(() => new FrameDecoder().push(encodeFrame(frameTypes.open))).toThrow(/unknown type/);
  });

  it.each([
    ['an unknown type', [99, 0, 0, 0]],
    ['a command that cannot be', [frameTypes.signal, 16, 15, 0]],
    ['a signal that is none', [frameTypes.signal, 0, 0, 0]],
    ['a signal above the last', [frameTypes.signal, 0, 65, 0]],
    ['a size above the largest', [frameTypes.resize, 0, 0x1_0000, 1]],
    ['exec before open', [frameTypes.exec, 1, 1, 20]],
    ['open of another command', [frameTypes.open, 1, 0, 0]],
  ])('with %s end the sandbox', async (_, [type = 0, a = 0, b = 0, c = 0]) => {
    using place = new Place();
    const launch = new LaunchProcess(launchBinary, null);
    launch.describe(describeGuard(place, { uid: 1_900_000_001, gid: 1_900_000_001 }));
    const ready = new Promise<void>((resolve) =>
      launch.onFrame((frame) => frame.type === frameTypes.ready && resolve()),
    );
    await ready;
    launch.send(type, a, b, c);
    await launch.gone;
    launch.close();
    expect(launch.fault).toBe('');
  });

  it('that are malformed end it from the guard as well', async () => {
    const child = spawn(launchBinary, ['guard'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe', 'pipe'],
      env: {},
    });
    using place = new Place();
    const control = child.stdio[4] as Writable;
    control.write(describeGuard(place, { uid: 1_900_000_002, gid: 1_900_000_002 }));
    await once(child.stdio[5 as 4] as NonNullable<(typeof child.stdio)[4]>, 'data');
    control.write(encodeFrame(0xdead));
    const [code] = await once(child, 'exit');
    expect(code).toBe(137);
  });
});

describe('the native program', () => {
  it('is built once for the same sources', () => {
    const stamp = (): number => Number(execFileSync('stat', ['-c', '%Y', launchBinary]));
    const before = stamp();
    requireHost();
    expect(stamp()).toBe(before);
    expect(readFileSync(launchBinary).subarray(0, 4)).toEqual(Buffer.from('\x7fELF'));
    expect(execFileSync('file', ['-b', launchBinary], { encoding: 'utf8' })).toMatch(/static/);
  });
});

function describeGuard(place: Place, session: { uid: number; gid: number }, supervisorPid = process.pid): Uint8Array {
  const spec = specFor(place, { command: ['sleep', '1000'], mode: 'direct' });
  return describeSandbox({
    spec,
    session,
    cgroup: null,
    limited: true,
    filter,
    bubblewrap: '/usr/bin/bwrap',
    supervisorPid,
    capture: false,
    relay: null,
  });
}
