// The process of one target: it may be ended by an input, so it lives alone. Its parent (run.ts) watches it.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Campaign, type CampaignReport, type Finding, shrink } from './campaign.ts';
import { CurrentInput } from './current.ts';
import { encodeLine } from './inputs.ts';
import type { Target } from './target.ts';

export interface Order {
  readonly target: string;
  readonly current: string;
  readonly seed: number;
  /** `short`: as many as the target says; `about`: none, only its words. */
  readonly runs: number | 'short' | 'about';
  readonly milliseconds: number;
  /** Base64, as everything that goes over the channel. */
  readonly regressions: readonly string[];
  readonly corpus: readonly string[];
}

export type Answer =
  | { readonly kind: 'about'; readonly about: string; readonly oracle: string }
  | { readonly kind: 'finding'; readonly message: string; readonly stack: string; readonly input: string }
  | { readonly kind: 'report'; readonly report: Omit<CampaignReport, 'corpus'>; readonly corpus: readonly string[] };

const shrinkMs = 5000;
const bytesOf = (text: string): Buffer => Buffer.from(text, 'base64');
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

async function obey(order: Order): Promise<Answer> {
  const file = path.resolve(import.meta.dirname, '../targets', `${order.target}.ts`);
  const { target } = (await import(pathToFileURL(file).href)) as { target: Target };
  if (order.runs === 'about') return { kind: 'about', about: target.about, oracle: target.oracle };
  const runs = order.runs === 'short' ? target.shortRuns : order.runs;
  using current = new CurrentInput(order.current, target.lengthMax);
  // The instrumented code belongs to the target: a promise that nobody waits for may fail there too.
  await target.open?.();
  try {
    const options = { ...order, runs, regressions: order.regressions.map(bytesOf), corpus: order.corpus.map(bytesOf) };
    const result = await new Campaign(target, options, current).run();
    if ('message' in result) return findingAnswer(await shrink(target, result, shrinkMs));
    const { corpus, ...report } = result;
    return { kind: 'report', report, corpus: corpus.map(textOf) };
  } finally {
    await target.close?.();
  }
}

function findingAnswer(finding: Finding): Answer {
  const { message, stack, input } = finding;
  return { kind: 'finding', message: `${message}\n    input ${encodeLine(input)}`, stack, input: textOf(input) };
}

process.on('message', (order: Order) => {
  void obey(order).then((answer) => {
    process.send?.(answer, () => process.disconnect());
  });
});
