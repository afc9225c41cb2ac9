import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { Deployment, type DeploymentOptions } from '../support/deployment.ts';
import { until } from '../support/until.ts';
import type { Dice } from './dice.ts';
import { type Process, processesBelow, startOf } from './processes.ts';

/** The one name that sessions are granted, and one that nobody is. */
export const granted = 'counted.example';
export const forbidden = 'refused.example';

const recoverMs = 40_000;

export interface WorldOptions extends Pick<DeploymentOptions, 'node' | 'disk'> {
  readonly dice: Dice;
}

/** A deployment, a server outside that remembers what reached it, and everything that went wrong so far. */
export class World implements AsyncDisposable {
  readonly deployment: Deployment;
  readonly sink: HttpSink;
  readonly dice: Dice;
  /** What must never happen and did, in words. */
  readonly wrong: string[] = [];
  /**
   * When the kernel gave up a disk, in milliseconds of the epoch: like a power cut it takes with it what was written and
   * not yet synced (the `os` tier: some 25 ms).
   */
  readonly torn: number[] = [];
  /** Every process of ours that was ever seen below the supervisor: pid → start time. */
  readonly #seen = new Map<number, string>();

  private constructor(deployment: Deployment, sink: HttpSink, dice: Dice) {
    this.deployment = deployment;
    this.sink = sink;
    this.dice = dice;
  }

  static async start({ dice, ...options }: WorldOptions): Promise<World> {
    const ca = new TestCa();
    const sink = await HttpSink.start({
      tls: ca.issue([granted, forbidden]),
      answer: () => ({ status: 200, body: 'ok' }),
    });
    try {
      const destinations = destinationsOf({ [granted]: sink.port, [forbidden]: sink.port }, ca);
      return new World(await Deployment.start({ ...options, destinations }), sink, dice);
    } catch (error) {
      await sink[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Our own processes by role; `control` first. Below the supervisor also those of the sandboxes. */
  processes(): Process[] {
    const found = processesBelow(this.deployment.folder);
    for (const { pid, start } of found) this.#seen.set(pid, start);
    return found;
  }

  pidOf(role: Process['role']): number {
    const found = this.processes().find((process) => process.role === role);
    if (found === undefined) throw new Error(`no process in the role ${role}`);
    return found.pid;
  }

  /** Of all that was ever seen, what lives. */
  survivors(): number[] {
    return [...this.#seen].filter(([pid, start]) => startOf(pid) === start).map(([pid]) => pid);
  }

  /** Starts the control plane again, which nobody but the next command does. */
  async revive(): Promise<void> {
    const up = await this.deployment.up();
    if (up.status !== 0) this.wrong.push(`cordon up ended with ${up.status}: ${up.stderr}`);
  }

  /** All roles run and are in touch. */
  async recovered(): Promise<void> {
    const cordon = this.deployment.sdk();
    await until(
      () =>
        cordon.status().then(
          ({ roles }) => roles.length >= 3 && roles.every((role) => role.state === 'running'),
          () => false,
        ),
      'all roles to run again',
      recoverMs,
    );
  }

  /** What a session keeps after its end is its proposal and the records of it; anything else was left behind. */
  filesLeft(): string[] {
    const kept = new Set(['manifest.json', 'upper', 'quarantine', 'applied.json', 'shown.json']);
    const sessions = path.join(this.deployment.home, 'sessions');
    if (!existsSync(sessions)) return [];
    return readdirSync(sessions).flatMap((session) =>
      readdirSync(path.join(sessions, session))
        .filter((name) => !kept.has(name))
        .map((name) => `${session}/${name}`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.deployment[Symbol.asyncDispose]();
    } finally {
      await this.sink[Symbol.asyncDispose]();
    }
  }
}
