import {
  createId,
  type EndorsementTerms,
  endorsementLines,
  type HeldIntent,
  systemClock,
  systemRandom,
} from '@cordon/protocol';
import type { Cordon, Question, Signing } from '@cordon/sdk';
import type { Arguments, Option } from '../command.ts';
import { usageError } from '../exit.ts';
import { parseCount, parseDuration, parseSize } from '../quantity.ts';

/** Of `approve`: the destinations are opened for a time, beside this one request. */
export const endorseOptions: Readonly<Record<string, Option>> = {
  endorse: {
    value: 'WHERE',
    optional: true,
    repeat: true,
    about: 'do not ask again for WHERE: a URL or range, a name, an endorsement to join; else who gets this one',
  },
  for: { value: '1h', about: 'how long (at most 8h; 1h)' },
  bytes: { value: 'SIZE', about: 'how much may be sent there in all (1MiB)' },
  agent: { about: 'for every session of this agent, not for this session alone' },
};

/** What is to be signed beside the yes; null: nothing. With `--endorse` the uses are those of the endorsement. */
export async function termsOf(client: Cordon, args: Arguments, question: Question): Promise<EndorsementTerms | null> {
  if (!args.flag('endorse')) {
    const odd = ['for', 'bytes', 'agent'].find((name) => args.flag(name));
    if (odd !== undefined) throw usageError(`--${odd} goes with --endorse`, 'cordon approve --help');
    return null;
  }
  const { view, hold } = question;
  const said = args.texts('endorse').filter((each) => each !== '');
  const [joined] = said;
  if (joined?.startsWith('end_') === true) return await joinedTerms(client, args, joined, hold);
  if (view.unnamed.length === 0) {
    throw usageError(
      'it waits for another reason than that nobody has named who gets it, so an endorsement would open nothing',
      `cordon approve ${hold.id.slice(-8)}`,
    );
  }
  const nowMs = systemClock.now();
  const [from, expires] = [nowMs, nowMs + parseDuration('for', args.text('for') ?? '1h')].map((ms) =>
    new Date(ms).toISOString(),
  ) as [string, string];
  return client.endorsements.termsFor(question, {
    id: createId('endorsement', systemClock, systemRandom),
    scope: args.flag('agent') ? { agent: view.intent.agent } : { session: view.intent.session },
    destinations: said.length === 0 ? view.unnamed : said.map(destinationOf),
    uses: parseCount('uses', args.text('uses') ?? '20'),
    bytes: parseSize('bytes', args.text('bytes') ?? '1MiB'),
    ...{ from, expires },
  });
}

/** Somebody else's terms, as they are: whoever wants others makes another endorsement. */
async function joinedTerms(client: Cordon, args: Arguments, id: string, hold: HeldIntent): Promise<EndorsementTerms> {
  const odd = ['for', 'bytes', 'agent', 'uses'].find((name) => args.flag(name));
  if (odd !== undefined) throw usageError(`--${odd}: ${id} has its terms already`, 'cordon endorsements list');
  const { terms } = await client.endorsements.get(id);
  if (terms.hold !== hold.id) throw usageError(`${id} was made from ${terms.hold}`, `cordon approve ${terms.hold}`);
  return terms as EndorsementTerms;
}

/** A URL is a range of paths; with its port, as it is signed. Anything else is a name as the view writes it. */
function destinationOf(text: string): string {
  const match = /^(https?):\/\/([^/:\s]+|\[[^\]]+\])(:\d+)?(\/\S*)$/.exec(text);
  if (match === null) return text;
  const [, scheme = '', host = '', port = scheme === 'http' ? ':80' : ':443', path = ''] = match;
  return `range ${scheme}://${host.toLowerCase()}${port}${path}`;
}

export function termsText(terms: EndorsementTerms): string {
  return `\n${endorsementLines(terms).join('\n')}\n`;
}

/** First the endorsement: where that is refused, nothing goes out. */
export async function signTerms(client: Cordon, terms: EndorsementTerms, signing: Signing): Promise<string> {
  const { id, state, signed, rung } = await client.endorsements.sign(terms, signing);
  if (state === 'active') return `endorsed ${id} until ${terms.expires}; to end it: cordon endorsements withdraw ${id}`;
  return `your signature on ${id} counts; ${signed.length} of ${rung.quorum} people have signed: cordon approve ${terms.hold} --endorse ${id}`;
}
