import { parseArgs } from 'node:util';
import { type VerifyPart, verifyParts } from '@cordon/ledger';

export const usage = `usage: verify --home DIR [--key FILE] [options]
       verify --proof FILE --key FILE [--head FILE --infrastructure-key FILE] [--witnesses FILE] [--json]
       verify [--journal DIR] [--tree DIR --key FILE] [options]

  --home DIR         a CORDON_HOME: every tenant below DIR/ledger, with the key DIR/keys/ledger.vkey
  --journal DIR      one tenant's journals (…/ledger/journal/TENANT)
  --tree DIR         one tenant's tree (…/ledger/tree/TENANT)
  --key FILE         the log's public key, as you keep it yourself
  --infrastructure DIR       the host's own tree (…/ledger/tree/infrastructure.host), which logs the heads of --tree
  --infrastructure-key FILE  its public key, as you keep it; --home has its own
  --checkpoint FILE  a signed checkpoint that you kept; may be repeated
  --head FILE        with --proof: the proof of the head that it stands under, for witnesses of the infrastructure alone
  --witnesses FILE   whose cosignatures you believe (C2SP tlog-policy); --home has its own
  --only PARTS       ${verifyParts.join(', ')}; with commas between; default: all that can run
  --part NAME        one of them; may be repeated
  --keys DIR         keys of sealed bodies, as DIR/keys of a CORDON_HOME holds them; --home has its own
  --engine FILE      a policy engine that decisions may name, beside this installation's and the ledger's own
  --every            ask the policy engine about each decision, also where no policy can tell two apart
  --strict           what could not be looked at is a failure as well
  --json             one JSON object instead of text

exit status: 0 nothing wrong was found, 1 something was, 64 usage
`;

export interface Arguments {
  readonly home: string | null;
  readonly journal: string | null;
  readonly tree: string | null;
  /** One receipt, and nothing else. */
  readonly proof: string | null;
  readonly key: string | null;
  /** The proof of the head that `proof` stands under. */
  readonly head: string | null;
  readonly infrastructure: string | null;
  readonly infrastructureKey: string | null;
  readonly checkpoints: readonly string[];
  readonly parts: readonly VerifyPart[] | null;
  readonly keys: string | null;
  readonly witnesses: string | null;
  readonly engines: readonly string[];
  readonly every: boolean;
  readonly strict: boolean;
  readonly json: boolean;
}

export type ParsedArguments =
  | { readonly kind: 'run'; readonly arguments: Arguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string };

export function parseArguments(words: readonly string[]): ParsedArguments {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(words);
  } catch (error) {
    return { kind: 'wrong', why: error instanceof Error ? error.message : 'unknown option' };
  }
  if (values.help === true) return { kind: 'help' };
  const home = values.home ?? null;
  const journal = values.journal ?? null;
  const tree = values.tree ?? null;
  const key = values.key ?? null;
  const named = [...(values.part ?? []), ...(values.only ?? []).flatMap((list) => list.split(','))];
  const parts = named.length === 0 ? null : named;
  const proof = values.proof ?? null;
  if (proof !== null && (home !== null || journal !== null || tree !== null)) return wrong('--proof stands alone');
  if (proof !== null && key === null) return wrong('--proof needs --key');
  const head = values.head ?? null;
  const infrastructure = values.infrastructure ?? null;
  const infrastructureKey = values['infrastructure-key'] ?? null;
  if (head !== null && proof === null) return wrong('--head goes with --proof');
  if (infrastructure !== null && tree === null) return wrong('--infrastructure goes with --tree');
  if ((head !== null || infrastructure !== null) && infrastructureKey === null)
    return wrong('--infrastructure and --head need --infrastructure-key');
  if (infrastructureKey !== null && head === null && infrastructure === null && home === null)
    return wrong('--infrastructure-key goes with --home, --infrastructure or --head');
  if (proof === null && home === null && journal === null && tree === null)
    return wrong('say what to verify: --home, --journal, --tree or --proof');
  if (home !== null && (journal !== null || tree !== null)) return wrong('--home stands alone');
  if (home === null && tree !== null && key === null) return wrong('--tree needs --key');
  const unknown = parts?.find((part) => !isPart(part));
  if (unknown !== undefined) return wrong(`no part ${unknown}`);
  return {
    kind: 'run',
    arguments: {
      home,
      journal,
      tree,
      proof,
      key,
      head,
      infrastructure,
      infrastructureKey,
      parts: parts?.filter(isPart) ?? null,
      checkpoints: values.checkpoint ?? [],
      keys: values.keys ?? null,
      witnesses: values.witnesses ?? null,
      engines: values.engine ?? [],
      every: values.every ?? false,
      strict: values.strict ?? false,
      json: values.json ?? false,
    },
  };
}

function parse(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    strict: true,
    options: {
      home: { type: 'string' },
      journal: { type: 'string' },
      tree: { type: 'string' },
      proof: { type: 'string' },
      key: { type: 'string' },
      head: { type: 'string' },
      infrastructure: { type: 'string' },
      'infrastructure-key': { type: 'string' },
      checkpoint: { type: 'string', multiple: true },
      part: { type: 'string', multiple: true },
      only: { type: 'string', multiple: true },
      keys: { type: 'string' },
      witnesses: { type: 'string' },
      engine: { type: 'string', multiple: true },
      every: { type: 'boolean' },
      strict: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  }).values;
}

function wrong(why: string): ParsedArguments {
  return { kind: 'wrong', why };
}

function isPart(text: string): text is VerifyPart {
  return (verifyParts as readonly string[]).includes(text);
}
