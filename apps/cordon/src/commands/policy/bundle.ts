import path from 'node:path';
import { bundleType, type PolicyActivation, type PolicyPack } from '@cordon/protocol';
import type { Cordon, Envelope } from '@cordon/sdk';
import type { Arguments, Command } from '../../command.ts';
import { configurationError, exitStatus, usageError } from '../../exit.ts';
import { jsonLine } from '../../json.ts';
import { parseDuration } from '../../quantity.ts';
import type { Surroundings } from '../../surroundings.ts';
import { counted, painter, table, visible } from '../../text.ts';
import { cosign, readEnvelope, writeSigned } from './cosign.ts';
import { isFolder, readBundle, readFolder, referenceOf } from './sources.ts';
import { working } from './working.ts';

const keyOption = {
  value: 'FILE',
  repeat: true as const,
  about: 'sign with this key; more than one person: repeat it',
};

export const sign: Command = {
  name: 'policy sign',
  group: 'Policy',
  usage: 'cordon policy sign DIR|BUNDLE',
  summary: 'make a bundle of a folder and sign it, or add a signature to one',
  words: [1, 1],
  options: {
    key: keyOption,
    out: {
      value: 'FILE',
      about: 'where the bundle goes (default: NAME.tar here); its signatures lie beside it, .dsse',
    },
    expires: { value: 'TIME', about: 'from then on it denies everything: 30d, or a date' },
    json: { about: 'as JSON' },
  },
  details: [
    'The whole gate and the tests in the folder have passed before anything is signed.',
    'Example:',
    '  cordon policy sign ./my-policy --out my.tar',
    '  cordon policy sign my.tar --key alice.pem',
  ],
  run: async ({ at, cordon }, args) => {
    const word = args.words[0] ?? '';
    const client = await cordon();
    const folder = isFolder(path.resolve(at.cwd, word));
    const file = path.resolve(
      at.cwd,
      args.text('out') ?? (folder ? `${path.basename(path.resolve(at.cwd, word))}.tar` : word),
    );
    const pack = folder ? await packFolder(at, client, word, args) : await inspect(at, client, word);
    const before = folder ? null : readEnvelope(`${path.resolve(at.cwd, word)}.dsse`);
    const envelope = await signed(at, client, pack, args.texts('key'), before);
    writeSigned(file, pack, envelope);
    const { address, generation, signatures, widening } = pack;
    at.stdout.write(
      args.flag('json')
        ? jsonLine({ file, address, generation, widening, signatures, signed: envelope.signatures.length })
        : `${file}: generation ${generation}, ${address}\n${envelope.signatures.length} of ${signatures} signatures${widening ? ', it widens what is allowed' : ''}\n`,
    );
    return exitStatus.ok;
  },
};

export const activate: Command = {
  name: 'policy activate',
  group: 'Policy',
  usage: 'cordon policy activate DIR|BUNDLE [--shadow]',
  summary: 'put a signed bundle in force; --shadow only lets it judge beside',
  words: [1, 1],
  options: {
    key: keyOption,
    expires: { value: 'TIME', about: 'of a DIR: from then on it denies everything: 30d, or a date' },
    shadow: { about: 'it decides nothing: cordon policy shadow says what it would have' },
    json: { about: 'as JSON' },
  },
  details: [
    'A DIR is packed and signed with your key first. Returns when every gateway decides by it or is cut off.',
    'From the first bundle on the files in $CORDON_HOME/policy are not read any more.',
    'Example:',
    '  cordon policy diff ./my-policy && cordon policy activate ./my-policy',
  ],
  run: async ({ at, cordon }, args) => {
    const word = args.words[0] ?? '';
    const client = await cordon();
    if (args.flag('shadow')) {
      const view = await working(at, 'checking', client.policies.startShadow(referenceOf(at.cwd, word)));
      at.stdout.write(
        args.flag('json') ? jsonLine(view) : 'it judges beside and decides nothing: cordon policy shadow\n',
      );
      return exitStatus.ok;
    }
    const file = path.resolve(at.cwd, word);
    const folder = isFolder(file);
    const pack = folder ? await packFolder(at, client, word, args) : null;
    const bundle = pack?.bundle ?? readBundle(file).toString('base64');
    const envelope =
      pack === null ? readEnvelope(`${file}.dsse`) : await signed(at, client, pack, args.texts('key'), null);
    if (envelope === null) throw configurationError(`there is no ${word}.dsse`, `cordon policy sign ${word}`);
    const done = await working(at, 'activating', client.policies.activate(bundle, envelope));
    at.stdout.write(args.flag('json') ? jsonLine(done) : activationText(done));
    return exitStatus.ok;
  },
};

