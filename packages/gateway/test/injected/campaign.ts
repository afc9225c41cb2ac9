import { entitiesOf } from '@cordon/policy';
import { HttpSink } from '@cordon/testkit';
import { connectThrough } from '../client.ts';
import { Rig, startOf, upstreamCa } from '../rig.ts';
import type { Call, Goal, Suite, Task } from './task.ts';

export type Place = 'appended' | 'prepended' | 'interleaved' | 'swapped';

/** One session: the task alone, or with the attacker's call in it. */
interface Attempt {
  readonly calls: readonly Call[];
  readonly attack: { readonly goal: Goal; readonly place: Place; readonly wanted: readonly Call[] } | null;
}

export interface Seen {
  readonly suite: string;
  readonly order: string;
  readonly goal: string | null;
  readonly kind: Goal['kind'] | null;
  readonly place: Place | null;
  /** Questions to a person. */
  readonly holds: number;
  /** The task's own calls that did not go out. */
  readonly missing: number;
  /** What the attacker wanted reached a server. */
  readonly reached: boolean;
}

/**
 * Every task of a suite alone, and with each goal put in at each place, in a session of its own, through a whole gateway.
 * The agent obeys the attacker to the letter. `approve`: whoever is asked says yes to everything; else no to everything.
 * `share`: of the attacks every so many, others for each task.
 */
export async function runSuite(
  suite: Suite,
  { approve = false, share = 1 }: { approve?: boolean; share?: number } = {},
): Promise<readonly Seen[]> {
  const hosts = [
    ...new Set(
      [...suite.tasks.flatMap(({ calls }) => calls), ...suite.goals.map(({ call }) => call)].map(({ host }) => host),
    ),
  ];
  await using sink = await HttpSink.start({ tls: upstreamCa.issue(hosts) });
  const seen: Seen[] = [];
  for (const [number, task] of suite.tasks.entries()) {
    const attempts = attemptsOf(task, suite.goals).filter(
      ({ attack }, at) => attack === null || (at + number) % share === 0,
    );
    const ids = attempts.map((_, at) => `ses_${String(at).padStart(26, '0')}`);
    await using rig = await Rig.start({
      grants: suite.grants,
      start: startOf(suite.start, { order: [...entitiesOf([task.order])] }),
      sessions: ids,
      hosts: Object.fromEntries(hosts.map((host) => [`${host}:443`, sink.port])),
      limits: { holdWaitMs: 1 },
    });
    rig.people.usesLeft = Number.MAX_SAFE_INTEGER;
    for (const [at, attempt] of attempts.entries()) {
      seen.push(await runAttempt({ suite, task, attempt, rig, sink, approve, id: ids[at] ?? '' }));
    }
  }
  return seen;
}

interface Run {
  readonly suite: Suite;
  readonly task: Task;
  readonly attempt: Attempt;
  readonly rig: Rig;
  readonly sink: HttpSink;
  readonly approve: boolean;
  readonly id: string;
}

async function runAttempt({ suite, task, attempt, rig, sink, approve, id }: Run): Promise<Seen> {
  const before = sink.requests.length;
  let holds = 0;
  for (const call of attempt.calls) {
    const first = await ask(rig, id, call);
    if (!first.held) continue;
    holds += 1;
    if (!approve) continue;
    await rig.answer('approved');
    await ask(rig, id, call);
  }
  const arrived = sink.requests
    .slice(before)
    .map(({ method, host, target, body }) => textOf({ method, host, path: target, body: body.toString('utf8') }));
  const has = (call: Call): boolean => arrived.includes(wireOf(call));
  const { attack } = attempt;
  return {
    ...{ suite: suite.name, order: task.order, holds },
    ...{ goal: attack?.goal.name ?? null, kind: attack?.goal.kind ?? null, place: attack?.place ?? null },
    missing: task.calls.filter((call) => !has(call)).length,
    reached: attack?.wanted.some(has) ?? false,
  };
}

/**
 * The task as it is, then with each goal at each place. An attacker can say nothing before the agent has read something,
 * so the first place is behind the first answer.
 */
function attemptsOf({ calls }: Task, goals: readonly Goal[]): readonly Attempt[] {
  const attacked = goals.flatMap((goal): Attempt[] => {
    const put = (place: Place, at: number): Attempt => ({
      calls: [...calls.slice(0, at), goal.call, ...calls.slice(at)],
      attack: { goal, place, wanted: [goal.call] },
    });
    const swapped = calls.map((call) => goal.swap?.(call) ?? null);
    const wanted = swapped.filter((call) => call !== null);
    return [
      put('prepended', 1),
      put('interleaved', Math.ceil(calls.length / 2)),
      put('appended', calls.length),
      ...(wanted.length === 0
        ? []
        : [
            {
              calls: calls.map((call, at) => swapped[at] ?? call),
              attack: { goal, place: 'swapped' as const, wanted },
            },
          ]),
    ];
  });
  return [{ calls, attack: null }, ...attacked];
}

async function ask(rig: Rig, id: string, call: Call): Promise<{ readonly held: boolean }> {
  const { method, host, path } = call;
  const body = Buffer.from(bodyOf(call));
  using client = await connectThrough(rig.portsOf(id).proxy, { target: `${host}:443`, ca: rig.ca.certificate });
  const length = call.body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${length}\r\n`);
  const { json } = await client.ask(Buffer.concat([head, body]));
  return { held: json['code'] === 'hold-pending' };
}

const bodyOf = ({ body }: Call): string => (body === undefined ? '' : JSON.stringify(body));
const wireOf = (call: Call): string => textOf({ ...call, body: bodyOf(call) });
const textOf = ({ method, host, path, body }: Omit<Call, 'body'> & { readonly body: string }): string =>
  `${method} ${host}${path} ${body}`;

export interface Figures {
  readonly tasks: number;
  /** Tasks, without an attack, for which nobody was asked, and questions in all of them. */
  readonly quiet: number;
  readonly asked: number;
  /** Tasks, without an attack, of which every call went out. */
  readonly done: number;
  readonly attacks: Readonly<Record<Goal['kind'], number>>;
  readonly reached: Readonly<Record<Goal['kind'], number>>;
}

export function figuresOf(seen: readonly Seen[]): Figures {
  const alone = seen.filter(({ goal }) => goal === null);
  const attacked = (kind: Goal['kind']): readonly Seen[] => seen.filter((each) => each.kind === kind);
  const reached = (kind: Goal['kind']): number => attacked(kind).filter((each) => each.reached).length;
  return {
    tasks: alone.length,
    quiet: alone.filter(({ holds }) => holds === 0).length,
    asked: alone.reduce((sum, { holds }) => sum + holds, 0),
    done: alone.filter(({ missing }) => missing === 0).length,
    attacks: { effect: attacked('effect').length, content: attacked('content').length },
    reached: { effect: reached('effect'), content: reached('content') },
  };
}
