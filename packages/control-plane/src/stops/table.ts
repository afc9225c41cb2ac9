import type { api } from '@cordon/protocol';
import type { z } from 'zod';
import { refusal } from '../error.ts';

export type StopRecord = z.infer<typeof api.stop>;
export type StopScope = StopRecord['scope'];

/**
 * The stops that are in force, in memory: a new session is judged by it in the same tick in which it would start, so
 * a stop wins over every start that it raced with. The store has the same records for the next start of cordond.
 */
export class StopTable {
  #active: readonly StopRecord[];

  constructor(active: readonly StopRecord[]) {
    this.#active = active;
  }

  get active(): readonly StopRecord[] {
    return this.#active;
  }

  add(stop: StopRecord): void {
    this.#active = [...this.#active, stop];
  }

  remove(ids: readonly string[]): void {
    this.#active = this.#active.filter((stop) => !ids.includes(stop.id));
  }

  of(session: { readonly id: string; readonly agent: string }): readonly StopRecord[] {
    return this.#active.filter((stop) => covers(stop.scope, session));
  }

  /** The stop that keeps a session of this agent from starting, if there is one. */
  againstNew(agent: string): StopRecord | null {
    return this.#active.find((stop) => !('session' in stop.scope) && covers(stop.scope, { id: '', agent })) ?? null;
  }
}

export function covers(scope: StopScope, session: { readonly id: string; readonly agent: string }): boolean {
  if ('session' in scope) return scope.session === session.id;
  if ('agent' in scope) return scope.agent === session.agent;
  return true;
}

export function sameScope(a: StopScope, b: StopScope): boolean {
  if ('session' in a) return 'session' in b && a.session === b.session;
  if ('agent' in a) return 'agent' in b && a.agent === b.agent;
  return 'all' in b;
}

/** As the command line takes it. */
export function scopeArgument(scope: StopScope): string {
  if ('session' in scope) return scope.session;
  return 'agent' in scope ? `--agent ${scope.agent}` : '--all';
}

export function stopped(stop: StopRecord) {
  const reason = stop.reason === '' ? '' : ` (${stop.reason})`;
  const what = stop.strength === 'kill' ? 'killed' : 'frozen';
  return refusal('session-stopped', `${scopeArgument(stop.scope)} was ${what} at ${stop.at} by ${stop.by}${reason}`, [
    `cordon unfreeze ${scopeArgument(stop.scope)}`,
  ]);
}