export const rollback: Command = {
  name: 'policy rollback',
  group: 'Policy',
  usage: 'cordon policy rollback GENERATION',
  summary: 'put in force again what an earlier generation held, under a new number',
  words: [1, 1],
  options: {
    key: keyOption,
    out: { value: 'FILE', about: 'only write the bundle, for others to sign' },
    json: { about: 'as JSON' },
  },
  details: ['The numbers: cordon policy history', 'What it would change: cordon policy diff GENERATION'],
  run: async ({ at, cordon }, args) => {
    const word = args.words[0] ?? '';
    if (!/^[1-9][0-9]{0,8}$/.test(word)) throw usageError(`${word} is no generation`, 'cordon policy history');
    const client = await cordon();
    const pack = await working(at, 'packing', client.policies.pack({ content: { generation: Number(word) } }));
    const envelope = await signed(at, client, pack, args.texts('key'), null);
    const out = args.text('out');
    if (out !== undefined) {
      const file = path.resolve(at.cwd, out);
      writeSigned(file, pack, envelope);
      at.stdout.write(`${file}: ${envelope.signatures.length} of ${pack.signatures} signatures\n`);
      return exitStatus.ok;
    }
    const done = await working(at, 'activating', client.policies.activate(pack.bundle, envelope));
    at.stdout.write(args.flag('json') ? jsonLine(done) : activationText(done));
    return exitStatus.ok;
  },
};

export const history: Command = {
  name: 'policy history',
  group: 'Policy',
  usage: 'cordon policy history',
  summary: 'the generations that were in force, newest first',
  words: [0, 0],
  options: { json: { about: 'one JSON object per generation' } },
  details: [],
  run: async ({ at, cordon }, args) => {
    const generations = await (await cordon()).policies.history();
    if (args.flag('json')) for (const each of generations) at.stdout.write(jsonLine(each));
    else {
      const rows = generations.map(({ generation, at: since, address, files, expires, inForce }) => [
        `${generation}${inForce ? ' *' : ''}`,
        since,
        address === null ? 'files' : 'bundle',
        expires ?? '–',
        visible(files.join(' ')),
      ]);
      at.stdout.write(`${table(['GENERATION', 'SINCE', 'FROM', 'EXPIRES', 'FILES'], rows, painter(at.colours))}\n`);
    }
    return exitStatus.ok;
  },
};

function packFolder(at: Surroundings, client: Cordon, name: string, args: Arguments): Promise<PolicyPack> {
  const expires = args.text('expires');
  const order = {
    content: { files: readFolder(at.cwd, name) },
    ...(expires === undefined ? {} : { expires: expiryOf(expires) }),
  };
  return working(at, 'checking', client.policies.pack(order));
}

function inspect(at: Surroundings, client: Cordon, name: string): Promise<PolicyPack> {
  const bundle = readBundle(path.resolve(at.cwd, name)).toString('base64');
  return working(at, 'checking', client.policies.inspect(bundle));
}

/** Signed are the manifest's own bytes. */
function signed(
  at: Surroundings,
  client: Cordon,
  pack: PolicyPack,
  keys: readonly string[],
  before: Envelope | null,
): Promise<Envelope> {
  if (before !== null && before.payload !== pack.manifest) {
    throw configurationError('the signatures beside this bundle are of another one', 'remove its .dsse file');
  }
  return cosign(at, client, { type: bundleType, bytes: Buffer.from(pack.manifest, 'base64'), before }, keys);
}

/** `30d`, or a date as RFC 3339 writes it. */
function expiryOf(text: string): string {
  const at = Date.parse(text);
  if (/^\d{4}-/.test(text) && !Number.isNaN(at)) return new Date(at).toISOString();
  return new Date(Date.now() + parseDuration('expires', text)).toISOString();
}

function activationText({ generation, address, gateways, cutOff, signedBy, widening }: PolicyActivation): string {
  const people = signedBy.map(({ sub }) => sub).join(', ');
  const cut = cutOff === 0 ? '' : `, ${cutOff} cut off: they deny until they take it`;
  return `generation ${generation} is in force${widening ? ', it widens what is allowed' : ''}\n${address}, signed by ${people}\n${counted(gateways, 'gateway decides', 'gateways decide')} by it${cut}\n`;
}
