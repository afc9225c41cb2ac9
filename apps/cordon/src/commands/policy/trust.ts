import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { canonicalize, type RecordValue, type TrustRootView, trustType } from '@cordon/protocol';
import type { Cordon, Envelope } from '@cordon/sdk';
import type { Arguments, Command } from '../../command.ts';
import { configurationError, exitStatus, usageError } from '../../exit.ts';
import { jsonLine } from '../../json.ts';
import { parseCount } from '../../quantity.ts';
import type { Surroundings } from '../../surroundings.ts';
import { cosign, readEnvelope } from './cosign.ts';

export const trust: Command = {
  name: 'policy trust',
  group: 'Policy',
  usage: 'cordon policy trust [--signer NAME… | ROOT]',
  summary: 'whose signatures put policy in force; with --signer make others the ones',
  words: [0, 1],
  options: {
    signer: { value: 'NAME', repeat: true, about: 'may sign from now on (cordon people list); repeat it' },
    threshold: { value: 'N', about: 'so many of them must sign a bundle (default: 1 of one, else 2)' },
    key: { value: 'FILE', repeat: true, about: 'sign the change with this key; repeat it' },
    out: { value: 'FILE', about: 'only write it, for others to sign' },
    json: { about: 'as JSON' },
  },
  details: [
    'A change is signed by as many of the old and of the new signers as their thresholds say. With more than one signer',
    'it takes at least two, and one more for a bundle that widens what is allowed.',
    'Example:',
    '  cordon policy trust --signer me --signer alice --signer bob --out root.json',
    '  cordon policy trust root.json --key alice.pem      # signs it; in force as soon as enough have',
  ],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const file = args.words[0];
    if (args.texts('signer').length === 0 && file === undefined) {
      const root = await client.policies.trust();
      at.stdout.write(args.flag('json') ? jsonLine(root) : rootText(root));
      return exitStatus.ok;
    }
    const envelope = await signedRoot(at, client, args, file);
    const out = args.text('out') ?? file;
    if (out !== undefined) writeFileSync(path.resolve(at.cwd, out), `${JSON.stringify(envelope)}\n`);
    if (args.text('out') !== undefined) {
      at.stdout.write(`${out}: ${envelope.signatures.length} signatures\n`);
      return exitStatus.ok;
    }
    const root = await client.policies.rotate(envelope);
    at.stdout.write(args.flag('json') ? jsonLine(root) : rootText(root));
    return exitStatus.ok;
  },
};

async function signedRoot(
  at: Surroundings,
  client: Cordon,
  args: Arguments,
  file: string | undefined,
): Promise<Envelope> {
  const before = file === undefined ? null : readRoot(path.resolve(at.cwd, file));
  const bytes = before === null ? await nextRoot(client, args) : Buffer.from(before.payload, 'base64');
  return await cosign(at, client, { type: trustType, bytes, before }, args.texts('key'));
}

async function nextRoot(client: Cordon, args: Arguments): Promise<Buffer> {
  const names = [...new Set(args.texts('signer'))];
  const [people, current, me] = [
    await client.people.list(),
    await client.policies.trust(),
    await client.people.whoami(),
  ];
  const signers = names.flatMap((name) => {
    const sub = name === 'me' ? me.person.sub : name;
    const found = people.find(({ person }) => person.sub === sub);
    if (found === undefined) throw usageError(`nobody here is called ${name}`, 'cordon people list');
    return found.keys.map((key) => ({ person: found.person, key }));
  });
  const kind = names.length === 1 ? 'solo' : 'organisation';
  const given = args.text('threshold');
  const bundle = given === undefined ? Math.min(names.length, 2) : parseCount('threshold', given);
  const root = {
    v: 'trust/1',
    ...{ tenant: current.tenant, number: current.number + 1, kind, signers },
    thresholds: { bundle, root: Math.min(names.length, Math.max(bundle, 1)) },
  };
  return Buffer.from(canonicalize(root as unknown as RecordValue), 'utf8');
}

function readRoot(file: string): Envelope {
  const envelope = readEnvelope(file);
  if (envelope === null)
    throw configurationError(`there is no ${file}`, 'cordon policy trust --signer NAME --out FILE');
  return envelope;
}

function rootText({ number, kind, signers, thresholds }: TrustRootView): string {
  const names = [...new Set(signers.map(({ person }) => person.sub))];
  const more = kind === 'organisation' ? `, ${thresholds.bundle + 1} where it widens` : '';
  return `trust root ${number} (${kind}): ${names.join(', ')}\na bundle takes ${thresholds.bundle} of them${more}; another root ${thresholds.root}\n`;
}
