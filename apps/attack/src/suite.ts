import { existsSync } from 'node:fs';
import path from 'node:path';
import { isCordonError } from '@cordon/protocol';
import type { EscapeCase } from './case.ts';
import { AttackError, unclear } from './error.ts';
import type { Field } from './field.ts';
import type { Group } from './groups.ts';

export interface Result {
  readonly group: Group['name'];
  readonly name: string;
  /** The layer that must stop it. */
  readonly stop: string;
  /** `unclear`: nothing can be said, which is a failure. `not-tried`: this machine lacks what must stop it; `detail` says what. */
  readonly outcome: 'held' | 'out' | 'unclear' | 'not-tried';
  readonly detail: string;
  /** How long trying took; says nothing about whether it held. */
  readonly ms: number;
}

export interface Ending {
  /** What was found when everything was taken down: servers reached late, processes and mounts that are still there. */
  readonly left: readonly string[];
}

/** So many in a row that cannot be judged mean that sessions do not work here at all. */
const unclearInARowMax = 5;

/**
 * Tries one case after the other. A field in which something got out is given up for a fresh one, so that one open way
 * does not colour what follows.
 * @throws AttackError `unavailable` when nothing can be judged, and what the signal aborts with
 */
export async function* tryAll(
  chosen: readonly Group[],
  open: () => Promise<Field>,
  signal: AbortSignal,
): AsyncGenerator<Result, Ending> {
  const left: string[] = [];
  let unclearInARow = 0;
  let field = await open();
  try {
    for (const group of chosen) {
      for (const each of group.cases) {
        const started = performance.now();
        const found = await tryOne(field, each);
        const ms = Math.round(performance.now() - started);
        const result = { group: group.name, name: each.name, stop: each.stop, ...found, ms };
        signal.throwIfAborted();
        yield result;
        unclearInARow = result.outcome === 'unclear' ? unclearInARow + 1 : 0;
        if (unclearInARow === unclearInARowMax)
          throw new AttackError('unavailable', `${unclearInARow} attacks in a row could not be judged`, {
            nextSteps: ['cordon doctor', 'cordon doctor --attack --verbose'],
          });
        if (result.outcome !== 'out') continue;
        await close(field, false);
        field = await open();
      }
    }
  } finally {
    left.push(...(await close(field, true)));
  }
  return { left };
}

async function tryOne(field: Field, each: EscapeCase): Promise<Pick<Result, 'outcome' | 'detail'>> {
  if (each.needsCgroups === true && field.missing.includes('cgroups'))
    return { outcome: 'not-tried', detail: 'held by a cgroup of the session, which this user cannot make here' };
  if (each.needsProgram !== undefined && !isInstalled(each.needsProgram))
    return { outcome: 'not-tried', detail: `the program ${each.needsProgram} is not installed here` };
  let said = '';
  try {
    const run = await field.attack(each.attack(field), each.options, each.during);
    said = `${run.stdout}${run.stderr}`;
    if (!run.stdout.includes('tried')) throw unclear('the attack did not run');
    await each.judge(field, run);
    field.judge();
    return { outcome: 'held', detail: '' };
  } catch (error) {
    const detail = `${error instanceof Error ? error.message : String(error)}${said === '' ? '' : `\n${said}`}`;
    return { outcome: isCordonError(error) && error.code === 'escaped' ? 'out' : 'unclear', detail };
  }
}

function isInstalled(program: string): boolean {
  const folders = (process.env['PATH'] ?? '/usr/bin:/bin').split(':');
  return folders.some((folder) => existsSync(path.join(folder, program)));
}

async function close(field: Field, judged: boolean): Promise<string[]> {
  const found: string[] = [];
  const keep = (error: unknown): void => {
    found.push(error instanceof Error ? error.message : String(error));
  };
  try {
    if (judged) field.judge();
  } catch (error) {
    keep(error);
  }
  await field[Symbol.asyncDispose]().catch(keep);
  return found;
}
