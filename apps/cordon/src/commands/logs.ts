import type { Decision, RefusedRequest } from '@cordon/protocol';
import type { Cordon, DecisionFilter } from '@cordon/sdk';
import type { Command } from '../command.ts';
import { againText, type Denial, Denials, denialOfDecision, denialOfRefusal, denialText, footer } from '../denial.ts';
import { exitStatus } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { findSession } from '../reference.ts';
import type { Surroundings } from '../surroundings.ts';
import { bytesText, painter, visible } from '../text.ts';

export const logs: Command = {
  name: 'logs',
  group: 'Review',
  usage: 'cordon logs [SESSION] [-f] [--denied]',
  summary: 'what the agent tried, what was decided, and why',
  words: [0, 1],
  takesSession: true,
  options: {
    follow: { short: 'f', about: 'go on as it happens' },
    denied: { about: 'only what did not happen, explained; repeats are counted' },
    json: { about: 'one JSON object per decision (with --denied also per refusal)' },
  },
  details: [
    '--denied also shows what was refused before a decision: malformed, of two readings, over a limit.',
    'Examples:',
    '  cordon logs 7k2m --denied',
    '  cordon logs -f --denied',
  ],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const reference = args.words[0];
    const session = reference === undefined ? undefined : (await findSession(client, reference)).session.id;
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    const filter = {
      ...(session === undefined ? {} : { session }),
      follow: args.flag('follow'),
      signal: stop.signal,
    };
    try {
      if (args.flag('denied')) await writeDenied(client, at, filter, args.flag('json'));
      else await writeAll(client, at, filter, args.flag('json'));
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
    return exitStatus.ok;
  },
};

type Filter = Required<Pick<DecisionFilter, 'follow' | 'signal'>> & Pick<DecisionFilter, 'session'>;

async function writeAll(client: Cordon, at: Surroundings, filter: Filter, json: boolean): Promise<void> {
  const paint = painter(at.colours);
  for await (const decision of client.decisions(filter)) {
    // While following, an allowed one comes again with its outcome: people see it once, complete.
    if (filter.follow && !json && decision.outcome === 'allow' && decision.status === null && decision.result === null)
      continue;
    at.stdout.write(json ? jsonLine(decision) : line(decision, paint));
  }
}

async function writeDenied(client: Cordon, at: Surroundings, filter: Filter, json: boolean): Promise<void> {
  const view = json ? null : filter.follow ? new LiveView(at) : new WholeView(at);
  const decided = (decision: Decision): void => {
    if (view === null) at.stdout.write(jsonLine(decision));
    else view.add(denialOfDecision(decision));
  };
  const refused = (refusal: RefusedRequest): void => {
    if (view === null) at.stdout.write(jsonLine({ event: 'refusal', ...refusal }));
    else view.add(denialOfRefusal(refusal));
  };
  // One of the two streams failing ends the other, or the command would wait for ever.
  const ended = new AbortController();
  const signal = AbortSignal.any([filter.signal, ended.signal]);
  const streams = [
    each(once(client.decisions({ ...filter, denied: true, signal })), decided),
    each(client.refusals({ ...filter, signal }), refused),
  ];
  try {
    await Promise.all(streams);
  } finally {
    ended.abort();
    view?.end();
    await Promise.allSettled(streams);
  }
}

async function each<T>(items: AsyncIterable<T>, act: (item: T) => void): Promise<void> {
  for await (const item of items) act(item);
}

const attemptsRemembered = 1000;

/** A stream may give what happened while the past was read a second time; a count must not count it twice. */
async function* once(decisions: AsyncIterable<Decision>): AsyncGenerator<Decision> {
  const seen = new Set<string>();
  for await (const decision of decisions) {
    if (seen.has(decision.attempt)) continue;
    const [oldest] = seen;
    if (seen.size >= attemptsRemembered && oldest !== undefined) seen.delete(oldest);
    seen.add(decision.attempt);
    yield decision;
  }
}

/** Everything, repeats collapsed, then what to do. */
class WholeView {
  readonly #at: Surroundings;
  readonly #denials = new Denials();

  constructor(at: Surroundings) {
    this.#at = at;
  }

  add(denial: Denial): void {
    this.#denials.add(denial);
  }

  end(): void {
    const paint = painter(this.#at.colours);
    const all = this.#denials.all();
    this.#at.stdout.write(all.map((denial) => denialText(denial, paint)).join(''));
    this.#at.stdout.write(footer(all));
  }
}

const againEveryMs = 1000;

/** Each new one at once and explained; one that comes again is counted, at most once a second. */
class LiveView {
  readonly #at: Surroundings;
  readonly #paint: ReturnType<typeof painter>;
  readonly #denials = new Denials();
  readonly #again = new Map<Denial, number>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(at: Surroundings) {
    this.#at = at;
    this.#paint = painter(at.colours);
    this.#timer = setInterval(() => this.#flush(), againEveryMs);
  }

  add(denial: Denial): void {
    const { kept, fresh } = this.#denials.add(denial);
    if (fresh) this.#at.stdout.write(denialText(kept, this.#paint));
    else this.#again.set(kept, (this.#again.get(kept) ?? 0) + denial.count);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#flush();
    this.#at.stdout.write(footer(this.#denials.all()));
  }

  #flush(): void {
    for (const [denial, more] of this.#again) this.#at.stdout.write(againText(denial, more, this.#paint));
    this.#again.clear();
  }
}

function line(decision: Decision, paint: ReturnType<typeof painter>): string {
  const outcome = decision.outcome === 'allow' ? paint('green', 'allow') : paint('red', decision.outcome.padEnd(5));
  const lines = [
    `${paint('dim', decision.at)} ${outcome} ${visible(decision.summary)} ${resultOf(decision, paint)} ${paint('dim', decision.attempt)}`,
  ];
  if (decision.outcome !== 'allow') for (const step of decision.next) lines.push(`    → ${visible(step)}`);
  return `${lines.join('\n')}\n`;
}

function resultOf({ outcome, code, status, bytesIn, result }: Decision, paint: ReturnType<typeof painter>): string {
  if (outcome !== 'allow') return paint('yellow', code);
  // Allowed, and it did not come about: the code says more than a missing status.
  const failed = status === null && result !== null && result !== 'relayed';
  const said = failed ? paint('yellow', visible(result)) : String(status ?? '…');
  return `${said}${bytesIn === null ? '' : ` ${bytesText(bytesIn)}`}`;
}
